#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/endpoints/http.hpp"
#include "api/server/request_parser.hpp"
#include "config/cidr.hpp"

/// From a parsed message to a request as handlers see it: what Beast leaves open is decided here. No I/O.
namespace api {

/// 0, or the status to refuse a head with that the parser takes but an origin server must not (RFC 9112): 400, 501.
int fault_of_head(const Message& message);

/// Who is at the other end of the connection.
struct Sender {
  std::string_view address;                    ///< `unix` for a unix socket
  bool trusted;                                ///< its X-Forwarded-For is believed
  std::span<const config::Cidr> proxies = {};  ///< trusted, too, when they stand in X-Forwarded-For
};

/// Views into `message`, the sender's address, and `made_up_id`, which is written when the client names no sane id.
Request make_request(const Message& message, const Sender& sender, std::string& made_up_id, Caller caller);

std::string make_request_id();

}  // namespace api
