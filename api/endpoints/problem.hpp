#pragma once

#include <string_view>

#include "api/db/repository.hpp"
#include "api/endpoints/http.hpp"
#include "api/endpoints/input.hpp"

/// Everything that is not the answer hoped for, as application/problem+json (RFC 9457).
namespace api {

void answer_problem(const Request& request, Response& response, int status, std::string_view detail);

/// Faults of what the client sent: `status` with `detail` naming the first field and `errors` listing all.
void answer_faults(const Request& request, Response& response, int status, const FieldErrors& errors);

/// Faults of a body: 400 if it could not be parsed at all, else 422.
template <class T>
void answer_body_faults(const Request& request, Response& response, const Input<T>& input) {
  answer_faults(request, response, input.malformed ? 400 : 422, input.errors);
}

/// There is no scholarship with the id that was asked for: 404.
void answer_no_scholarship(const Request& request, Response& response);

/// Not now: 503 with `Retry-After`.
void answer_unavailable(const Request& request, Response& response, std::string_view detail);

/// The one place that turns a database's failure into an answer. `error` is not `none`.
void answer_db_error(const Request& request, Response& response, DbError error);

}  // namespace api
