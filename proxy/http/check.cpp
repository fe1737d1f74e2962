#include "proxy/http/check.hpp"

#include "proxy/http/grammar.hpp"

namespace spillway::http {

namespace {

/// Options that `Connection` may list. Each is compared with all fields, so more would be an attack.
constexpr int kConnectionOptionsMax = 32;
/// 19 digits always fit into 64 bits, and no body is that long.
constexpr std::size_t kLengthDigitsMax = 19;
/// Hops beyond 999 mean a loop.
constexpr std::size_t kHopDigitsMax = 3;

/// What the fields say that frame a message and control its connection, in either direction.
struct Control {
  int lengths = 0;
  int codings = 0;
  int upgrades = 0;
  std::string_view length;
  std::string_view coding;
  std::string_view upgrade;
  bool close = false;
  bool keep_alive = false;
  bool names_upgrade = false;

  void note(const Field& field) {
    if (field.id == FieldName::content_length) {
      ++lengths;
      length = field.value;
    } else if (field.id == FieldName::transfer_encoding) {
      ++codings;
      coding = field.value;
    } else if (field.id == FieldName::upgrade) {
      ++upgrades;
      upgrade = field.value;
    }
  }
  bool to_websocket() const { return names_upgrade && upgrades == 1 && equals_lower(upgrade, "websocket"); }
};

/// Drops the fields that a connection option names.
void drop_named(std::string_view option, std::vector<Field>& fields) {
  for (Field& field : fields) {
    if (equals_ignoring_case(field.name, option)) field.dropped = true;
  }
}

const char* read_connection(std::vector<Field>& fields, Control& control) {
  int options = 0;
  for (const Field& field : fields) {
    if (field.id != FieldName::connection) continue;
    std::string_view list = field.value;
    for (auto option = next_element(list); !option.empty(); option = next_element(list)) {
      if (++options > kConnectionOptionsMax) return "too many connection options";
      if (!is_token(option)) return "connection option is not a token";
      if (equals_lower(option, "close")) {
        control.close = true;
      } else if (equals_lower(option, "keep-alive")) {
        control.keep_alive = true;
      } else if (equals_lower(option, "upgrade")) {
        control.names_upgrade = true;
      } else if (equals_lower(option, "host") || equals_lower(option, "content-length") ||
                 equals_lower(option, "transfer-encoding")) {
        return "Connection names a field that is not hop-by-hop";
      } else {
        drop_named(option, fields);
      }
    }
  }
  return nullptr;
}

/// Finds the framing of a body. Messages that never have a body are the caller's business. `status`: of any violation
/// but 501.
Violation read_framing(const Control& control, int minor, int status, Framing& framing, std::uint64_t& length) {
  if (control.codings > 0) {
    if (control.lengths > 0) return {status, "Content-Length with Transfer-Encoding"};
    if (minor == 0) return {status, "Transfer-Encoding in HTTP/1.0"};
    if (control.codings == 1 && control.coding.empty()) return {status, "empty Transfer-Encoding"};
    if (control.codings > 1 || !equals_lower(control.coding, "chunked")) {
      return {status == 400 ? 501 : status, "transfer coding other than chunked"};
    }
    framing = Framing::chunked;
  } else if (control.lengths > 0) {
    const auto value = parse_decimal(control.length, kLengthDigitsMax);
    if (control.lengths > 1 || !value) return {status, "repeated or malformed Content-Length"};
    framing = Framing::length;
    length = *value;
  }
  return {};
}

bool stays_open(const Control& control, int minor) {
  return !control.close && (minor >= 1 || control.keep_alive);
}

template <class Head>
void note_known(Head& head) {
  for (const Field& field : head.fields) {
    if (!field.dropped) head.known |= 1u << static_cast<unsigned>(field.id);
  }
}

/// With `://`. Both, whatever the connection is: a proxy in front may have ended TLS. 0: neither.
std::size_t scheme_size(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (equals_lower(target.substr(0, scheme.size()), scheme)) return scheme.size();
  }
  return 0;
}

/// Splits the target, and reduces an absolute-form to its origin-form.
const char* read_target(RequestHead& head, std::string_view host) {
  std::string_view& target = head.target;
  head.authority = host;
  if (target.front() != '/' && target != "*") {
    const std::size_t scheme = scheme_size(target);
    if (scheme == 0) return "request target in none of the forms allowed";
    target.remove_prefix(scheme);
    head.authority = target.substr(0, target.find_first_of("/?"));
    target.remove_prefix(head.authority.size());
    if (!is_authority(head.authority)) return "invalid authority in the request target";
    head.authority = without_empty_port(head.authority);
    if (!host.empty() && !equals_ignoring_case(host, head.authority)) return "request target and Host disagree";
    if (target.empty()) target = head.method == "OPTIONS" ? "*" : "/";
  }
  if (target == "*") {
    head.path = target;
    return head.method == "OPTIONS" ? nullptr : "asterisk-form with a method other than OPTIONS";
  }
  const std::size_t mark = target.find('?');
  head.path = mark == 0 ? "/" : target.substr(0, mark);
  if (mark != std::string_view::npos) head.query = target.substr(mark + 1);
  return is_sound_path(head.path) ? nullptr : "path with a backslash or an incomplete percent-encoding";
}

void read_method(RequestHead& head) {
  const std::string_view method = head.method;
  head.head_method = method == "HEAD";
  head.idempotent = method == "GET" || head.head_method || method == "OPTIONS" || method == "PUT" || method == "DELETE";
}

}  // namespace

