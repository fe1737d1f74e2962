#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace spillway::admission {

/// What the API says of itself on a response: the `Endpoint-Load-Metrics` field in its text form (ORCA, as
/// Envoy and gRPC use it). Values as reported; an API may report none of the pool's.
struct LoadReport {
  double application_utilization = 0;  ///< 0 to 1 and beyond
  std::int64_t pool_size = 0;
  std::int64_t pool_overflow = 0;
  std::int64_t pool_checked_in = 0;
  std::int64_t pool_capacity = 0;
  std::int64_t pool_waiters = 0;
  std::uint64_t connection_errors = 0;  ///< counted since the API's start

  std::int64_t pool_in_use() const { return pool_size + pool_overflow - pool_checked_in; }
  bool operator==(const LoadReport&) const = default;
};

/// Longest field value that is looked at; the known names with 20-digit numbers need a third of it.
inline constexpr std::size_t kLoadReportMax = 1024;

/// Largest count of a pool that is believed: more connections than any database has, and sums stay far from overflow.
inline constexpr std::int64_t kPoolCountMax = 1'000'000'000;

/// Reads `TEXT name=value,…`. Unknown names are skipped; a malformed pair, a pool count that is negative, no
/// integer or beyond `kPoolCountMax`, or another format than TEXT gives nothing: a report is believed whole or not at
/// all.
std::optional<LoadReport> parse_load_report(std::string_view value);

}  // namespace spillway::admission
