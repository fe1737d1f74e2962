#include "api/endpoints/problem.hpp"

#include "proxy/text/json.hpp"
#include "proxy/text/status_phrase.hpp"

namespace api {

namespace {

/// Seconds. The pool retries the database after at most 250 ms, so a client that waits a second can succeed.
constexpr int kRetryAfter = 1;

void begin(text::JsonWriter& json, const Request& request, Response& response, int status, std::string_view detail) {
  response.status = status;
  response.content_type = "application/problem+json";
  response.no_store = true;
  response.body.clear();
  json.begin_object()
      .member("type", "about:blank")
      .member("title", text::status_phrase(status))
      .member("status", status);
  json.member("detail", detail).member("request_id", request.request_id);
}

}  // namespace

void answer_problem(const Request& request, Response& response, int status, std::string_view detail) {
  text::JsonWriter json(response.body);
  begin(json, request, response, status, detail);
  json.end_object();
}

void answer_faults(const Request& request, Response& response, int status, const FieldErrors& errors) {
  const FieldError& first = errors.front();
  text::JsonWriter json(response.body);
  begin(json, request, response, status, first.field.empty() ? first.message : first.field + " " + first.message);
  json.key("errors").begin_array();
  for (const FieldError& error : errors) {
    json.begin_object().member("field", std::string_view(error.field));
    json.member("message", std::string_view(error.message)).end_object();
  }
  json.end_array().end_object();
}

void answer_no_scholarship(const Request& request, Response& response) {
  answer_problem(request, response, 404, "There is no scholarship with this id");
}

void answer_unavailable(const Request& request, Response& response, std::string_view detail) {
  answer_problem(request, response, 503, detail);
  response.retry_after = kRetryAfter;
}

void answer_db_error(const Request& request, Response& response, DbError error) {
  switch (error) {
    case DbError::none:
      return;
    case DbError::pool_timeout:
      response.reason = "pool_timeout";
      return answer_unavailable(request, response, "No database connection became free in time, please retry");
    case DbError::unreachable:
      response.reason = "database_unreachable";
      return answer_unavailable(request, response, "The database cannot be reached, please retry");
    case DbError::lost:
      response.reason = "database_lost";
      return answer_unavailable(request, response, "The connection to the database was lost, please retry");
    case DbError::transient:
      response.reason = "database_busy";
      return answer_unavailable(request, response, "The database cannot answer this at the moment, please retry");
    case DbError::statement_timeout:
      response.reason = "statement_timeout";
      return answer_unavailable(request, response, "The database took too long to answer, please retry");
    case DbError::closing:
      response.reason = "closing";
      return answer_unavailable(request, response, "The service is shutting down, please retry");
    case DbError::no_schema:
      response.reason = "no_schema";
      return answer_unavailable(request, response, "The database has not been set up: run scholarship-api migrate");
    case DbError::interrupted:
      response.reason = "client_gone";
      response.unanswered = true;
      return;
    case DbError::unreadable:
      response.reason = "database_value";
      return answer_problem(request, response, 500, "The database holds what this service cannot answer with");
    case DbError::value:
      response.reason = "database_value_refused";
      return answer_problem(request, response, 400, "The database cannot take a value of this request");
    case DbError::refused:
      response.reason = "database_error";
      return answer_problem(request, response, 500, "The database refused the query");
  }
}

}  // namespace api
