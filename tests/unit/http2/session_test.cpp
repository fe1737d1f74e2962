#include "proxy/http2/session.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace spillway::http2 {
namespace {

constexpr Time kNow = Time(std::chrono::hours(1));

std::string frame(FrameType type, int flags, std::uint32_t stream, std::string_view payload = {}) {
  const std::uint32_t size = static_cast<std::uint32_t>(payload.size());
  std::string out{static_cast<char>(size >> 16), static_cast<char>(size >> 8), static_cast<char>(size)};
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(stream >> shift & 0xff));
  return out.append(payload);
}

/// `:method: GET`, `:scheme: http`, `:path: /`, of the static table of HPACK.
constexpr std::string_view kGet = "\x82\x86\x84";
constexpr int kEndHeaders = 4;

struct Stream final : StreamEvents {
  void on_field(std::string_view name, std::string_view value) override {
    fields.append(name).append("=").append(value).append(";");
  }
  void on_head(bool end_stream) override { head = true, ended = end_stream; }
  void on_data(std::string_view bytes) override { body.append(bytes); }
  void on_trailer(std::string_view, std::string_view) override {}
  void on_end() override { ended = true; }
  Available available() const override { return {left, true}; }
  void take(std::size_t size, bool) override { left -= size; }
  void on_head_sent() override {}
  void on_closed() override { closed = true; }

  std::string fields, body;
  std::size_t left = 0;  ///< of its answer
  bool head = false, ended = false, closed = false;
};

/// A connection that has begun.
struct Peer final : SessionEvents {
  explicit Peer(Limits limits = {}) : session(*this, limits, 16 * 1024) {
    session.receive(std::string(kPreface) + frame(FrameType::settings, 0, 0), kNow);
    session.produce(kNow);
  }
  StreamEvents* on_begin(std::int32_t id) override {
    if (refuses) return nullptr;
    return (streams[id] = std::make_unique<Stream>()).get();
  }
  void on_output(std::string_view bytes) override { output.append(bytes); }
  bool full() const override { return blocked || output.size() >= limit; }
  void on_pong() override {}

  std::map<std::int32_t, std::unique_ptr<Stream>> streams;
  std::string output;
  std::size_t limit = 1'000'000;
  bool blocked = false;
  bool refuses = false;
  Session session;
};

TEST_CASE("frames go in, and the parts of a request come out, however the bytes are split") {
  const std::string bytes = frame(FrameType::headers, kEndHeaders, 1, kGet) + frame(FrameType::data, 0, 1, "bo") +
                            frame(FrameType::data, kEndStream, 1, "dy");
  for (std::size_t part : {std::size_t{1}, std::size_t{5}, bytes.size()}) {
    Peer peer;
    for (std::size_t at = 0; at < bytes.size(); at += part) peer.session.receive(bytes.substr(at, part), kNow);
    const Stream& stream = *peer.streams.at(1);
    CHECK(stream.fields == ":method=GET;:scheme=http;:path=/;");
    CHECK(stream.body == "body");
    CHECK(stream.ended);
    CHECK_FALSE(peer.session.over());
  }
}

TEST_CASE("frames that wait for a client that does not read are bounded, resets too") {
  Peer peer({.streams = 10});
  peer.refuses = peer.blocked = true;
  std::uint32_t stream = 1;
  for (; stream < 20'000 && !peer.session.abuse(); stream += 2) {
    peer.session.receive(frame(FrameType::headers, kEndHeaders | kEndStream, stream, kGet), kNow);
  }
  CHECK(peer.session.abuse() == Abuse::unread);
  CHECK(stream < 3000);
  peer.blocked = false;
  peer.session.produce(kNow);
  CHECK(peer.session.over());
}

TEST_CASE("DATA of padding alone is counted as empty, DATA with a payload is not") {
  Peer peer({.frames = 1});
  peer.session.receive(frame(FrameType::headers, kEndHeaders, 1, kGet), kNow);
  for (int i = 0; i < 100; ++i) {
    peer.session.receive(frame(FrameType::data, kPadded, 1, std::string("\x02x\0\0", 4)), kNow);
  }
  CHECK_FALSE(peer.session.abuse());
  for (int i = 0; i < 11; ++i) {
    peer.session.receive(frame(FrameType::data, kPadded, 1, std::string("\x02\0\0", 3)), kNow);
  }
  CHECK(peer.session.abuse() == Abuse::empty);
}

TEST_CASE("no stream is called any more once they have been abandoned, at whatever point of their answers") {
  for (const std::size_t room : {1, 20, 40, 60}) {
    CAPTURE(room);
    Peer peer;
    peer.session.receive(frame(FrameType::headers, kEndHeaders | kEndStream, 1, kGet), kNow);
    peer.session.receive(frame(FrameType::headers, kEndHeaders | kEndStream, 3, kGet), kNow);
    ResponseFields fields;
    http::ResponseHead head;
    head.status = 200;
    fields.write(head, {}, true);
    peer.limit = peer.output.size() + room;
    for (auto& [id, stream] : peer.streams) {
      stream->left = 50'000;
      peer.session.submit_response(id, *stream, fields, true);
    }
    peer.session.produce(kNow);
    REQUIRE(peer.full());
    peer.session.terminate(ErrorCode::enhance_your_calm);
    peer.session.abandon_streams();
    peer.streams.clear();
    peer.limit = 1'000'000;
    peer.session.produce(kNow);
    CHECK(peer.session.over());
    const std::string goaway = frame(FrameType::goaway, 0, 0, std::string("\0\0\0\x03\0\0\0\x0b", 8));
    CHECK(peer.output.find(goaway) != std::string::npos);
  }
}

TEST_CASE("the name of a field that changes with each response is sent once in a while, and else as an index") {
  Peer peer;
  ResponseFields fields;
  http::ResponseHead head;
  head.status = 200;
  std::vector<std::size_t> sizes;
  constexpr int kResponses = 200;
  for (int i = 0; i < kResponses; ++i) {
    const auto id = 2 * i + 1;
    peer.session.receive(frame(FrameType::headers, kEndHeaders | kEndStream, static_cast<std::uint32_t>(id), kGet),
                         kNow);
    fields.write(head, std::to_string(100'000 + i), true);
    peer.output.clear();
    peer.session.submit_response(id, *peer.streams.at(id), fields, false);
    peer.session.produce(kNow);
    sizes.push_back(peer.output.size());
  }
  const std::size_t least = *std::min_element(sizes.begin(), sizes.end());
  constexpr std::size_t kName = 7;  // the least that twelve letters take; values differ by a byte or two
  const auto with_name =
      std::count_if(sizes.begin(), sizes.end(), [&](std::size_t size) { return size > least + kName; });
  CHECK(sizes.front() > least + kName);
  CHECK(with_name <= kResponses / 50);
}

TEST_CASE("what an ended session still gets is not looked at") {
  Peer peer({.frames = 1});
  peer.session.terminate(ErrorCode::no_error);
  for (int i = 0; i < 100; ++i) peer.session.receive(frame(FrameType::ping, 0, 0, "12345678"), kNow);
  CHECK_FALSE(peer.session.abuse());
}

}  // namespace
}  // namespace spillway::http2
