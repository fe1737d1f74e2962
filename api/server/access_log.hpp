#pragma once

#include <string>
#include <string_view>

#include "api/config/config.hpp"
#include "api/endpoints/http.hpp"
#include "api/server/request_parser.hpp"
#include "proxy/net/clock.hpp"

/// The lines about single requests. Names of fields are those of the proxy's access log. Pure.
namespace api {

/// What a finished request leaves for the log, beside its response.
struct Finished {
  const Message& message;  ///< what was read of it
  std::string_view request_id, client, peer, path;
  std::string_view trace_id = {};  ///< of its spans; empty: the caller's, if it has sent one
  bool sent_body = false;          ///< the body of the response, which HEAD has not
  Duration total{};
  int in_flight = 0, limit = 0;  ///< requests in flight with this one, and how many may be
};

config::Outcome outcome_of(const Response& response);

/// Members of a JSON object, without its brackets.
std::string access_members(const Response& response, const Finished& finished);
/// Of the audit log, about the login that the request was.
std::string login_members(const Response& response, const Finished& finished);
/// Of the audit log, about a change by somebody on this machine: `event` is `user_added` or its like.
std::string change_members(std::string_view event, std::string_view user, std::string_view actor,
                           std::string_view request_id);

}  // namespace api
