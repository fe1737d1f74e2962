#include "proxy/http1/writer.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>

#include "proxy/http/grammar.hpp"

namespace spillway::http {

namespace {

/// More than all fixed texts and numbers that one head can get: names, punctuation, lengths, versions.
constexpr std::size_t kFixedBytes = 512;
/// A trace id stands here in a traceparent: 2 digits of version, a dash, 32 digits.
constexpr std::size_t kTraceIdAt = 3;
constexpr std::size_t kTraceIdSize = 32;

/// Appends to a string whose growth is paid once: the caller says the most bytes it will put.
class Appender {
 public:
  Appender(std::string& out, std::size_t most) : out_(out) {
    const std::size_t before = out.size();
    out.resize(before + most);
    at_ = out.data() + before;
  }
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;
  ~Appender() {
    assert(at_ <= out_.data() + out_.size());
    out_.resize(static_cast<std::size_t>(at_ - out_.data()));
  }

  void put(std::string_view text) { at_ = std::copy(text.begin(), text.end(), at_); }
  /// A literal, whose length the compiler knows.
  template <std::size_t kSize>
  void put(const char (&text)[kSize]) {
    std::memcpy(at_, text, kSize - 1);
    at_ += kSize - 1;
  }
  template <class... Part>
  void put(const Part&... parts) requires(sizeof...(Part) > 1) {
    (put(parts), ...);
  }
  void put_number(std::uint64_t value, int base = 10) { at_ = std::to_chars(at_, at_ + 20, value, base).ptr; }
  template <class Name>
  void field(const Name& name, std::string_view value) {
    put(name, ": ", value, "\r\n");
  }
  template <class Name>
  void number_field(const Name& name, std::uint64_t value) {
    put(name, ": ");
    put_number(value);
    put("\r\n");
  }

