#include "tests/integration/proxy/http2_client.hpp"

#include <nghttp2/nghttp2.h>

namespace spillway::test {

namespace {

std::string big_endian(std::uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return out;
}

std::uint8_t* bytes(const std::string& text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

}  // namespace

std::uint32_t Frame::number(std::size_t at) const {
  std::uint32_t value = 0;
  for (std::size_t i = at; i < at + 4 && i < payload.size(); ++i)
    value = value << 8 | static_cast<unsigned char>(payload[i]);
  return value;
}

int H2Reply::status() const {
  const std::string text = field(":status");
  return text.empty() ? 0 : std::stoi(text);
}

std::string H2Reply::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return {};
}

H2Client::H2Client(const Proxy& proxy, Silent) : wire_(Wire::tcp(proxy.port())) {
  nghttp2_hd_deflate_new(&deflater_, 4096);
  nghttp2_hd_inflate_new(&inflater_);
}

H2Client::H2Client(const Proxy& proxy, std::vector<std::pair<int, std::uint32_t>> settings)
    : H2Client(proxy, Silent{}) {
  std::string payload;
  for (const auto& [id, value] : settings)
    payload += big_endian(static_cast<std::uint32_t>(id), 2) + big_endian(value, 4);
  send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes_of(h2::kSettings, 0, 0, payload));
}

H2Client::~H2Client() {
  if (deflater_) nghttp2_hd_deflate_del(deflater_);
  if (inflater_) nghttp2_hd_inflate_del(inflater_);
}

H2Client::H2Client(H2Client&& other) noexcept
    : wire_(std::move(other.wire_)),
      deflater_(std::exchange(other.deflater_, nullptr)),
      inflater_(std::exchange(other.inflater_, nullptr)),
      next_(other.next_),
      streams_(std::move(other.streams_)),
      opens_windows_(other.opens_windows_) {}

std::string H2Client::bytes_of(int type, int flags, std::uint32_t stream, std::string_view payload) {
  std::string out = big_endian(static_cast<std::uint32_t>(payload.size()), 3);
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  out += big_endian(stream, 4);
  return out.append(payload);
}

bool H2Client::frame(int type, int flags, std::uint32_t stream, std::string_view payload) {
  return send(bytes_of(type, flags, stream, payload));
}

