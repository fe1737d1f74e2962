#include "api/endpoints/load_report.hpp"

#include <charconv>

#include "proxy/text/json.hpp"

namespace api {

namespace {

/// From this share of the open connections in use, in percent, /health says `degraded`.
constexpr double kDegradedFrom = 80.0;

double percent(int part, int whole) {
  return whole == 0 ? 0.0 : 100.0 * part / whole;
}

template <class Number>
void append_metric(std::string& head, std::string_view name, Number number) {
  char digits[24];
  head.append(",named_metrics.").append(name).append("=");
  head.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
}

}  // namespace

void append_load_report(std::string& head, const db::PoolGauges& gauges, bool needed_database) {
  char digits[32];
  const double utilization = percent(gauges.in_use(), gauges.capacity) / 100;
  head += "Endpoint-Load-Metrics: TEXT application_utilization=";
  head.append(digits, std::to_chars(digits, digits + sizeof(digits), utilization, std::chars_format::fixed, 2).ptr);
  append_metric(head, "db_pool_size", gauges.size);
  append_metric(head, "db_pool_overflow", gauges.overflow);
  append_metric(head, "db_pool_checkedin", gauges.checked_in);
  append_metric(head, "db_pool_capacity", gauges.capacity);
  append_metric(head, "db_pool_waiters", gauges.waiters);
  append_metric(head, "db_connection_errors", gauges.connection_errors);
  append_metric(head, "request_db", needed_database ? 1 : 0);
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
