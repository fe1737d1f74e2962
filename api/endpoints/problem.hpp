#pragma once

#include <string_view>

#include "api/db/repository.hpp"
#include "api/endpoints/http.hpp"
#include "api/endpoints/input.hpp"

/// Responses of errors, as application/problem+json (RFC 9457).
namespace api {

void answer_problem(const Request& request, Response& response, int status, std::string_view detail);

/// The input is invalid: `status`. `detail` names the first field, and `errors` lists all.
void answer_faults(const Request& request, Response& response, int status, const FieldErrors& errors);

/// The body is invalid: 400 if it could not be parsed, otherwise 422.
template <class T>
void answer_body_faults(const Request& request, Response& response, const Input<T>& input) {
  answer_faults(request, response, input.malformed ? 400 : 422, input.errors);
}

/// There is no scholarship with the id that was asked for: 404.
void answer_no_scholarship(const Request& request, Response& response);

/// The request cannot be served now: 503 with `Retry-After`.
void answer_unavailable(const Request& request, Response& response, std::string_view detail);

/// The only function that turns an error of the database into a response. `error` is not `none`.
void answer_db_error(const Request& request, Response& response, DbError error);

}  // namespace api
