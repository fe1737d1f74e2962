#include <algorithm>

#include "api/endpoints/date.hpp"
#include "api/endpoints/endpoints.hpp"
#include "api/endpoints/problem.hpp"

namespace api::endpoints {

namespace {

/// Null: the request has no token, or an invalid one.
const auth::Claims* bearer(Context& context, const Request& request) {
  constexpr std::string_view kScheme = "bearer ";
  std::string_view value = request.authorization;
  if (value.size() <= kScheme.size()) return nullptr;
  const bool scheme = std::equal(kScheme.begin(), kScheme.end(), value.begin(),
                                 [](char a, char b) { return a == b || (a - 'a' + 'A') == b; });
  value.remove_prefix(kScheme.size());
  return scheme ? context.tokens.verify(value, unix_now()) : nullptr;
}

/// Asks the database whether the user of the token still exists. Unknown: the query failed, and the request has been
/// answered.
net::Task<auth::Standing> look_up(Context& context, Request& request, Response& response, auth::Claims claims) {
  QueryReply reply = co_await context.services.repository.user_id(request.caller, claims.subject);
  if (reply.error != DbError::none) {
    answer_db_error(request, response, reply.error);
    co_return auth::Standing::unknown;
  }
  const Time now = Clock::now();
  const UserId user = Repository::user_id(reply);
  context.users.note(claims.subject, user.id, user.token_generation, now);
  co_return context.users.standing(claims, now);
}

}  // namespace

net::Task<bool> authenticate(Context& context, Request& request, Response& response) {
  const auth::Claims* claims = bearer(context, request);
  auth::Standing standing = claims ? context.users.standing(*claims, Clock::now()) : auth::Standing::gone;
  if (standing == auth::Standing::unknown) {
    standing = co_await look_up(context, request, response, *claims);
    if (standing == auth::Standing::unknown) co_return false;
  }
  if (standing == auth::Standing::gone) {
    answer_problem(request, response, 401, "A valid bearer token is required: POST /api/v1/auth/login");
    response.authenticate = true;
  }
  co_return standing == auth::Standing::active;
}

}  // namespace api::endpoints
