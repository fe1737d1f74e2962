#include "api/endpoints/handlers.hpp"

#include <algorithm>
#include <chrono>

#include "api/auth/client_network.hpp"
#include "api/db/eligibility.hpp"
#include "api/endpoints/input.hpp"
#include "api/endpoints/load_report.hpp"
#include "api/endpoints/openapi.hpp"
#include "api/endpoints/problem.hpp"
#include "proxy/text/json.hpp"

namespace api {

namespace {

auth::UnixTime unix_now() {
  return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
}

/// Faults of a body: not even JSON is a matter of syntax, the rest of meaning.
template <class T>
void answer_body_faults(const Request& request, Response& response, const Input<T>& input) {
  answer_faults(request, response, input.malformed ? 400 : 422, input.errors);
}

void write_names(text::JsonWriter& json, std::string_view key, const std::vector<std::string_view>& names) {
  json.key(key).begin_array();
  for (std::string_view name : names) json.value(name);
  json.end_array();
}

/// Members of the open object.
void write_summary(text::JsonWriter& json, const Summary& item) {
  json.member("id", item.id).member("name", item.name).member("provider", item.provider);
  json.member("amount", item.amount).key("deadline").value(to_text(item.requirements.deadline));
  json.key("min_gpa");
  if (item.requirements.min_gpa_hundredths) {
    json.hundredths(*item.requirements.min_gpa_hundredths);
  } else {
    json.null();
  }
  write_names(json, "majors", item.requirements.majors);
}

void write_summaries(text::JsonWriter& json, const Answer& answer, int rows) {
  json.key("items").begin_array();
  for (int row = 0; row < rows; ++row) {
    json.begin_object();
    write_summary(json, Repository::summary(answer, row));
    json.end_object();
  }
  json.end_array();
}

void answer_not_found(const Request& request, Response& response) {
  answer_problem(request, response, 404, "There is no scholarship with this id");
}

}  // namespace

Services::Services(const ApiConfig& config, db::Pool& the_pool)
    : pool(the_pool),
      repository(the_pool),
      tokens(config.auth.secret, std::chrono::duration_cast<std::chrono::seconds>(config.auth.token_ttl).count()),
      passwords(config.auth.hash_threads, config.auth.hash_queue,
                auth::LoginLimit(config.auth.max_failures, config.auth.failure_window)) {}

net::Task<> Handlers::handle(Request& request, Response& response) {
  const Route route = find_route(request.method, request.path);
  if (route.outcome == Route::Outcome::no_such_path) {
    answer_problem(request, response, 404, "There is nothing at this path");
    co_return;
  }
  if (route.outcome == Route::Outcome::no_such_method) {
    answer_problem(request, response, 405, "This path does not take this method");
    response.allow = route.allow;
    co_return;
  }
  if (!route.open) {
    const auth::Claims* claims = bearer(request);
    auth::Standing standing = claims ? users_.standing(*claims, Clock::now()) : auth::Standing::gone;
    if (standing == auth::Standing::unknown) standing = co_await look_up(request, response, *claims);
    if (standing == auth::Standing::unknown) co_return;
    if (standing == auth::Standing::gone) {
      answer_problem(request, response, 401, "A valid bearer token is required: POST /api/v1/auth/login");
      response.authenticate = true;
      co_return;
    }
  }
  switch (route.endpoint) {
    case Endpoint::login:
      co_await login(request, response);
      break;
    case Endpoint::scholarships:
      co_await scholarships(request, response);
      break;
    case Endpoint::scholarship:
      co_await scholarship(request, response, route.id);
      break;
    case Endpoint::search:
      co_await search(request, response);
      break;
    case Endpoint::eligibility:
      co_await eligibility(request, response);
      break;
    case Endpoint::openapi:
      response.body = kOpenApi;
      break;
    case Endpoint::health:
      append_health(response.body, services_.pool.gauges());
      response.no_store = true;
      break;
    case Endpoint::ready:
      ready(request, response);
      break;
  }
}

/// Null: there is no token, or it is not good.
const auth::Claims* Handlers::bearer(const Request& request) {
  constexpr std::string_view kScheme = "bearer ";
  std::string_view value = request.authorization;
  if (value.size() <= kScheme.size()) return nullptr;
  const bool scheme = std::equal(kScheme.begin(), kScheme.end(), value.begin(),
                                 [](char a, char b) { return a == b || (a - 'a' + 'A') == b; });
  value.remove_prefix(kScheme.size());
  return scheme ? tokens_.verify(value, unix_now()) : nullptr;
}

/// Whether the token's user is still there. Unknown: the database did not say, and the trouble is answered.
net::Task<auth::Standing> Handlers::look_up(Request& request, Response& response, auth::Claims claims) {
  Answer answer = co_await services_.repository.user_id(request.caller, claims.subject);
  if (answer.trouble != Trouble::none) {
    answer_trouble(request, response, answer.trouble);
    co_return auth::Standing::unknown;
  }
  const Time now = Clock::now();
  users_.note(claims.subject, Repository::user_id(answer), now);
  co_return users_.standing(claims, now);
}

void Handlers::refuse_login(const Request& request, Response& response, const auth::Outcome& outcome) {
  switch (outcome.verdict) {
    case auth::Verdict::mismatch:
      answer_problem(request, response, 401, "Wrong username or password");
      response.authenticate = true;
      break;
    case auth::Verdict::too_many:
      answer_problem(request, response, 429, "Too many failed logins, please wait");
      response.retry_after = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(outcome.retry_after).count());
      response.reason = "login_limit";
      break;
    case auth::Verdict::busy:
      answer_unavailable(request, response, "Too many logins at the moment, please retry");
      response.reason = "login_queue";
      break;
    case auth::Verdict::interrupted:
      answer_trouble(request, response, Trouble::interrupted);
      break;
    case auth::Verdict::match:
      break;
  }
}