 private:
  std::string& out_;
  char* at_;
};

std::size_t size_of(const std::vector<Field>& fields) {
  std::size_t total = 0;
  for (const Field& field : fields) total += field.name.size() + field.value.size() + 4;
  return total;
}

/// Writes the values of the fields called `id`, each with a comma behind: what the caller writes next joins them on
/// one line, since many readers look at one line only.
template <class Head>
void put_earlier(Appender& to, const Head& head, FieldName id) {
  if (!head.has(id)) return;
  for (const Field& field : head.fields) {
    if (field.id == id && !field.dropped && !field.value.empty()) to.put(field.value, ", ");
  }
}

template <class Head>
void put_via(Appender& to, const Head& head) {
  to.put("Via: ");
  put_earlier(to, head, FieldName::via);
  if (head.minor == 0) {
    to.put("1.0 spillway\r\n");
  } else {
    to.put("1.1 spillway\r\n");
  }
}

bool same_trace(std::string_view one, std::string_view other) {
  return one.size() > kTraceIdAt + kTraceIdSize && other.size() > kTraceIdAt + kTraceIdSize &&
         equals_ignoring_case(one.substr(kTraceIdAt, kTraceIdSize), other.substr(kTraceIdAt, kTraceIdSize));
}

/// Whether a field that is not dropped goes to the API as the client sent it.
bool passes(const Field& field, const RequestHead& head, const Forwarding& forwarding) {
  switch (field.id) {
    case FieldName::via:
      return false;  // written with ours behind
    case FieldName::x_forwarded_for:
      return forwarding.trusted_peer && forwarding.client_address.empty();
    case FieldName::x_forwarded_host:
    case FieldName::x_forwarded_proto:
      return forwarding.trusted_peer;
    case FieldName::forwarded:
      return forwarding.trusted_peer && !forwarding.emit_forwarded;
    case FieldName::x_request_timeout:
      return !forwarding.time_left;
    case FieldName::tracestate:
      return same_trace(head.field("traceparent"), forwarding.traceparent);
    case FieldName::max_forwards:
      return !head.max_forwards;
    default:
      return true;
  }
}

/// The X-Forwarded fields, and `Forwarded` (RFC 7239; its section 6 wants v6 in brackets and quoted).
void put_forwarding(Appender& to, const RequestHead& head, const Forwarding& forwarding) {
  const std::string_view address = forwarding.client_address;
  const bool trusted = forwarding.trusted_peer;
  if (!address.empty()) {
    to.put("X-Forwarded-For: ");
    if (trusted) put_earlier(to, head, FieldName::x_forwarded_for);
    to.put(address, "\r\n");
  }
  if (!(trusted && head.has(FieldName::x_forwarded_proto))) to.field("X-Forwarded-Proto", forwarding.scheme);
  if (!(trusted && head.has(FieldName::x_forwarded_host)) && !head.authority.empty()) {
    to.field("X-Forwarded-Host", head.authority);
  }
  if (!forwarding.emit_forwarded) return;
  to.put("Forwarded: ");
  if (trusted) put_earlier(to, head, FieldName::forwarded);
  if (address.find(':') != std::string_view::npos) {
    to.put("for=\"[", address, "]\"");
  } else {
    to.put("for=", address.empty() ? "unknown" : address);
  }
  if (!head.authority.empty()) to.put(";host=\"", head.authority, "\"");
  to.put(";proto=", forwarding.scheme, "\r\n");
}

}  // namespace

void write_request(const RequestHead& head, const Forwarding& forwarding, std::string& out) {
  const std::string_view host = head.authority.empty() ? forwarding.default_authority : head.authority;
  Appender to(out, kFixedBytes + head.method.size() + head.target.size() + size_of(head.fields) + 3 * host.size() +
                       2 * (forwarding.client_address.size() + forwarding.scheme.size()) +
                       forwarding.request_id.size() + forwarding.traceparent.size());
  to.put(head.method, " ");
  if (head.target.front() == '?') to.put("/");
  to.put(head.target, " HTTP/1.1\r\nHost: ", host, "\r\n");
  for (const Field& field : head.fields) {
    if (field.dropped) continue;
    if (field.id == FieldName::other || passes(field, head, forwarding)) to.field(field.name, field.value);
  }
  if (head.framing == Framing::length) to.number_field("Content-Length", head.content_length);
  if (head.framing == Framing::chunked) to.put("Transfer-Encoding: chunked\r\n");
  if (head.upgrade_websocket) to.put("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  if (head.max_forwards) {
    to.number_field("Max-Forwards", static_cast<std::uint64_t>(std::max(*head.max_forwards - 1, 0)));
  }
  put_via(to, head);
  put_forwarding(to, head, forwarding);
  if (!forwarding.request_id.empty()) to.field("X-Request-ID", forwarding.request_id);
  if (!forwarding.traceparent.empty()) to.field("traceparent", forwarding.traceparent);
  if (forwarding.time_left) {
    const auto left = std::max<std::chrono::milliseconds::rep>(forwarding.time_left->count(), 0);
    to.number_field("X-Request-Timeout", static_cast<std::uint64_t>(left));
  }
  to.put("\r\n");
}

void write_response(const ResponseHead& head, const Delivery& delivery, std::string& out) {
  Appender to(out, kFixedBytes + head.reason.size() + size_of(head.fields) + delivery.request_id.size());
  to.put("HTTP/1.1 ");
  to.put_number(static_cast<std::uint64_t>(head.status));
  to.put(" ", head.reason, "\r\n");
  for (const Field& field : head.fields) {
    if (field.dropped || field.id == FieldName::via) continue;
    if (field.id == FieldName::x_request_id && !delivery.request_id.empty()) continue;
    to.field(field.name, field.value);
  }
  if (!delivery.made_here) put_via(to, head);
  if (!delivery.request_id.empty()) to.field("X-Request-ID", delivery.request_id);
  if (head.upgrade_websocket) {
    to.put("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  } else if (!head.informational()) {
    if (delivery.framing == Framing::chunked) to.put("Transfer-Encoding: chunked\r\n");
    if (delivery.framing == Framing::length || (delivery.framing == Framing::none && head.announces_length)) {
      to.number_field("Content-Length", head.content_length);
    }
    if (!delivery.keep_alive || delivery.framing == Framing::until_close) {
      to.put("Connection: close\r\n");
    } else if (delivery.client_minor == 0) {
      to.put("Connection: keep-alive\r\n");
    }
  }
  to.put("\r\n");
}

Framing delivery_framing(const ResponseHead& head, int client_minor) {
  if (head.framing == Framing::none || head.framing == Framing::length) return head.framing;
  return client_minor >= 1 ? Framing::chunked : Framing::until_close;
}

void write_chunk_size(std::size_t size, std::string& out) {
  std::array<char, kChunkSizeMax> text{};
  char* end = std::to_chars(text.data(), text.data() + text.size() - 2, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(text.data(), end);
}

}  // namespace spillway::http