Violation check_request(const HeadLimits& limits, RequestHead& head) {
  Control control;
  const OctetClass name_class = limits.underscores ? kToken : kNameChar;
  std::string_view host;
  int hosts = 0;
  int hop_limits = 0;
  std::string_view hop_limit;
  bool connection = false;
  bool expects = false;
  bool expects_other = false;
  for (Field& field : head.fields) {
    if (field.name.empty() || (common_classes(field.name) & name_class) == 0) return {400, "invalid field name"};
    field.id = field_name(field.name);
    switch (field.id) {
      case FieldName::other:
        continue;
      case FieldName::connection:
        connection = true;
        break;
      case FieldName::host:
        ++hosts;
        host = field.value;
        field.dropped = true;
        break;
      case FieldName::expect:
        (equals_lower(field.value, "100-continue") ? expects : expects_other) = true;
        field.dropped = true;
        break;
      case FieldName::max_forwards:
        ++hop_limits;
        hop_limit = field.value;
        break;
      case FieldName::content_length:
      case FieldName::x_request_id:
      case FieldName::traceparent:
        field.dropped = true;
        break;
      default:
        break;
    }
    control.note(field);
    if (is_hop_by_hop(field.id)) field.dropped = true;
  }

  if (hosts > 1) return {400, "more than one Host"};
  if (hosts == 0 && head.minor >= 1) return {400, "no Host"};
  if (hosts == 1 && !is_authority(host)) return {400, "invalid Host"};
  host = without_empty_port(host);
  if (const char* rule = read_target(head, host)) return {400, rule};
  if (connection) {
    if (const char* rule = read_connection(head.fields, control)) return {400, rule};
  }
  if (auto violation = read_framing(control, head.minor, 400, head.framing, head.content_length)) return violation;

  read_method(head);
  head.keep_alive = stays_open(control, head.minor);
  // In HTTP/1.0 an expectation is to be ignored, and without a body there is nothing to wait for.
  if (head.minor >= 1 && expects_other) return {417, "expectation other than 100-continue"};
  const bool has_body = head.framing == Framing::chunked || head.content_length > 0;
  head.expect_continue = head.minor >= 1 && expects && has_body;
  head.upgrade_websocket =
      head.minor >= 1 && head.method == "GET" && head.framing == Framing::none && control.to_websocket();
  if (hop_limits > 0 && head.method == "OPTIONS") {
    const auto hops = parse_decimal(hop_limit, kHopDigitsMax);
    if (hop_limits > 1 || !hops) return {400, "repeated or malformed Max-Forwards"};
    head.max_forwards = static_cast<int>(*hops);
  }
  note_known(head);
  return {};
}

Violation check_response(bool to_head, ResponseHead& head) {
  constexpr int kBad = 502;
  Control control;
  bool connection = false;
  for (Field& field : head.fields) {
    if (!is_token(field.name)) return {kBad, "invalid field name"};
    field.id = field_name(field.name);
    if (field.id == FieldName::other) continue;
    control.note(field);
    connection = connection || field.id == FieldName::connection;
    if (field.id == FieldName::endpoint_load_metrics && head.load_report.empty()) head.load_report = field.value;
    field.dropped = is_hop_by_hop(field.id) || field.id == FieldName::content_length ||
                    field.id == FieldName::endpoint_load_metrics;
  }
  if (connection) {
    if (const char* rule = read_connection(head.fields, control)) return {kBad, rule};
  }
  Framing announced = Framing::until_close;
  if (auto violation = read_framing(control, head.minor, kBad, announced, head.content_length)) return violation;

  const bool no_length = head.informational() || head.status == 204;
  if (no_length || to_head || head.status == 304) {
    head.framing = Framing::none;
    head.announces_length = !no_length && announced == Framing::length;
  } else {
    head.framing = announced;
  }
  if (head.status == 101) {
    head.upgrade_websocket = control.to_websocket();
    if (!head.upgrade_websocket) return {kBad, "switch to a protocol other than websocket"};
  }
  head.keep_alive = stays_open(control, head.minor) && head.framing != Framing::until_close && head.status != 101;
  note_known(head);
  return {};
}

}  // namespace spillway::http
