#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/endpoints/http.hpp"
#include "api/server/request_parser.hpp"
#include "config/cidr.hpp"

/// Makes a request for the endpoints from a message of Beast, and checks what Beast does not. No I/O.
namespace api {

/// The status to refuse a head with: 400 or 501; 0 if the head is valid. Checks what RFC 9112 requires of an origin
/// server and Beast's parser accepts.
int fault_of_head(const Message& message);

/// The peer of the connection.
struct Sender {
  std::string_view address;                    ///< `unix` for a unix socket
  bool trusted;                                ///< its X-Forwarded-For is believed
  std::span<const config::Cidr> proxies = {};  ///< trusted as well, as entries of X-Forwarded-For
};

/// The request has views into `message`, the sender's address and `made_up_id`. `made_up_id` is written if the client
/// has sent no valid id.
Request make_request(const Message& message, const Sender& sender, std::string& made_up_id, Caller caller);

/// The caller's traceparent; empty: it has sent none, or several, or is not trusted.
std::string_view traceparent_of(const Message& message, const Sender& sender);

std::string make_request_id();

}  // namespace api
