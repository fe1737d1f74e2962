// A connection of HTTP/2: any bytes behind the preface, split anywhere. Requests are answered, bodies are consumed.
// What the session tells must be in order, and each request that is accepted, written as HTTP/1.1, must parse to
// itself. Input: a byte of options, a byte that says where the bytes are split, the bytes.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "proxy/http1/parse.hpp"
#include "proxy/http1/writer.hpp"
#include "proxy/http2/request_builder.hpp"
#include "proxy/http2/session.hpp"
#include "tests/fuzz/require.hpp"

using namespace spillway;

namespace {

constexpr std::size_t kOutputMax = 64 * 1024;

struct Connection;

struct Stream final : http2::StreamEvents {
  Stream(Connection& c, std::int32_t i) : connection(c), id(i) { builder.begin({}); }

  void on_field(std::string_view name, std::string_view value) override {
    FUZZ_REQUIRE(!head && !closed);
    builder.add(name, value);
  }
  void on_head(bool end_stream) override;
  void on_data(std::string_view bytes) override;
  void on_trailer(std::string_view name, std::string_view value) override {
    FUZZ_REQUIRE(head && !ended && !closed);
    http2::check_trailer(name, value);
  }
  void on_end() override {
    FUZZ_REQUIRE(head && !ended && !closed);
    ended = true;
  }
  Available available() const override { return {body.size(), true}; }
  void take(std::size_t size, bool end) override;
  void on_head_sent() override { FUZZ_REQUIRE(answered); }
  void on_closed() override {
    FUZZ_REQUIRE(!closed);
    closed = true;
  }

  Connection& connection;
  std::int32_t id;
  http2::RequestBuilder builder;
  http::RequestHead request;
  http2::ResponseFields response;
  std::string body = std::string(1000, 'x');
  bool head = false, ended = false, closed = false, malformed = false, answered = false;
};

struct Connection final : http2::SessionEvents {
  explicit Connection(unsigned options)
      : session(*this, {.streams = 1 + static_cast<int>(options & 3u), .resets = 2, .frames = 3, .continuations = 2},
                4096) {}

  http2::StreamEvents* on_begin(std::int32_t stream) override {
    FUZZ_REQUIRE(stream % 2 == 1);
    if (open() >= 3) return nullptr;
    auto& place = streams[stream];
    FUZZ_REQUIRE(!place);
    place = std::make_unique<Stream>(*this, stream);
    return place.get();
  }
  void on_output(std::string_view bytes) override { output += bytes.size(); }
  bool full() const override { return output >= kOutputMax; }
  void on_pong() override {}
  int open() const {
    int count = 0;
    for (const auto& [id, stream] : streams) count += stream->closed ? 0 : 1;
    return count;
  }

  std::map<std::int32_t, std::unique_ptr<Stream>> streams;
  std::size_t output = 0;
  http2::Session session;
};

void Stream::on_head(bool end_stream) {
  FUZZ_REQUIRE(!head && !closed);
  head = true;
  ended = end_stream;
  const auto result = builder.finish(end_stream, request);
  malformed = result.malformed;
  if (malformed) return connection.session.reset(id, http2::ErrorCode::protocol_error);
  if (result.violation) return;
  // What goes to the API is one request, and the same for a second parser.
  std::string written;
  http::Forwarding forwarding;
  http::write_request(request, forwarding, written);
  FUZZ_REQUIRE(written.find("\r\n\r\n") == written.size() - 4);
  http::RequestHead again;
  http::HeadLimits limits;
  limits.head = 64 * 1024;
  FUZZ_REQUIRE(!http::parse_request(written, limits, again));
  FUZZ_REQUIRE(again.method == request.method && again.target == request.target);
  FUZZ_REQUIRE(again.framing == request.framing && again.content_length == request.content_length);
  FUZZ_REQUIRE(again.upgrade_websocket == request.upgrade_websocket);
}

void Stream::on_data(std::string_view bytes) {
  FUZZ_REQUIRE(head && !closed);
  connection.session.consumed_by_connection(bytes.size());
  connection.session.consumed(id, bytes.size());
}

void Stream::take(std::size_t size, bool end) {
  FUZZ_REQUIRE(answered && !closed && size <= body.size());
  body.erase(0, size);
  FUZZ_REQUIRE(!end || body.empty());
  connection.output += size;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  Connection connection(data[0]);
  std::string bytes(http2::kPreface);
  if ((data[0] & 4u) == 0) bytes.append("\0\0\0\x04\0\0\0\0\0", 9);
  bytes.append(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string_view rest = bytes;
  Time now = Time{} + std::chrono::hours(1);
  const std::size_t piece = data[1] == 0 ? rest.size() : data[1];
  while (!rest.empty() && !connection.session.over()) {
    connection.session.receive(rest.substr(0, piece), now);
    rest.remove_prefix(std::min(piece, rest.size()));
    for (auto& [id, stream] : connection.streams) {
      if (!stream->head || stream->malformed || stream->closed || stream->answered || (data[0] & 8u) != 0) continue;
      stream->answered = true;
      http::ResponseHead head;
      head.status = 200;
      head.framing = http::Framing::length;
      head.content_length = stream->body.size();
      stream->response.write(head, "id", true);
      connection.session.submit_response(id, *stream, stream->response, true);
    }
    connection.output = 0;
    connection.session.produce(now);
    FUZZ_REQUIRE(connection.output <= 2 * kOutputMax);
    now += std::chrono::milliseconds(1);
  }
  return 0;
}
