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
  QueryReply reply = co_await context.services.repository.search(request.caller, input.value.words, input.value.limit);
  if (reply.error != DbError::none) {
    answer_db_error(request, response, reply.error);
    co_return;
  }
  text::JsonWriter json(response.body);
  json.begin_object();
  write_summaries(json, reply, reply.rows.rows());
  json.member("total", Repository::search_total(reply)).end_object();
}

}  // namespace api::endpoints