net::Task<> Handlers::login(Request& request, Response& response) {
  const Input<Credentials> input = parse_credentials(request.content_type, request.body);
  if (!input.ok()) {
    answer_body_faults(request, response, input);
    co_return;
  }
  auth::Login login{std::string(input.value.username), auth::client_network(request.client)};
  // Before the database is asked: a storm of logins must not take connections from others.
  auth::Outcome outcome = services_.passwords.foresee(login);
  if (outcome.verdict != auth::Verdict::match) {
    refuse_login(request, response, outcome);
    co_return;
  }
  Answer answer = co_await services_.repository.user(request.caller, input.value.username);
  if (answer.trouble != Trouble::none) {
    answer_trouble(request, response, answer.trouble);
    co_return;
  }
  const bool known = answer.rows.rows() > 0;
  const User user = known ? Repository::user(answer, 0) : User();
  outcome = co_await services_.passwords.verify(executor_, std::move(login), std::string(user.password_hash),
                                                input.value.password, request.caller.interrupt);
  if (outcome.verdict != auth::Verdict::match) {
    refuse_login(request, response, outcome);
    co_return;
  }
  users_.note(input.value.username, user.id, Clock::now());
  response.no_store = true;
  text::JsonWriter json(response.body);
  json.begin_object().key("access_token");
  json.value(services_.tokens.issue(input.value.username, user.id, unix_now()));
  json.member("token_type", "bearer").member("expires_in", services_.tokens.lifetime()).end_object();
}

net::Task<> Handlers::scholarships(Request& request, Response& response) {
  Input<ListFilter> input = parse_list(request.query);
  if (!input.ok()) {
    answer_faults(request, response, 400, input.errors);
    co_return;
  }
  // One more than is shown tells whether there is a next page.
  const int limit = input.value.limit++;
  Answer answer = co_await services_.repository.scholarships(request.caller, input.value);
  if (answer.trouble != Trouble::none) {
    answer_trouble(request, response, answer.trouble);
    co_return;
  }
  const int shown = std::min(answer.rows.rows(), limit);
  text::JsonWriter json(response.body);
  json.begin_object();
  write_summaries(json, answer, shown);
  json.key("next_cursor");
  if (answer.rows.rows() > limit) {
    json.value(std::to_string(Repository::summary(answer, shown - 1).id));
  } else {
    json.null();
  }
  json.end_object();
}

net::Task<> Handlers::scholarship(Request& request, Response& response, std::string_view text) {
  const Input<std::int64_t> id = parse_id(text);
  if (!id.ok()) {
    answer_faults(request, response, 400, id.errors);
    co_return;
  }
  Answer answer = co_await services_.repository.scholarship(request.caller, id.value);
  if (answer.trouble != Trouble::none) {
    answer_trouble(request, response, answer.trouble);
    co_return;
  }
  if (answer.rows.rows() == 0) {
    answer_not_found(request, response);
    co_return;
  }
  const Details details = Repository::details(answer, 0);
  text::JsonWriter json(response.body);
  json.begin_object();
  write_summary(json, details.summary);
  write_names(json, "residencies", details.summary.requirements.residencies);
  write_names(json, "education_levels", details.summary.requirements.education_levels);
  json.member("description", details.description).end_object();
}

net::Task<> Handlers::search(Request& request, Response& response) {
  const Input<Search> input = parse_search(request.query);
  if (!input.ok()) {
    answer_faults(request, response, 400, input.errors);
    co_return;
  }
  Answer answer = co_await services_.repository.search(request.caller, input.value.words, input.value.limit);
  if (answer.trouble != Trouble::none) {
    answer_trouble(request, response, answer.trouble);
    co_return;
  }
  text::JsonWriter json(response.body);
  json.begin_object();
  write_summaries(json, answer, answer.rows.rows());
  json.member("total", Repository::search_total(answer)).end_object();
}

net::Task<> Handlers::eligibility(Request& request, Response& response) {
  const Input<EligibilityCheck> input = parse_eligibility(request.body);
  if (!input.ok()) {
    answer_body_faults(request, response, input);
    co_return;
  }
  Answer answer =
      co_await services_.repository.eligibility(request.caller, input.value.scholarship_id, input.value.profile);
  if (answer.trouble != Trouble::none) {
    answer_trouble(request, response, answer.trouble);
    co_return;
  }
  if (answer.rows.rows() == 0) {
    answer_not_found(request, response);
    co_return;
  }
  const Asked asked = Repository::asked(answer, 0);
  const auto unmet = unmet_requirements(asked.requirements, input.value.profile, asked.listed, today());
  text::JsonWriter json(response.body);
  json.begin_object().member("eligible", unmet.empty());
  json.key("reasons").begin_array();
  for (const std::string& reason : unmet) json.value(std::string_view(reason));
  json.end_array().end_object();
}

void Handlers::ready(Request& request, Response& response) {
  if (!services_.pool.gauges().reachable) {
    answer_unavailable(request, response, "The database cannot be reached");
    return;
  }
  if (!services_.checked) {
    if (const int missing = services_.missing_migration; missing != 0) {
      const std::string why = "Migration " + std::to_string(missing) + " is missing: run scholarship-api migrate";
      return answer_unavailable(request, response, why);
    }
    answer_unavailable(request, response, "The database has not been found fit yet: see the log");
    return;
  }
  response.no_store = true;
  text::JsonWriter(response.body).begin_object().member("status", "ready").end_object();
}

}  // namespace api
