#include "proxy/admission/load_report.hpp"

#include <charconv>
#include <cmath>

namespace spillway::admission {

namespace {

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool read_count(std::string_view text, std::int64_t& count) {
  return read_number(text, count) && count >= 0 && count <= kPoolCountMax;
}

bool read_pair(std::string_view name, std::string_view value, LoadReport& report) {
  constexpr std::string_view kNamed = "named_metrics.";
  if (name == "application_utilization") {
    return read_number(value, report.application_utilization) && std::isfinite(report.application_utilization) &&
           report.application_utilization >= 0;
  }
  if (!name.starts_with(kNamed)) return !name.empty();
  name.remove_prefix(kNamed.size());
  if (name == "db_pool_size") return read_count(value, report.pool_size);
  if (name == "db_pool_overflow") return read_count(value, report.pool_overflow);
  if (name == "db_pool_checkedin") return read_count(value, report.pool_checked_in);
  if (name == "db_pool_capacity") return read_count(value, report.pool_capacity);
  if (name == "db_pool_waiters") return read_count(value, report.pool_waiters);
  if (name == "db_connection_errors") return read_number(value, report.connection_errors.emplace());
  if (name == "request_db") {
    if (value != "0" && value != "1") return false;
    report.request_used_database = value == "1";
    return true;
  }
  return !name.empty();
}

}  // namespace

std::optional<LoadReport> parse_load_report(std::string_view value) {
  constexpr std::string_view kFormat = "TEXT ";
  if (value.size() > kLoadReportMax || !value.starts_with(kFormat)) return std::nullopt;
  value.remove_prefix(kFormat.size());
  LoadReport report;
  while (!value.empty()) {
    const std::string_view pair = value.substr(0, value.find(','));
    value.remove_prefix(pair.size() == value.size() ? pair.size() : pair.size() + 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    std::string_view name = pair.substr(0, equals);
    while (name.starts_with(' ')) name.remove_prefix(1);
    if (!read_pair(name, pair.substr(equals + 1), report)) return std::nullopt;
  }
  return report;
}

}  // namespace spillway::admission
