// A message that the scanner, the parser and the checks accept is written anew; the result must parse to the same
// message. Input: a byte of options, a byte that says where the head is split, the head.

#include <chrono>
#include <cstdint>
#include <string>

#include "proxy/http1/parse.hpp"
#include "proxy/http1/writer.hpp"
#include "tests/fuzz/head_bytes.hpp"
#include "tests/fuzz/require.hpp"

using namespace spillway::http;

namespace {

Forwarding forwarding_of(unsigned options) {
  Forwarding forwarding;
  forwarding.client_address = (options & 1u) != 0 ? "2001:db8::1" : "192.0.2.7";
  forwarding.trusted_peer = (options & 2u) != 0;
  forwarding.emit_forwarded = (options & 4u) != 0;
  forwarding.request_id = "id-1";
  if ((options & 8u) != 0) forwarding.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  if ((options & 16u) != 0) forwarding.time_left = std::chrono::milliseconds(250);
  return forwarding;
}

/// Fields that a receiver must see as they were sent.
bool end_to_end(const Field& field) {
  return !field.dropped && field.id == FieldName::other;
}

void check_same(const RequestHead& sent, const RequestHead& again) {
  FUZZ_REQUIRE(again.method == sent.method);
  FUZZ_REQUIRE(again.path == sent.path);
  FUZZ_REQUIRE(again.query == sent.query);
  FUZZ_REQUIRE(again.minor == 1);
  FUZZ_REQUIRE(again.authority == (sent.authority.empty() ? Forwarding{}.default_authority : sent.authority));
  FUZZ_REQUIRE(again.framing == sent.framing);
  FUZZ_REQUIRE(again.content_length == sent.content_length);
  FUZZ_REQUIRE(again.upgrade_websocket == sent.upgrade_websocket);
  FUZZ_REQUIRE(again.idempotent == sent.idempotent && again.head_method == sent.head_method);
  FUZZ_REQUIRE(again.keep_alive && !again.expect_continue);
  auto seen = again.fields.begin();
  for (const Field& field : sent.fields) {
    if (!end_to_end(field)) continue;
    while (seen != again.fields.end() && !end_to_end(*seen)) ++seen;
    FUZZ_REQUIRE(seen != again.fields.end() && seen->name == field.name && seen->value == field.value);
    ++seen;
  }
  for (; seen != again.fields.end(); ++seen) FUZZ_REQUIRE(!end_to_end(*seen));
}

/// Compares with a second, much simpler parser: the same lines, one Host, one framing.
void check_written(const RequestHead& again, const std::string& written) {
  const auto lines = fuzz::plain_fields(written);
  FUZZ_REQUIRE(lines.size() == again.fields.size());
  int hosts = 0;
  int framings = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    FUZZ_REQUIRE(lines[i].first == again.fields[i].name && lines[i].second == again.fields[i].value);
    const FieldName id = again.fields[i].id;
    if (id == FieldName::host) ++hosts;
    if (id == FieldName::content_length || id == FieldName::transfer_encoding) ++framings;
  }
  FUZZ_REQUIRE(hosts == 1 && framings <= 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Forwarding forwarding = forwarding_of(data[0]);
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  HeadLimits limits;
  limits.underscores = (data[0] & 32u) != 0;
  if ((data[0] & 64u) != 0) limits = {.head = 200, .uri = 40, .headers = 5};
  limits.any_method = (data[0] & 128u) != 0;
  const auto seen = fuzz::scan_in_all_ways(HeadScanner::Kind::request, bytes, limits, data[1]);
  if (seen.violation) FUZZ_REQUIRE(seen.violation.status >= 400 && !seen.complete);
  if (!seen.complete) return 0;

  RequestHead head;
  const std::string_view text = std::string_view(bytes).substr(seen.begin, seen.end - seen.begin);
  if (const Violation violation = parse_request(text, limits, head)) {
    FUZZ_REQUIRE(violation.status >= 400 && violation.status <= 505);
    return 0;
  }
  std::string written;
  write_request(head, forwarding, written);

  HeadLimits roomy = limits;  // the limits do not hold for fields that the proxy adds
  roomy.head = 2 * written.size();
  roomy.uri = limits.uri + 1;
  roomy.headers += 16;
  const auto seen_again = fuzz::scan(HeadScanner::Kind::request, written, roomy, {written.size()});
  FUZZ_REQUIRE(seen_again.complete && seen_again.begin == 0 && seen_again.end == written.size());
  RequestHead again;
  FUZZ_REQUIRE(!parse_request(written, roomy, again));
  check_same(head, again);
  check_written(again, written);
  return 0;
}
