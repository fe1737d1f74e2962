#include "proxy/http1/parse.hpp"

#include <utility>

#include <llhttp.h>

#include "proxy/http/check.hpp"
#include "proxy/http/grammar.hpp"
#include "proxy/http/method.hpp"

static_assert(LLHTTP_STRICT_MODE == 1, "without strict mode llhttp takes a bare CR for the end of a line");

namespace spillway::http {

namespace {

/// What llhttp found, as views into the head.
struct Parsed {
  std::vector<Field>* fields = nullptr;
  std::string_view url;
};

int on_url(llhttp_t* parser, const char* at, std::size_t size) {
  static_cast<Parsed*>(parser->data)->url = {at, size};
  return 0;
}

int on_field(llhttp_t* parser, const char* at, std::size_t size) {
  static_cast<Parsed*>(parser->data)->fields->push_back({{at, size}, {}});
  return 0;
}

int on_value(llhttp_t* parser, const char* at, std::size_t size) {
  static_cast<Parsed*>(parser->data)->fields->back().value = trim({at, size});
  return 0;
}

/// llhttp parses heads only, neither bodies nor upgrades.
int on_headers_complete(llhttp_t*) {
  return HPE_PAUSED;
}

const llhttp_settings_t* settings() {
  static const llhttp_settings_t callbacks = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_url = on_url;
    s.on_header_field = on_field;
    s.on_header_value = on_value;
    s.on_headers_complete = on_headers_complete;
    return s;
  }();
  return &callbacks;
}

/// Parses the whole head. If `method` is given, it replaces the head's own, which `bytes` then lacks. `HPE_OK` if the
/// head is valid to its last byte.
llhttp_errno_t run(llhttp_t& parser, llhttp_type_t type, std::string_view bytes, Parsed& parsed,
                   std::string_view method = {}) {
  llhttp_init(&parser, type, settings());
  parser.data = &parsed;
  llhttp_errno_t error = HPE_OK;
  if (!method.empty()) error = llhttp_execute(&parser, method.data(), method.size());
  if (error == HPE_OK) error = llhttp_execute(&parser, bytes.data(), bytes.size());
  if (error == HPE_OK) return HPE_INVALID_EOF_STATE;  // it expects more, but the scanner has found the end
  return error == HPE_PAUSED ? HPE_OK : error;
}

/// Given to llhttp in place of a method that it does not know. The rest of the head is parsed as usual.
constexpr std::string_view kStandIn = "POST";

/// 0 for `HTTP/1.0`, 1 for `HTTP/1.1`, -1 for another version, -2 for anything else.
int minor_version(std::string_view text) {
  if (text == "HTTP/1.1") return 1;
  if (text == "HTTP/1.0") return 0;
  const bool version = text.size() == 8 && text.substr(0, 5) == "HTTP/" && is_octet(text[5], kDigit) &&
                       text[6] == '.' && is_octet(text[7], kDigit);
  return version ? -1 : -2;
}

}  // namespace

Violation parse_request(std::string_view bytes, const HeadLimits& limits, RequestHead& head) {
  std::vector<Field> fields = std::move(head.fields);
  fields.clear();
  head = RequestHead{};
  head.fields = std::move(fields);

  const std::size_t first = bytes.find(' ');
  const std::size_t second = bytes.find(' ', first + 1);
  const std::size_t line_end = bytes.find('\r');
  if (first == 0 || second >= line_end || second - first < 2) return {400, "request line is not three parts"};
  head.method = bytes.substr(0, first);
  head.target = bytes.substr(first + 1, second - first - 1);
  head.minor = minor_version(bytes.substr(second + 1, line_end - second - 1));
  if (head.minor == -1) return {505, "HTTP version other than 1.0 and 1.1"};
  if (head.minor < 0) return {400, "malformed HTTP version"};
  const bool careful = limits.any_method;  // then also of servers that ignore the case of a method
  if (head.method == "CONNECT" || head.method == "TRACE" ||
      (careful && (equals_lower(head.method, "connect") || equals_lower(head.method, "trace")))) {
    return {405, "method that a reverse proxy does not serve"};
  }

  Parsed parsed{.fields = &head.fields, .url = {}};
  llhttp_t parser;
  llhttp_errno_t error = run(parser, HTTP_REQUEST, bytes, parsed);
  // The version is valid here, so an "invalid constant" of llhttp is a method of RTSP or ICE.
  if (error == HPE_INVALID_METHOD || error == HPE_INVALID_CONSTANT) {
    if (!is_served_method(head.method, limits)) return {501, "unknown method"};
    head.fields.clear();
    error = run(parser, HTTP_REQUEST, bytes.substr(first), parsed, kStandIn);
  }
  if (error != HPE_OK) {
    const int status = error == HPE_INVALID_TRANSFER_ENCODING ? 501 : 400;
    return {status, llhttp_get_error_reason(&parser)};
  }
  if (parsed.url != head.target) return {400, "request target that two parsers read differently"};
  return check_request(limits, head);
}

Violation parse_response(std::string_view bytes, bool to_head, ResponseHead& head) {
  std::vector<Field> fields = std::move(head.fields);
  fields.clear();
  head = ResponseHead{};
  head.fields = std::move(fields);

  constexpr int kBad = 502;
  constexpr std::size_t kStatusAt = 9;   // behind "HTTP/1.1 "
  constexpr std::size_t kReasonAt = 13;  // behind "HTTP/1.1 200 "
  const std::string_view line = bytes.substr(0, bytes.find('\r'));
  head.minor = minor_version(line.substr(0, 8));
  if (head.minor < 0) return {kBad, "HTTP version other than 1.0 and 1.1"};
  if (line.size() < kStatusAt + 3 || line[8] != ' ') return {kBad, "malformed status line"};
  const auto status = parse_decimal(line.substr(kStatusAt, 3), 3);
  // Many servers leave out the space before an empty reason, so accept that.
  if (!status || (line.size() >= kReasonAt && line[kReasonAt - 1] != ' ')) return {kBad, "malformed status line"};
  head.status = static_cast<int>(*status);
  if (head.status < 100 || head.status > 599) return {kBad, "status outside 100 to 599"};
  if (line.size() > kReasonAt) head.reason = line.substr(kReasonAt);

  Parsed parsed{.fields = &head.fields, .url = {}};
  llhttp_t parser;
  if (run(parser, HTTP_RESPONSE, bytes, parsed) != HPE_OK) return {kBad, llhttp_get_error_reason(&parser)};
  return check_response(to_head, head);
}

}  // namespace spillway::http
