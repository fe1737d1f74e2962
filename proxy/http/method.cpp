#include "proxy/http/method.hpp"

#include <algorithm>

#include "proxy/http/message.hpp"

namespace spillway::http {

namespace {

/// Longest method. The longest registered one has 16 letters.
constexpr std::size_t kMethodMax = 32;

constexpr std::string_view kKnown[] = {
    "GET",       "POST",        "HEAD",  "PUT",        "DELETE",     "OPTIONS",   "PATCH",  "CONNECT",  "TRACE",
    "COPY",      "LOCK",        "MKCOL", "MOVE",       "PROPFIND",   "PROPPATCH", "SEARCH", "UNLOCK",   "BIND",
    "REBIND",    "UNBIND",      "ACL",   "REPORT",     "MKACTIVITY", "CHECKOUT",  "MERGE",  "M-SEARCH", "NOTIFY",
    "SUBSCRIBE", "UNSUBSCRIBE", "PURGE", "MKCALENDAR", "LINK",       "UNLINK"};

}  // namespace

bool is_known_method(std::string_view method) {
  return std::find(std::begin(kKnown), std::end(kKnown), method) != std::end(kKnown);
}

bool is_served_method(std::string_view method, const HeadLimits& limits) {
  if (is_known_method(method)) return true;
  if (!limits.any_method || method.size() > kMethodMax) return false;
  return !equals_lower(method, "head") && !equals_lower(method, "connect") && !equals_lower(method, "trace");
}

}  // namespace spillway::http
