#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/http/field_name.hpp"
#include "proxy/http/head_limits.hpp"
#include "proxy/text/octets.hpp"

namespace spillway::http {

/// The rule that a message breaks: the status to answer with, and the rule in words.
/// For a response of the API the status is 502 or 504. Empty (`status == 0`): the message is valid.
struct Violation {
  int status = 0;
  const char* rule = "";
  explicit operator bool() const { return status != 0; }
};

/// How the end of a body is found (RFC 9112, section 6.3).
enum class Framing : std::uint8_t { none, length, chunked, until_close };

static_assert(static_cast<unsigned>(FieldName::x_request_timeout) < 32, "`known` below has a bit for each name");

struct Field {
  std::string_view name;
  std::string_view value;           ///< without white space around it
  FieldName id = FieldName::other;  ///< set by the check
  bool dropped = false;  ///< not forwarded: hop-by-hop, named by `Connection`, or always written by the proxy
};

/// A parsed and checked request head. Every view points into the bytes that it was parsed from, or to a literal.
/// Reused for the next request: `parse_request` clears it and keeps the capacity of `fields`.
struct RequestHead {
  std::string_view method;
  /// Origin-form or `*`; an absolute-form target is reduced to its origin-form. If that has a query but no path
  /// (`http://host?query`), `target` begins with `?`; `path` is `/`, and a writer adds the `/`.
  std::string_view target;
  std::string_view path;       ///< `target` up to the first `?`
  std::string_view query;      ///< after the first `?`, empty without one
  std::string_view authority;  ///< of `Host`, or of an absolute-form target; no colon without a port
  int minor = 1;               ///< HTTP/1.`minor`
  bool http2 = false;          ///< it came over HTTP/2; otherwise it is what HTTP/1.1 would have sent
  std::vector<Field> fields;   ///< all fields in order, as sent
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;  ///< meaningful when `framing == Framing::length`
  bool keep_alive = true;            ///< the client asks for it, by its version or `Connection`
  bool expect_continue = false;
  bool upgrade_websocket = false;  ///< `Upgrade: websocket`, named by `Connection`, on a GET of 1.1
  bool idempotent = false;         ///< GET, HEAD, OPTIONS, PUT, DELETE (RFC 9110, section 9.2.2)
  bool head_method = false;        ///< HEAD: the response has no body, whatever its fields say
  /// `Max-Forwards` of an OPTIONS request: 0 means that the proxy answers it itself (RFC 9110, section 7.6.2).
  std::optional<int> max_forwards;
  std::uint32_t known = 0;  ///< bit `1 << FieldName` for each known field that is not dropped

  bool has(FieldName name) const { return (known >> static_cast<unsigned>(name) & 1u) != 0; }
  /// Value of the first field of this name (given in lower case), empty if absent.
  std::string_view field(std::string_view lower_case_name) const;
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  int minor = 1;
  std::vector<Field> fields;
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;
  bool announces_length = false;   ///< no body (HEAD, 304), but `content_length` is to be forwarded
  bool upgrade_websocket = false;  ///< 101 that switches to websocket
  bool keep_alive = true;          ///< the connection to the API may be reused after this response
  std::string_view load_report;    ///< value of `Endpoint-Load-Metrics`, empty without one

  std::uint32_t known = 0;  ///< as in RequestHead

  bool has(FieldName name) const { return (known >> static_cast<unsigned>(name) & 1u) != 0; }
  bool informational() const { return status >= 100 && status < 200; }
  std::string_view field(std::string_view lower_case_name) const;
};

/// `c`, in lower case if it is an ASCII letter.
constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

using text::equals_lower;
bool equals_ignoring_case(std::string_view left, std::string_view right);

}  // namespace spillway::http
