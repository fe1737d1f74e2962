#include "tests/unit/http1/rows.hpp"

#include <algorithm>
#include <functional>
#include <regex>

#include <doctest/doctest.h>

#include "proxy/http1/head_scanner.hpp"
#include "proxy/http1/parse.hpp"

namespace spillway::http::rows {

namespace {

using Judge = std::function<Outcome(std::string_view arrived, HeadScanner& scanner)>;

/// Checks that a written head fits a strict grammar without any option.
const std::regex& written_request() {
  static const std::regex grammar(
      "[!#$%&'*+.^_`|~0-9A-Za-z-]+ (/[!-\"$-~]*|\\*) HTTP/1\\.1\r\n"
      "Host: [0-9A-Za-z._~:\\[\\]-]+\r\n"
      "([!#$%&'*+.^_`|~0-9A-Za-z-]+: ([!-~\\x80-\\xff]([\\t -~\\x80-\\xff]*[!-~\\x80-\\xff])?)?\r\n)*\r\n",
      std::regex::optimize);
  return grammar;
}
const std::regex& written_response() {
  static const std::regex grammar(
      "HTTP/1\\.1 [1-5][0-9][0-9] [\\t -~\\x80-\\xff]*\r\n"
      "([!#$%&'*+.^_`|~0-9A-Za-z-]+: ([!-~\\x80-\\xff]([\\t -~\\x80-\\xff]*[!-~\\x80-\\xff])?)?\r\n)*\r\n",
      std::regex::optimize);
  return grammar;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

/// Fields that a written head must not have twice, or at all.
void check_written(const std::string& written, bool request, bool upgrade) {
  CHECK(std::regex_match(written, request ? written_request() : written_response()));
  const std::string text = lower(written);
  CHECK(count(text, "\r\nhost:") == (request ? 1 : count(text, "\r\nhost:")));
  CHECK(count(text, "\r\ncontent-length:") + count(text, "\r\ntransfer-encoding:") <= 1);
  CHECK(count(text, "\r\nvia:") == 1);
  for (const char* name : {"keep-alive", "proxy-connection", "proxy-authorization", "te", "trailer", "expect"}) {
    CHECK(count(text, std::string("\r\n") + name + ":") == 0);
  }
  if (request) CHECK(count(text, "\r\nconnection:") == (upgrade ? 1 : 0));
}

/// Fields that must reach the receiver unchanged.
std::vector<std::pair<std::string, std::string>> end_to_end(const std::vector<Field>& fields) {
  std::vector<std::pair<std::string, std::string>> kept;
  for (const Field& field : fields) {
    if (!field.dropped && field.id == FieldName::other) kept.emplace_back(field.name, field.value);
  }
  return kept;
}

void check_same(const RequestHead& sent, const std::string& written, const HeadLimits& limits) {
  HeadLimits roomy = limits;  // the limits do not hold for fields that the proxy adds
  roomy.head += 4096;
  roomy.headers += 16;
  HeadScanner scanner(HeadScanner::Kind::request);
  const auto seen = scanner.scan(written, roomy);
  REQUIRE(seen.complete);
  CHECK(seen.begin == 0);
  CHECK(seen.end == written.size());
  RequestHead again;
  const Violation violation = parse_request(written, roomy, again);
  CAPTURE(violation.rule);
  REQUIRE_FALSE(violation);
  CHECK(again.method == sent.method);
  CHECK(again.path == sent.path);
  CHECK(again.query == sent.query);
  CHECK((again.authority == sent.authority || sent.authority.empty()));
  CHECK(again.framing == sent.framing);
  CHECK(again.content_length == sent.content_length);
  CHECK(again.upgrade_websocket == sent.upgrade_websocket);
  CHECK(end_to_end(again.fields) == end_to_end(sent.fields));
}

std::string framing_fact(Framing framing, std::uint64_t length) {
  switch (framing) {
    case Framing::none:
      return "none";
    case Framing::length:
      return std::to_string(length);
    case Framing::chunked:
      return "chunked";
    case Framing::until_close:
      return "close";
  }
  return {};
}

std::string yes(const char* name, bool value) {
  return std::string("; ") + name + (value ? "=yes" : "=no");
}

std::string facts(const RequestHead& head) {
  std::string text(kFacts);
  text.append("path=").append(head.path).append("; query=").append(head.query);
  text.append("; authority=").append(head.authority);
  text += "; minor=" + std::to_string(head.minor) + "; body=" + framing_fact(head.framing, head.content_length);
  text += yes("reuse", head.keep_alive) + yes("expect", head.expect_continue) + yes("ws", head.upgrade_websocket);
  text += yes("idempotent", head.idempotent) + yes("head", head.head_method);
  text += "; hops=" + (head.max_forwards ? std::to_string(*head.max_forwards) : "none") + ";";
  return text;
}

std::string facts(const ResponseHead& head) {
  std::string text(kFacts);
  text += "status=" + std::to_string(head.status) + "; reason=";
  text.append(head.reason).append("; load=").append(head.load_report);
  text += "; minor=" + std::to_string(head.minor) + "; body=" + framing_fact(head.framing, head.content_length);
  text += yes("reuse", head.keep_alive) + yes("ws", head.upgrade_websocket) + ";";
  return text;
}

Outcome judge_request(std::string_view arrived, HeadScanner& scanner, const HeadLimits& limits,
                      const Forwarding& forwarding, RequestHead& head) {
  const auto seen = scanner.scan(arrived, limits);
  if (seen.violation) return {seen.violation.status, seen.violation.rule, seen.begin, 0, {}};
  if (!seen.complete) return {};
  Outcome outcome{kSound, {}, seen.begin, seen.end, {}};
  const Violation violation = parse_request(arrived.substr(seen.begin, seen.end - seen.begin), limits, head);
  if (violation) return {violation.status, violation.rule, seen.begin, seen.end, {}};
  write_request(head, forwarding, outcome.written);
  outcome.written += facts(head);
  return outcome;
}

Outcome judge_response(std::string_view arrived, HeadScanner& scanner, const Row& row, ResponseHead& head) {
  const auto seen = scanner.scan(arrived, row.limits);
  if (seen.violation) return {seen.violation.status, seen.violation.rule, seen.begin, 0, {}};
  if (!seen.complete) return {};
  Outcome outcome{kSound, {}, seen.begin, seen.end, {}};
  const auto text = arrived.substr(seen.begin, seen.end - seen.begin);
  if (const Violation violation = parse_response(text, row.to_head, head)) {
    return {violation.status, violation.rule, seen.begin, seen.end, {}};
  }
  Delivery delivery;
  delivery.framing = delivery_framing(head, 1);
  write_response(head, delivery, outcome.written);
  outcome.written += facts(head);
  return outcome;
}

/// The bytes arrive in the given pieces. Returns the first verdict.
Outcome arrive(std::string_view bytes, const std::vector<std::size_t>& ends, HeadScanner::Kind kind,
               const Judge& judge) {
  HeadScanner scanner(kind);
  Outcome outcome;
  for (const std::size_t end : ends) {
    outcome = judge(bytes.substr(0, end), scanner);
    if (outcome.verdict != kUnfinished) break;
  }
  return outcome;
}

/// Runs the row with every way to cut it. Returns the verdict on the uncut one.
Outcome arrive_in_all_ways(const Row& row, HeadScanner::Kind kind, const Judge& judge) {
  const std::size_t size = row.bytes.size();
  const Outcome whole = arrive(row.bytes, {size}, kind, judge);
  std::size_t different = 0;
  std::vector<std::size_t> every;
  for (std::size_t at = 1; at <= size; ++at) {
    every.push_back(at);
    if (arrive(row.bytes, {at, size}, kind, judge) != whole) ++different;
  }
  CHECK_MESSAGE(different == 0, "verdict changes with the place of a split");
  CHECK_MESSAGE(arrive(row.bytes, every, kind, judge) == whole, "verdict changes byte by byte");
  return whole;
}

void check_row(const Row& row, const Outcome& outcome) {
  CHECK(outcome.verdict == row.verdict);
  if (!row.has.empty()) CHECK_MESSAGE(outcome.written.find(row.has) != std::string::npos, outcome.written);
  if (!row.lacks.empty()) {
    CHECK_MESSAGE(lower(outcome.written).find(lower(row.lacks)) == std::string::npos, outcome.written);
  }
}

}  // namespace

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  return text;
}

std::string times(std::size_t count, std::string_view text) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

const Forwarding& plain_forwarding() {
  static const Forwarding forwarding = [] {
    Forwarding f;
    f.client_address = "192.0.2.7";
    f.request_id = "id-1";
    return f;
  }();
  return forwarding;
}

Outcome request_outcome(std::string_view bytes, const Forwarding& forwarding) {
  HeadScanner scanner(HeadScanner::Kind::request);
  RequestHead head;
  return judge_request(bytes, scanner, {}, forwarding, head);
}

void run_requests(const std::vector<Row>& table) {
  for (const Row& row : table) {
    CAPTURE(row.rule);
    CAPTURE(row.bytes.substr(0, 400));
    RequestHead head;
    const Outcome whole =
        arrive_in_all_ways(row, HeadScanner::Kind::request, [&](std::string_view arrived, HeadScanner& scanner) {
          return judge_request(arrived, scanner, row.limits, plain_forwarding(), head);
        });
    CAPTURE(whole.rule);
    check_row(row, whole);
    if (whole.verdict != kSound) continue;
    const std::string written = whole.written.substr(0, whole.written.find(kFacts));
    check_written(written, true, head.upgrade_websocket);
    check_same(head, written, row.limits);
  }
}

void run_responses(const std::vector<Row>& table) {
  for (const Row& row : table) {
    CAPTURE(row.rule);
    CAPTURE(row.bytes.substr(0, 400));
    ResponseHead head;
    const Outcome whole = arrive_in_all_ways(
        row, HeadScanner::Kind::response,
        [&](std::string_view arrived, HeadScanner& scanner) { return judge_response(arrived, scanner, row, head); });
    CAPTURE(whole.rule);
    check_row(row, whole);
    if (whole.verdict != kSound) continue;
    check_written(whole.written.substr(0, whole.written.find(kFacts)), false, head.upgrade_websocket);
  }
}

}  // namespace spillway::http::rows
