#include <algorithm>

#include "api/endpoints/brown_out.hpp"
#include "api/endpoints/endpoints.hpp"
#include "api/endpoints/input.hpp"
#include "api/endpoints/problem.hpp"
#include "api/endpoints/scholarship_json.hpp"

namespace api::endpoints {

net::Task<> scholarships(Context& context, Request& request, Response& response) {
  Input<ListFilter> input = parse_list(request.query);
  if (!input.ok()) {
    answer_faults(request, response, 400, input.errors);
    co_return;
  }
  const bool degraded = request.pressure >= context.services.degrade_from;
  if (degraded) input.value.limit = std::min(input.value.limit, kDegradedLimit);
  // Ask for one more than is shown: it tells whether there is a next page.
  const int limit = input.value.limit++;
  QueryReply reply = co_await context.services.repository.scholarships(request.caller, input.value);
  if (reply.error != DbError::none) {
    answer_db_error(request, response, reply.error);
    co_return;
  }
  const int shown = std::min(reply.rows.rows(), limit);
  text::JsonWriter json(response.body);
  json.begin_object();
  write_summaries(json, reply, shown);
  json.key("next_cursor");
  if (reply.rows.rows() > limit) {
    json.value(std::to_string(Repository::summary(reply, shown - 1).id));
  } else {
    json.null();
  }
  if (degraded) mark_degraded(json, response);
  json.end_object();
  response.validated = !degraded;
}

net::Task<> scholarship(Context& context, Request& request, Response& response) {
  const Input<std::int64_t> id = parse_id(request.id);
  if (!id.ok()) {
    answer_faults(request, response, 400, id.errors);
    co_return;
  }
  QueryReply reply = co_await context.services.repository.scholarship(request.caller, id.value);
  if (reply.error != DbError::none) {
    answer_db_error(request, response, reply.error);
    co_return;
  }
  if (reply.rows.rows() == 0) {
    answer_no_scholarship(request, response);
    co_return;
  }
  const Details details = Repository::details(reply, 0);
  text::JsonWriter json(response.body);
  json.begin_object();
  write_summary(json, details.summary);
  write_names(json, "residencies", details.summary.requirements.residencies);
  write_names(json, "education_levels", details.summary.requirements.education_levels);
  json.member("description", details.description).end_object();
  response.validated = true;
}

}  // namespace api::endpoints
