#pragma once

#include <string_view>

#include "api/endpoints/http.hpp"
#include "proxy/text/json.hpp"

/// Brown-out: under overload, lists and searches give cheaper answers, so that more of them can be given.
namespace api {

/// Items of a page under pressure. Half the default page: what most users look at, for less to fetch and write.
inline constexpr int kDegradedLimit = 10;

/// The value of `Spillway-Pressure`, `0.00` to `1.00` with two decimals, in hundredths. 0 for any other text: a client
/// may send anything, and can only make its own answers cheaper.
int parse_pressure(std::string_view text);

/// The pressure in hundredths from which answers are degraded, from the key `degrade_at`. 101, which is never reached,
/// if that is 0.
int degrade_from(double degrade_at);

/// Adds `"degraded": true` to the open object. The answer must not be cached, and the log says that it was cheaper.
void mark_degraded(text::JsonWriter& json, Response& response);

}  // namespace api
