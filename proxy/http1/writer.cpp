#include "proxy/http1/writer.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>

namespace spillway::http {

namespace {

/// Room for all fixed texts and numbers of a head: names, punctuation, lengths, versions.
constexpr std::size_t kFixedBytes = 512;

/// Appends to a string that grows only once: the caller states the most bytes that it will put.
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

  // Called by http/forwarding.hpp, too.
  template <class Name>
  void begin_field(const Name& name) {
    put(name, ": ");
  }
  void end_field() { put("\r\n"); }
  template <class Name>
  void field(const Name& name, std::string_view value) {
    put(name, ": ", value, "\r\n");
  }
  template <class Name, class Number>
  void number_field(const Name& name, Number value) {
    begin_field(name);
    put_number(static_cast<std::uint64_t>(value));
    end_field();
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

}  // namespace

void write_request(const RequestHead& head, const Forwarding& forwarding, std::string& out) {
  const std::string_view host = head.authority.empty() ? forwarding.default_authority : head.authority;
  Appender to(out, kFixedBytes + head.method.size() + head.target.size() + size_of(head.fields) + 3 * host.size() +
                       2 * (forwarding.client_address.size() + forwarding.scheme.size()) +
                       forwarding.request_id.size() + forwarding.traceparent.size() +
                       forwarding.certificate_subject.size() + forwarding.certificate_fingerprint.size());
  to.put(head.method, " ");
  if (head.target.front() == '?') to.put("/");
  to.put(head.target, " HTTP/1.1\r\nHost: ", host, "\r\n");
  put_passed_fields(head, forwarding, to);
  if (head.framing == Framing::length) to.number_field("Content-Length", head.content_length);
  if (head.framing == Framing::chunked) to.put("Transfer-Encoding: chunked\r\n");
  if (head.upgrade_websocket) to.put("Connection: Upgrade\r\nUpgrade: websocket\r\n");
  put_own_fields(head, forwarding, to);
  to.put("\r\n");
}

void write_response(const ResponseHead& head, const Delivery& delivery, std::string& out) {
  Appender to(out, kFixedBytes + head.reason.size() + size_of(head.fields) + delivery.request_id.size());
  to.put("HTTP/1.1 ");
  to.put_number(static_cast<std::uint64_t>(head.status));
  to.put(" ", head.reason, "\r\n");
  put_passed_fields(head, delivery.request_id, to);
  if (!delivery.date.empty()) to.field("Date", delivery.date);
  if (!delivery.made_here) put_via(head, to);
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
