#pragma once

#include <string>
#include <string_view>

/// Conditional requests (RFC 9110, 13.1.2). Pure.
namespace api {

/// The entity tag of a body, with its quotes. Two bodies have the same one with a probability of 2^-64.
std::string entity_tag(std::string_view body);

/// Whether the value of `If-None-Match` is `*` or lists `tag`. Weak tags count, as the field asks for. A malformed list
/// matches nothing from there on.
bool none_match_lists(std::string_view field, std::string_view tag);

}  // namespace api
