#include "tests/fuzz/head_bytes.hpp"

#include "tests/fuzz/require.hpp"

namespace spillway::http::fuzz {

namespace {

/// Byte by byte takes as many scans as bytes: longer heads are only split in two.
constexpr std::size_t kSplitEverywhereMax = 2048;

bool same(const HeadScanner::Result& one, const HeadScanner::Result& other) {
  return one.complete == other.complete && one.begin == other.begin && one.end == other.end &&
         one.violation.status == other.violation.status && std::string_view(one.violation.rule) == other.violation.rule;
}

}  // namespace

HeadScanner::Result scan_in_all_ways(HeadScanner::Kind kind, std::string_view bytes, const HeadLimits& limits,
                                     std::size_t split) {
  const HeadScanner::Result whole = scan(kind, bytes, limits, {bytes.size()});
  if (bytes.empty()) return whole;
  FUZZ_REQUIRE(same(whole, scan(kind, bytes, limits, {split % bytes.size(), bytes.size()})));
  if (bytes.size() <= kSplitEverywhereMax) {
    std::vector<std::size_t> every;
    for (std::size_t end = 1; end <= bytes.size(); ++end) every.push_back(end);
    FUZZ_REQUIRE(same(whole, scan(kind, bytes, limits, every)));
  }
  return whole;
}

std::vector<std::pair<std::string, std::string>> plain_fields(std::string_view head) {
  std::vector<std::pair<std::string, std::string>> fields;
  FUZZ_REQUIRE(head.size() >= 4 && head.substr(head.size() - 4) == "\r\n\r\n");
  head.remove_suffix(2);
  head.remove_prefix(head.find('\n') + 1);
  while (!head.empty()) {
    const std::size_t end = head.find('\n');
    FUZZ_REQUIRE(end != std::string_view::npos && end > 0 && head[end - 1] == '\r');
    const std::string_view line = head.substr(0, end - 1);
    const std::size_t colon = line.find(": ");
    FUZZ_REQUIRE(colon != std::string_view::npos && colon > 0);
    FUZZ_REQUIRE(line.find_first_of(std::string_view("\r\0", 2)) == std::string_view::npos);
    fields.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    head.remove_prefix(end + 1);
  }
  return fields;
}

}  // namespace spillway::http::fuzz
