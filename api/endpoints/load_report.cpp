#include "api/endpoints/load_report.hpp"

#include <charconv>
#include <cstdint>

#include "proxy/text/json.hpp"

namespace api {

namespace {

/// From this share of the open connections in use, in percent, /health says `degraded`.
constexpr double kDegradedFrom = 80.0;

double percent(int part, int whole) {
  return whole == 0 ? 0.0 : 100.0 * part / whole;
}

/// Of one, rounded. A division of whole numbers takes a fraction of the time that printing a `double` does.
int hundredths(int part, int whole) {
  return whole == 0 ? 0 : static_cast<int>((std::int64_t{200} * part + whole) / (std::int64_t{2} * whole));
}

/// `name`: with what stands before and behind it.
template <class Number>
void append_metric(std::string& head, std::string_view name, Number number) {
  char digits[24];
  head.append(name);
  head.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
}

}  // namespace

void append_load_report(std::string& head, const db::PoolGauges& gauges, bool needed_database) {
  const int utilization = hundredths(gauges.in_use(), gauges.capacity);
  append_metric(head, "Endpoint-Load-Metrics: TEXT application_utilization=", utilization / 100);
  head += '.';
  head += static_cast<char>('0' + utilization / 10 % 10);
  head += static_cast<char>('0' + utilization % 10);
  append_metric(head, ",named_metrics.db_pool_size=", gauges.size);
  append_metric(head, ",named_metrics.db_pool_overflow=", gauges.overflow);
  append_metric(head, ",named_metrics.db_pool_checkedin=", gauges.checked_in);
  append_metric(head, ",named_metrics.db_pool_capacity=", gauges.capacity);
  append_metric(head, ",named_metrics.db_pool_waiters=", gauges.waiters);
  append_metric(head, ",named_metrics.db_connection_errors=", gauges.connection_errors);
  append_metric(head, ",named_metrics.request_db=", needed_database ? 1 : 0);
  head += "\r\n";
}

void append_health(std::string& body, const db::PoolGauges& gauges) {
  const double utilization = percent(gauges.in_use(), gauges.total());
  const bool healthy = gauges.reachable && utilization < kDegradedFrom;
  text::JsonWriter json(body);
  json.begin_object().member("status", healthy ? "healthy" : "degraded");
  json.key("pool").begin_object();
  json.member("size", gauges.size).member("checked_in", gauges.checked_in).member("overflow", gauges.overflow);
  json.member("total", gauges.total()).member("capacity", gauges.capacity).member("waiters", gauges.waiters);
  json.member("connection_errors", gauges.connection_errors).end_object();
  json.key("utilization_pct").value(utilization, 1);
  json.key("capacity_pct").value(percent(gauges.in_use(), gauges.capacity), 1).end_object();
}

}  // namespace api
