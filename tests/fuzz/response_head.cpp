// A response head that is accepted is written anew for a client; parsed again, it has the same meaning.
// Input: a byte of options, a byte that says where the head is split, the head.

#include <cstdint>
#include <string>

#include "proxy/http1/parse.hpp"
#include "proxy/http1/writer.hpp"
#include "tests/fuzz/head_bytes.hpp"
#include "tests/fuzz/require.hpp"

using namespace spillway::http;

namespace {

void check_written(const ResponseHead& head, const Delivery& delivery, bool to_head, const std::string& written) {
  HeadLimits roomy;
  roomy.head = 2 * written.size();
  roomy.headers = 200;
  const auto seen = fuzz::scan(HeadScanner::Kind::response, written, roomy, {written.size()});
  FUZZ_REQUIRE(seen.complete && seen.begin == 0 && seen.end == written.size());
  ResponseHead again;
  FUZZ_REQUIRE(!parse_response(written, to_head, again));
  FUZZ_REQUIRE(again.status == head.status && again.reason == head.reason && again.minor == 1);
  FUZZ_REQUIRE(again.framing == delivery.framing);
  FUZZ_REQUIRE(again.announces_length == head.announces_length);
  if (again.framing == Framing::length || again.announces_length) {
    FUZZ_REQUIRE(again.content_length == head.content_length);
  }
  FUZZ_REQUIRE(again.load_report.empty());
  FUZZ_REQUIRE(again.upgrade_websocket == head.upgrade_websocket);
  const auto lines = fuzz::plain_fields(written);
  FUZZ_REQUIRE(lines.size() == again.fields.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    FUZZ_REQUIRE(lines[i].first == again.fields[i].name && lines[i].second == again.fields[i].value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool to_head = (data[0] & 1u) != 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  HeadLimits limits;
  if ((data[0] & 8u) != 0) limits = {.head = 200, .uri = 40, .headers = 5, .underscores = false};
  const auto seen = fuzz::scan_in_all_ways(HeadScanner::Kind::response, bytes, limits, data[1]);
  if (seen.violation) FUZZ_REQUIRE(seen.violation.status == 502 && !seen.complete);
  if (!seen.complete) return 0;
  FUZZ_REQUIRE(seen.begin == 0);

  ResponseHead head;
  if (const Violation violation = parse_response(bytes.substr(0, seen.end), to_head, head)) {
    FUZZ_REQUIRE(violation.status == 502);
    return 0;
  }
  FUZZ_REQUIRE(head.status >= 100 && head.status <= 599);
  if (head.framing == Framing::until_close) FUZZ_REQUIRE(!head.keep_alive);
  const std::string kept = bytes.substr(0, seen.end);
  FUZZ_REQUIRE(!parse_response(kept, to_head, head));

  Delivery delivery;
  delivery.client_minor = (data[0] & 2u) != 0 ? 0 : 1;
  delivery.keep_alive = (data[0] & 4u) != 0;
  delivery.framing = delivery_framing(head, delivery.client_minor);
  delivery.request_id = "id-1";
  std::string written;
  write_response(head, delivery, written);
  check_written(head, delivery, to_head, written);
  return 0;
}