std::string H2Client::encode(const Fields& fields) {
  std::vector<nghttp2_nv> lines;
  for (const auto& [name, value] : fields) {
    lines.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  std::string out(nghttp2_hd_deflate_bound(deflater_, lines.data(), lines.size()), '\0');
  const ssize_t size = nghttp2_hd_deflate_hd(deflater_, bytes(out), out.size(), lines.data(), lines.size());
  out.resize(static_cast<std::size_t>(size));
  return out;
}

Fields H2Client::request(std::string_view method, std::string_view path, const Fields& more) {
  Fields fields{
      {":method", std::string(method)}, {":scheme", "http"}, {":path", std::string(path)}, {":authority", "test"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

std::uint32_t H2Client::start(const Fields& fields, bool end_stream) {
  const std::uint32_t stream = next_;
  next_ += 2;
  frame(h2::kHeaders, h2::kEndHeaders | (end_stream ? h2::kEndStream : 0), stream, encode(fields));
  return stream;
}

bool H2Client::reset(std::uint32_t stream, int code) {
  return frame(h2::kRst, 0, stream, big_endian(static_cast<std::uint32_t>(code), 4));
}

Frame H2Client::read() {
  Frame frame;
  std::string head;
  if (!wire_.read_exactly(9, head)) {
    closed_ = true;
    return frame;
  }
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(head[at]); };
  const std::size_t size = static_cast<std::size_t>(byte(0)) << 16 | static_cast<std::size_t>(byte(1)) << 8 | byte(2);
  frame.flags = byte(4);
  frame.stream = static_cast<std::uint32_t>(byte(5) & 0x7f) << 24 | static_cast<std::uint32_t>(byte(6)) << 16 |
                 static_cast<std::uint32_t>(byte(7)) << 8 | byte(8);
  if (!wire_.read_exactly(size, frame.payload)) {
    closed_ = true;
    return frame;
  }
  frame.type = byte(3);
  note(frame);
  return frame;
}

Frame H2Client::read(int type, std::int64_t stream) {
  for (;;) {
    Frame frame = read();
    if (frame.type < 0 || (frame.type == type && (stream < 0 || frame.stream == stream))) return frame;
  }
}

void H2Client::note(const Frame& seen) {
  H2Reply& reply = streams_[seen.stream];
  const bool ends = (seen.flags & h2::kEndStream) != 0;
  switch (seen.type) {
    case h2::kData:
      reply.body += seen.payload;
      reply.whole = ends;
      if (opens_windows_ && !seen.payload.empty()) {
        const std::string more = big_endian(static_cast<std::uint32_t>(seen.payload.size()), 4);
        send(bytes_of(h2::kWindowUpdate, 0, 0, more) + (ends ? "" : bytes_of(h2::kWindowUpdate, 0, seen.stream, more)));
      }
      break;
    case h2::kHeaders:
    case h2::kContinuation: {
      block_ += seen.payload;
      if ((seen.flags & h2::kEndHeaders) == 0) break;
      Fields fields = decode(std::exchange(block_, {}));
      if (seen.type == h2::kHeaders) reply.whole = ends;
      const bool first = reply.fields.empty();
      if (first && !fields.empty() && fields.front().second.starts_with('1')) {
        reply.interim.push_back(std::move(fields));
      } else {
        (first ? reply.fields : reply.trailers) = std::move(fields);
      }
      break;
    }
    case h2::kRst:
      reply.reset = static_cast<int>(seen.number(0));
      break;
    case h2::kWindowUpdate:
      if (seen.stream == 0) window_ += seen.number(0);
      break;
    case h2::kSettings:
      if ((seen.flags & h2::kAck) != 0) break;
      for (std::size_t at = 0; at + 6 <= seen.payload.size(); at += 6) {
        const int id =
            static_cast<unsigned char>(seen.payload[at]) << 8 | static_cast<unsigned char>(seen.payload[at + 1]);
        settings_[id] = seen.number(at + 2);
      }
      frame(h2::kSettings, h2::kAck, 0);
      break;
    case h2::kPing:
      if ((seen.flags & h2::kAck) != 0) {
        ++pongs_;
      } else {
        frame(h2::kPing, h2::kAck, 0, seen.payload);
      }
      break;
    case h2::kGoaway:
      last_stream_ = seen.number(0) & 0x7fffffff;
      goaway_ = static_cast<int>(seen.number(4));
      break;
    default:
      break;
  }
}

Fields H2Client::decode(std::string_view block) {
  Fields fields;
  const auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
  std::size_t left = block.size();
  for (;;) {
    nghttp2_nv line;
    int flags = 0;
    const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &line, &flags, at, left, 1);
    if (used < 0) return fields;
    at += used;
    left -= static_cast<std::size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      fields.emplace_back(std::string(reinterpret_cast<char*>(line.name), line.namelen),
                          std::string(reinterpret_cast<char*>(line.value), line.valuelen));
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
  }
  nghttp2_hd_inflate_end_headers(inflater_);
  return fields;
}

H2Reply H2Client::receive(std::uint32_t stream) {
  while (!closed_ && !streams_[stream].whole && streams_[stream].reset < 0) read();
  H2Reply reply = streams_[stream];
  reply.goaway = goaway_;
  reply.closed = closed_;
  return reply;
}

H2Reply H2Client::post(std::string_view path, std::string_view body, const Fields& more) {
  const std::uint32_t stream = start(request("POST", path, more), false);
  constexpr std::size_t kFrame = 16384;
  for (; body.size() > kFrame; body.remove_prefix(kFrame)) data(stream, body.substr(0, kFrame));
  data(stream, body, true);
  return receive(stream);
}

int H2Client::goaway() {
  while (!closed_ && goaway_ < 0) read();
  return goaway_;
}

bool H2Client::ended() {
  while (!closed_) read();
  return wire_.end() == End::closed || wire_.end() == End::reset;
}

bool H2Client::ping() {
  const int before = pongs_;
  if (!frame(h2::kPing, 0, 0, "12345678")) return false;
  while (!closed_ && pongs_ == before) read();
  return pongs_ > before;
}

}  // namespace spillway::test
