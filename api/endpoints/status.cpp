#include <string>

#include "api/endpoints/endpoints.hpp"
#include "api/endpoints/load_report.hpp"
#include "api/endpoints/openapi.hpp"
#include "api/endpoints/problem.hpp"
#include "proxy/text/json.hpp"

namespace api::endpoints {

namespace {
/// What only a new version of the program changes.
constexpr std::string_view kUnchanging = "public, max-age=3600";
}  // namespace

net::Task<> health(Context& context, Request&, Response& response) {
  append_health(response.body, context.services.pool.gauges());
  response.no_store = true;
  co_return;
}

net::Task<> ready(Context& context, Request& request, Response& response) {
  if (!context.services.pool.gauges().reachable) {
    answer_unavailable(request, response, "The database cannot be reached");
    co_return;
  }
  if (!context.services.checked) {
    if (const int missing = context.services.missing_migration; missing != 0) {
      const std::string why = "Migration " + std::to_string(missing) + " is missing: run scholarship-api migrate";
      answer_unavailable(request, response, why);
      co_return;
    }
    answer_unavailable(request, response, "The database has not been found fit yet: see the log");
    co_return;
  }
  response.no_store = true;
  text::JsonWriter(response.body).begin_object().member("status", "ready").end_object();
}

net::Task<> metrics(Context& context, Request&, Response& response) {
  const Services& services = context.services;
  const std::uint64_t lost = services.spans ? services.spans->dropped() : 0;
  response.body = services.metrics.text(services.pool.gauges(), services.pool.counts(), lost);
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.no_store = true;
  co_return;
}

net::Task<> docs(Context&, Request&, Response& response) {
  response.body = kDocs;
  response.content_policy = kDocsPolicy;
  response.content_type = "text/html; charset=utf-8";
  response.validated = true;
  response.cache_control = kUnchanging;
  co_return;
}

net::Task<> openapi(Context&, Request&, Response& response) {
  response.body = kOpenApi;
  response.validated = true;
  response.cache_control = kUnchanging;
  co_return;
}

}  // namespace api::endpoints
