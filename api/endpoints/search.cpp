#include <algorithm>

#include "api/endpoints/brown_out.hpp"
#include "api/endpoints/endpoints.hpp"
#include "api/endpoints/input.hpp"
#include "api/endpoints/problem.hpp"
#include "api/endpoints/scholarship_json.hpp"

namespace api::endpoints {

net::Task<> search(Context& context, Request& request, Response& response) {
  const Input<Search> input = parse_search(request.query);
  if (!input.ok()) {
    answer_faults(request, response, 400, input.errors);
    co_return;
  }
  Repository& repository = context.services.repository;
  const std::string& words = input.value.words;
  const bool degraded = request.pressure >= context.services.degrade_from;
  net::Task<QueryReply> query =
      degraded ? repository.search_cheaply(request.caller, words, std::min(input.value.limit, kDegradedLimit))
               : repository.search(request.caller, words, input.value.limit);
  QueryReply reply = co_await std::move(query);
  if (reply.error != DbError::none) {
    answer_db_error(request, response, reply.error);
    co_return;
  }
  text::JsonWriter json(response.body);
  json.begin_object();
  write_summaries(json, reply, reply.rows.rows());
  if (degraded) {
    mark_degraded(json, response);
  } else {
    json.member("total", Repository::search_total(reply));
  }
  json.end_object();
  response.validated = !degraded;
}

}  // namespace api::endpoints
