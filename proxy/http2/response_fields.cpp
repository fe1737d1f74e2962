#include "proxy/http2/response_fields.hpp"

#include <charconv>

#include "proxy/http/forwarding.hpp"
#include "proxy/text/octets.hpp"

namespace spillway::http2 {

namespace {
/// More memory than that is given back after a response.
constexpr std::size_t kKept = 4 * 1024;
}  // namespace

void ResponseFields::release() {
  if (memory() <= kKept) return;
  text_ = std::string();
  lines_ = std::vector<Line>();
  size_ = 0;
}

void ResponseFields::begin_field(std::string_view name) {
  lines_.push_back({size_, name.size(), 0});
  make_room(name.size() + text::kBehindCopy);
  text::copy_lower(name, text_.data() + size_);
  size_ += name.size();
}

void ResponseFields::field(std::string_view name, std::string_view value) {
  if (switches_ && http::equals_lower(name, "sec-websocket-accept")) return;  // of HTTP/1.1 alone
  begin_field(name);
  append(value);
  lines_.back().value_size = value.size();
}

void ResponseFields::number_field(std::string_view name, std::uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  field(name, {digits, static_cast<std::size_t>(end - digits)});
}

void ResponseFields::write(const http::ResponseHead& head, std::string_view request_id, bool made_here,
                           std::string_view date) {
  size_ = 0;
  lines_.clear();
  switches_ = head.status == 101;
  number_field(":status", static_cast<std::uint64_t>(switches_ ? 200 : head.status));
  http::put_passed_fields(head, request_id, *this);
  if (!date.empty()) field("date", date);
  if (!made_here) http::put_via(head, *this);
  if (!request_id.empty()) {
    field("x-request-id", request_id);
    lines_.back().changing = true;
  }
  const bool has_length =
      head.framing == http::Framing::length || (head.framing == http::Framing::none && head.announces_length);
  if (!head.informational() && has_length) number_field("content-length", head.content_length);
}

}  // namespace spillway::http2
