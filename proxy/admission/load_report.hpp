#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace spillway::admission {

/// The load that the API reports on a response: the `Endpoint-Load-Metrics` field in its text form (ORCA, as Envoy and
/// gRPC use it). Values as reported; those of the database pool may be missing.
struct LoadReport {
  double application_utilization = 0;  ///< 0 to 1 and beyond
  std::int64_t pool_size = 0;
  std::int64_t pool_overflow = 0;
  std::int64_t pool_checked_in = 0;
  std::int64_t pool_capacity = 0;
  std::int64_t pool_waiters = 0;
  std::optional<std::uint64_t> connection_errors = std::nullopt;  ///< since the API's start; not set: not reported
  std::optional<bool> request_used_database = std::nullopt;       ///< whether this request did; not set: not reported
  bool client_error = false;                                      ///< the response that carries it is a 4xx

  std::int64_t pool_in_use() const { return pool_size + pool_overflow - pool_checked_in; }
  bool operator==(const LoadReport&) const = default;
};

/// Longest field value that is read. All known names with 20-digit numbers need a third of it.
inline constexpr std::size_t kLoadReportMax = 1024;

/// Largest plausible count: more connections than any database has, and sums of it cannot overflow.
inline constexpr std::int64_t kPoolCountMax = 1'000'000'000;

/// Reads `TEXT name=value,…`. Unknown names are skipped. Nothing for another format than TEXT, a malformed pair, or a
/// pool count that is negative, not an integer or above `kPoolCountMax`: one wrong value discredits the whole report.
std::optional<LoadReport> parse_load_report(std::string_view value);

}  // namespace spillway::admission
