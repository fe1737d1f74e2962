#pragma once

#include <string_view>

namespace spillway::classify {

/// Who sends a request with this `Authorization` field: of a bearer token that is a JWT the bytes of its subject (`sub`
/// as written in its JSON), of another bearer token the token. Empty: no bearer token.
/// Nothing is verified: whoever forges a subject is taken for that user here, and refused by the API.
/// `subject` may point into a buffer of the calling thread; it is valid until the next call.
std::string_view bearer_identity(std::string_view authorization);

}  // namespace spillway::classify
