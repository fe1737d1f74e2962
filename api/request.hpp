#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/http.hpp"
#include "api/request_parser.hpp"
#include "config/cidr.hpp"

/// From a parsed message to a request as handlers see it: what Beast leaves open is decided here. No I/O.
namespace api {

/// 0, or the status to refuse a head with that the parser takes but an origin server must not (RFC 9112): 400, 501.
int fault_of_head(const Message& message);

/// Who is at the other end of the connection.
struct Sender {
  std::string_view address;  ///< `unix` for a unix socket
  bool trusted;              ///< its X-Forwarded-For is believed
};
bool is_trusted(std::string_view peer, const std::vector<config::Cidr>& trusted);

/// Views into `message`, the sender's address, and `made_up_id`, which is written when the client names no sane id.
Request make_request(const Message& message, const Sender& sender, std::string& made_up_id, Caller caller);

std::string make_request_id();
/// Printable ASCII that needs no escape in a log, of bounded length.
bool is_request_id(std::string_view text);

}  // namespace api
