#include <chrono>

#include <spdlog/spdlog.h>

#include "api/auth/client_network.hpp"
#include "api/endpoints/date.hpp"
#include "api/endpoints/endpoints.hpp"
#include "api/endpoints/input.hpp"
#include "api/endpoints/problem.hpp"
#include "proxy/text/json.hpp"

namespace api::endpoints {

namespace {

/// Seconds. A check takes milliseconds, so a place in the queue is soon free.
constexpr int kRetryAfter = 1;

void refuse(const Request& request, Response& response, const auth::Outcome& outcome) {
  switch (outcome.verdict) {
    case auth::Verdict::mismatch:
      response.login = LoginOutcome::wrong;
      answer_problem(request, response, 401, "Wrong username or password");
      response.authenticate = true;
      break;
    case auth::Verdict::too_many:
      response.login = LoginOutcome::limited;
      answer_problem(request, response, 429, "Too many failed logins, please wait");
      response.retry_after = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(outcome.retry_after).count());
      response.reason = "login_limit";
      break;
    case auth::Verdict::busy:
      response.login = LoginOutcome::busy;
      answer_unavailable(request, response, "Too many logins at the moment, please retry");
      response.reason = "login_queue";
      break;
    case auth::Verdict::crowded:
      // Not 503: the service is able to serve, and a proxy that takes this for overload would keep away those who are.
      response.login = LoginOutcome::busy;
      answer_problem(request, response, 429, "Too many logins of new clients at the moment, please retry");
      response.retry_after = kRetryAfter;
      response.reason = "login_queue";
      break;
    case auth::Verdict::interrupted:
      answer_db_error(request, response, DbError::interrupted);
      break;
    case auth::Verdict::match:
      break;
  }
}

/// Stores the time of the login, and the hash if it was made anew. A failure costs the login nothing: what could not be
/// stored is stored at the next one.
net::Task<> note(Context& context, Request& request, User user, const std::string& new_hash) {
  const QueryReply reply =
      co_await context.services.repository.note_login(request.caller, user.id.id, user.password_hash, new_hash);
  if (reply.error != DbError::none) spdlog::warn("the time of a login could not be stored");
}

}  // namespace

net::Task<> login(Context& context, Request& request, Response& response) {
  const Input<Credentials> input = parse_credentials(request.content_type, request.body);
  if (!input.ok()) {
    answer_body_faults(request, response, input);
    co_return;
  }
  response.user = input.value.username;
  response.login = LoginOutcome::failed;
  auth::Login login{std::string(input.value.username), auth::client_network(request.client)};
  // Before the database is asked: a storm of logins must not take connections from other requests.
  auth::Outcome outcome = context.services.passwords.foresee(login);
  if (outcome.verdict != auth::Verdict::match) {
    refuse(request, response, outcome);
    co_return;
  }
  QueryReply reply = co_await context.services.repository.user(request.caller, input.value.username);
  if (reply.error != DbError::none) {
    answer_db_error(request, response, reply.error);
    co_return;
  }
  const bool known = reply.rows.rows() > 0;
  const User user = known ? Repository::user(reply, 0) : User();
  outcome =
      co_await context.services.passwords.verify(context.executor, std::move(login), std::string(user.password_hash),
                                                 input.value.password, request.caller.interrupt);
  if (outcome.verdict != auth::Verdict::match) {
    refuse(request, response, outcome);
    co_return;
  }
  co_await note(context, request, user, outcome.new_hash);
  context.users.note(input.value.username, user.id.id, user.id.token_generation, Clock::now());
  const auth::Tokens& tokens = context.services.tokens;
  const auth::Claims claims{input.value.username, user.id.id, 0, user.id.token_generation};
  response.login = LoginOutcome::ok;
  response.no_store = true;
  text::JsonWriter json(response.body);
  json.begin_object().member("access_token", tokens.issue(claims, unix_now()));
  json.member("token_type", "bearer").member("expires_in", tokens.lifetime()).end_object();
}

}  // namespace api::endpoints
