#include "api/server/request_spans.hpp"

#include <algorithm>
#include <charconv>
#include <string>

namespace api {

namespace {

bool shows_wait(const db::QueryTry& each) {
  return each.waited || !each.no_connection.empty();
}

bool was_sent(const db::QueryTry& each) {
  return each.ended != Time{};
}

/// `db.operation.name`: the first word of a statement.
std::string_view operation(const db::Statement& statement) {
  const std::string_view sql = statement.sql;
  return sql.substr(0, sql.find(' '));
}

/// `server`: as `db::Connection::server` writes it, address and port. The path of a socket has no port.
void add_server(tracing::SpanWriter& out, std::string_view server) {
  const std::size_t space = server.rfind(' ');
  out.add("server.address", server.substr(0, space));
  if (space == std::string_view::npos || server.starts_with('/')) return;
  int port = 0;
  std::from_chars(server.data() + space + 1, server.data() + server.size(), port);
  out.add("server.port", port);
}

void write_wait(tracing::SpanWriter& out, const tracing::SpanHead& head, const db::QueryTry& of) {
  out.begin("pool wait", tracing::Kind::internal, head);
  out.add("error.type", of.no_connection);
  out.end(!of.no_connection.empty());
}

void write_query(tracing::SpanWriter& out, const tracing::SpanHead& head, const db::QueryTry& of) {
  std::string summary(operation(*of.statement));
  summary.append(" ").append(of.statement->name);
  out.begin(summary, tracing::Kind::client, head);
  out.add("db.system.name", "postgresql");
  out.add("db.operation.name", operation(*of.statement));
  out.add("db.query.summary", summary);
  add_server(out, of.server);
  out.add("db.response.status_code", of.sqlstate);
  out.add("error.type", of.sqlstate.empty() ? of.failure : std::string_view(of.sqlstate));
  out.end(!of.failure.empty());
}

}  // namespace

Trace trace_of(std::string_view parent, double ratio, tracing::IdGenerator& ids) {
  Trace trace;
  trace.continued = tracing::valid_traceparent(parent);
  trace.recorded = trace.continued ? tracing::sampled(parent) : ids.draw(ratio);
  if (!trace.recorded) return trace;
  if (trace.continued) std::ranges::copy(tracing::span_id(parent), trace.caller_span.begin());
  trace.id = trace.continued ? ids.continue_trace(parent) : ids.start_trace(ids.request_id(), true);
  return trace;
}

int RequestSpans::spans() const {
  const auto waits = std::ranges::count_if(tries, shows_wait);
  const auto queries = std::ranges::count_if(tries, was_sent);
  return static_cast<int>(1 + waits + queries);
}

void RequestSpans::write(tracing::SpanWriter& out) const {
  request.begin(out);
  request.end(out);
  tracing::SpanHead head = request.head;
  head.parent = request.head.id;
  head.has_parent = true;
  auto id = ids.begin();
  for (const db::QueryTry& each : tries) {
    head.id = *id++;
    head.began = calendar.at(each.asked);
    head.ended = calendar.at(each.leased);
    if (shows_wait(each)) write_wait(out, head, each);
    head.id = *id++;
    head.began = calendar.at(each.leased);
    head.ended = calendar.at(each.ended);
    if (was_sent(each)) write_query(out, head, each);
  }
}

}  // namespace api
