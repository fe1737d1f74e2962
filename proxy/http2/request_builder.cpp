#include "proxy/http2/request_builder.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/http/check.hpp"
#include "proxy/http/grammar.hpp"
#include "proxy/http/method.hpp"
#include "proxy/http/trailer.hpp"
#include "proxy/text/octets.hpp"

namespace spillway::http2 {

using http::equals_lower;
using http::is_octet;

namespace {

/// What each field counts beside its bytes (RFC 9113, section 6.5.2).
constexpr std::size_t kFieldCost = 32;
/// More memory than that is given back after a request.
constexpr std::size_t kKept = 4 * 1024;
/// Likewise, of fields.
constexpr std::size_t kFieldsKept = 32;
/// The log keeps no more of a text.
constexpr std::size_t kOutlineMax = 1024;

/// What an octet of a name may be. Each one of a head is looked at.
enum FieldOctet : std::uint8_t { kNameByte = 1, kUpper = 2 };
constexpr std::array<std::uint8_t, 256> kFieldOctets = [] {
  std::array<std::uint8_t, 256> table{};
  for (unsigned c = 0; c < table.size(); ++c) {
    unsigned bits = 0;
    if ((http::kOctets[c] & http::kToken) != 0) bits |= kNameByte;
    if (c >= 'A' && c <= 'Z') bits |= kUpper;
    table[c] = static_cast<std::uint8_t>(bits);
  }
  return table;
}();

unsigned field_octet(char c) {
  return kFieldOctets[static_cast<unsigned char>(c)];
}

/// RFC 9113, section 8.2.1, and no control byte at all, as in HTTP/1.1.
const char* check_value(std::string_view value) {
  if (text::has_control(value)) return "control byte in a field value";
  const bool blank = !value.empty() && (http::is_blank(value.front()) || http::is_blank(value.back()));
  return blank ? "white space around a field value" : nullptr;
}

/// Fields of which one is enough to say two things.
const char* check_repeated(const http::RequestHead& head) {
  int hosts = 0;
  int lengths = 0;
  for (const http::Field& field : head.fields) {
    if (field.name == "host") ++hosts;
    if (field.name == "content-length") ++lengths;
  }
  if (hosts > 1) return "more than one Host";
  return lengths > 1 ? "more than one Content-Length" : nullptr;
}

/// The name of a regular field (RFC 9113, section 8.2).
const char* check_name(std::string_view name) {
  unsigned common = kNameByte;
  unsigned any = 0;
  for (const char c : name) {
    common &= field_octet(c);
    any |= field_octet(c);
  }
  if (common == 0 || name.empty()) return "invalid field name";
  return (any & kUpper) != 0 ? "upper case in a field name" : nullptr;
}

/// Fields of an HTTP/1.1 connection (RFC 9113, section 8.2.2).
const char* check_connection_field(std::string_view name, std::string_view value) {
  switch (http::field_name(name)) {
    case http::FieldName::connection:
    case http::FieldName::keep_alive:
    case http::FieldName::proxy_connection:
    case http::FieldName::transfer_encoding:
    case http::FieldName::upgrade:
      return "field of an HTTP/1.1 connection";
    case http::FieldName::te:
      return equals_lower(value, "trailers") ? nullptr : "TE other than trailers";
    default:
      return nullptr;
  }
}

}  // namespace

void RequestBuilder::begin(const http::HeadLimits& limits) {
  limits_ = limits;
  text_.clear();
  fields_.clear();
  cookies_.clear();
  size_ = count_ = 0;
  malformed_ = nullptr;
  pseudos_ = 0;
  regular_seen_ = has_cookies_ = false;
}

void RequestBuilder::fail(const char* rule) {
  if (!malformed_) malformed_ = rule;
}

void RequestBuilder::add(std::string_view name, std::string_view value) {
  size_ += name.size() + value.size() + kFieldCost;
  if (size_ > limits_.head) return;
  if (const char* rule = check_value(value)) return fail(rule);
  if (name.starts_with(':')) return add_pseudo(name, value);
  regular_seen_ = true;
  if (++count_ > static_cast<std::uint64_t>(limits_.headers)) return;
  if (const char* rule = check_name(name)) return fail(rule);
  if (const char* rule = check_connection_field(name, value)) return fail(rule);
  if (name == "cookie") {
    if (has_cookies_) cookies_ += "; ";
    cookies_ += value;
    if (std::exchange(has_cookies_, true)) return;
    value = {};
  }
  fields_.push_back({text_.size(), name.size(), value.size()});
  text_.append(name).append(value);
}

void RequestBuilder::add_pseudo(std::string_view name, std::string_view value) {
  constexpr std::string_view kNames[kPseudos] = {":method", ":scheme", ":authority", ":path", ":protocol"};
  const auto* const found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) return fail("unknown pseudo-field");
  const auto which = static_cast<Pseudo>(found - std::begin(kNames));
  if (regular_seen_) return fail("pseudo-field behind a regular one");
  if (has(which)) return fail("repeated pseudo-field");
  pseudos_ |= 1u << which;
  pseudo_[which] = {text_.size(), 0, value.size()};
  text_.append(value);
}

