#pragma once

#include <string_view>
#include <vector>

#include "api/db/query_try.hpp"
#include "proxy/tracing/http_server_span.hpp"
#include "proxy/tracing/ids.hpp"
#include "proxy/tracing/record.hpp"

namespace api {

/// The trace that a request belongs to, if its spans are recorded.
struct Trace {
  bool recorded = false;
  bool continued = false;         ///< from the caller
  tracing::Traceparent id{};      ///< with the id of the request's span
  tracing::SpanId caller_span{};  ///< if it is continued
};

/// Continues the trace of the caller, and samples it if the caller does. Without one, begins one of which the share
/// `ratio` is sampled. `parent`: the caller's traceparent; empty if it has sent none, or is not believed; a malformed
/// one counts as none.
Trace trace_of(std::string_view parent, double ratio, tracing::IdGenerator& ids);

/// The spans of a request: it, each wait for a connection, each query. Attributes are those of OpenTelemetry for HTTP
/// and for databases; no span has a parameter of a query.
struct RequestSpans final : tracing::Record {
  tracing::HttpServerSpan request;
  tracing::Calendar calendar;
  std::vector<db::QueryTry> tries;
  std::vector<tracing::SpanId> ids;  ///< two for each try: of the wait and of the query

  int spans() const override;
  void write(tracing::SpanWriter& out) const override;
};

}  // namespace api
