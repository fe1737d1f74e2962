#pragma once

#include <string_view>

namespace api {

/// The OpenAPI document, from openapi.json, embedded when the program is built.
extern const std::string_view kOpenApi;
/// A page that shows it to people, from docs.html. It loads nothing but the document.
extern const std::string_view kDocs;
/// Its Content-Security-Policy: that and nothing else.
extern const std::string_view kDocsPolicy;

}  // namespace api