/// RFC 9113, sections 8.3.1 and 8.5; RFC 8441, section 4.
const char* RequestBuilder::check_pseudo_fields() const {
  if (!has(method)) return "no :method";
  const bool connect = view(pseudo_[method]) == "CONNECT";
  if (has(protocol) && !connect) return ":protocol with a method other than CONNECT";
  if (connect && !has(protocol)) {
    if (!has(authority) || has(scheme) || has(path)) return "malformed CONNECT";
    return nullptr;
  }
  if (!has(scheme)) return "no :scheme";
  // Both with and without TLS: a proxy in front may have ended it. Case means nothing (RFC 3986, section 3.1).
  const std::string_view named = view(pseudo_[scheme]);
  if (!equals_lower(named, "http") && !equals_lower(named, "https")) return ":scheme other than http and https";
  if (!has(path) || view(pseudo_[path]).empty()) return "no :path";
  const std::string_view target = view(pseudo_[path]);
  if (target.front() != '/' && !(target == "*" && view(pseudo_[method]) == "OPTIONS")) {
    return ":path does not begin with a slash";
  }
  const auto fits = [](char c) { return is_octet(c, http::kTargetChar); };
  if (!std::all_of(target.begin(), target.end(), fits)) return "byte that no request target may hold";
  if (!http::is_token(view(pseudo_[method]))) return ":method is not a token";
  return nullptr;
}

/// Makes `:authority` the Host. A Host beside it must say the same (RFC 9113, section 8.3.1).
const char* RequestBuilder::read_host(http::RequestHead& head) {
  if (!has(authority)) return nullptr;
  const std::string_view value = view(pseudo_[authority]);
  for (http::Field& field : head.fields) {
    if (field.name != "host") continue;
    if (!http::equals_ignoring_case(http::without_empty_port(field.value), http::without_empty_port(value))) {
      return ":authority and Host disagree";
    }
    field.value = value;
    return nullptr;  // a second one is found by the check
  }
  head.fields.push_back({"host", value});
  return nullptr;
}

RequestBuilder::Result RequestBuilder::finish(bool end_stream, http::RequestHead& head) {
  std::vector<http::Field> fields = std::move(head.fields);
  fields.clear();
  head = http::RequestHead{};
  head.fields = std::move(fields);
  head.http2 = true;

  if (!malformed_ && size_ > limits_.head) return {{431, "head too large"}};
  if (!malformed_ && count_ > static_cast<std::uint64_t>(limits_.headers)) return {{431, "too many fields"}};
  if (!malformed_) malformed_ = check_pseudo_fields();
  if (malformed_) return {{400, malformed_}, true};

  const std::string_view text = text_;
  for (const Span& span : fields_) {
    head.fields.push_back(
        {text.substr(span.at, span.name_size), text.substr(span.at + span.name_size, span.value_size)});
    if (head.fields.back().name == "cookie") head.fields.back().value = cookies_;
  }
  if (const char* rule = read_host(head)) return {{400, rule}, true};

  head.method = view(pseudo_[method]);
  const bool extended = has(protocol);
  if (head.method == "TRACE" || (head.method == "CONNECT" && !extended)) {
    return {{405, "method that a reverse proxy does not serve"}};
  }
  if (!http::is_served_method(extended ? "GET" : head.method, limits_)) return {{501, "unknown method"}};
  head.target = view(pseudo_[path]);
  if (head.target.size() > limits_.uri) return {{414, "request target too long"}};
  if (!end_stream) head.framing = http::Framing::chunked;  // unless there is a Content-Length
  if (extended) {
    if (!equals_lower(view(pseudo_[protocol]), "websocket")) return {{501, ":protocol other than websocket"}};
    head.method = "GET";
    head.framing = http::Framing::none;  // what follows is the tunnel's
  }
  if (const char* rule = check_repeated(head)) return {{400, rule}, true};
  const http::Violation violation = http::check_request(limits_, head);
  if (violation) return {violation};
  if (extended) {
    if (end_stream || head.framing != http::Framing::none) return {{400, "CONNECT with a body"}, true};
    head.upgrade_websocket = true;
  }
  if (end_stream && head.framing == http::Framing::length && head.content_length > 0) {
    return {{400, "DATA and Content-Length disagree"}, true};
  }
  return {};
}

std::string RequestBuilder::outline() const {
  const auto text = [this](Pseudo which) {
    return has(which) ? view(pseudo_[which]).substr(0, kOutlineMax) : std::string_view();
  };
  std::string all(text(method));
  all.append(" ").append(text(path)).append(" HTTP/2\r\nhost: ").append(text(authority)).append("\r\n");
  return all;
}

void RequestBuilder::release() {
  if (text_.capacity() > kKept) text_ = std::string();
  if (cookies_.capacity() > kKept) cookies_ = std::string();
  if (fields_.capacity() > kFieldsKept) fields_ = std::vector<Span>();
}

const char* check_trailer(std::string_view name, std::string_view value) {
  if (name.starts_with(':')) return "pseudo-field in a trailer";
  if (const char* rule = check_name(name)) return rule;
  if (const char* rule = check_value(value)) return rule;
  return http::trailer_fault(name);
}

}  // namespace spillway::http2
