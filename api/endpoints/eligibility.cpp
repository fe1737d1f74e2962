#include "api/endpoints/date.hpp"
#include "api/endpoints/eligibility_rules.hpp"
#include "api/endpoints/endpoints.hpp"
#include "api/endpoints/input.hpp"
#include "api/endpoints/problem.hpp"
#include "proxy/text/json.hpp"

namespace api::endpoints {

net::Task<> eligibility(Context& context, Request& request, Response& response) {
  const Input<EligibilityCheck> input = parse_eligibility(request.body);
  if (!input.ok()) {
    answer_body_faults(request, response, input);
    co_return;
  }
  QueryReply reply =
      co_await context.services.repository.eligibility(request.caller, input.value.scholarship_id, input.value.profile);
  if (reply.error != DbError::none) {
    answer_db_error(request, response, reply.error);
    co_return;
  }
  if (reply.rows.rows() == 0) {
    answer_no_scholarship(request, response);
    co_return;
  }
  const Asked asked = Repository::asked(reply, 0);
  const auto unmet = unmet_requirements(asked.requirements, input.value.profile, asked.listed, today());
  text::JsonWriter json(response.body);
  json.begin_object().member("eligible", unmet.empty());
  json.key("reasons").begin_array();
  for (const std::string& reason : unmet) json.value(std::string_view(reason));
  json.end_array().end_object();
}

}  // namespace api::endpoints
