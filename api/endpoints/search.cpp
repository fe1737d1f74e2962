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
  Answer answer = co_await context.services.repository.search(request.caller, input.value.words, input.value.limit);
  if (answer.trouble != Trouble::none) {
    answer_trouble(request, response, answer.trouble);
    co_return;
  }
  text::JsonWriter json(response.body);
  json.begin_object();
  write_summaries(json, answer, answer.rows.rows());
  json.member("total", Repository::search_total(answer)).end_object();
}

}  // namespace api::endpoints
