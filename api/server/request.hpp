#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/beast/http.hpp>

#include "api/server/config.hpp"
#include "api/endpoints/http.hpp"
#include "config/cidr.hpp"

/// From a client's bytes to a request as handlers see it: Beast parses, and what it leaves open is decided here. No
/// I/O.
namespace api {

using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

void set_limits(Parser& parser, const LimitsConfig& limits);
/// With which status to answer what the parser has refused: 400, 413 or 431.
int status_of(boost::system::error_code error);
/// False: the parser takes it, but it is no request for an origin server (RFC 9112, 3.2).
bool is_sound(const Parser::value_type& message);

/// Who is at the other end of the connection.
struct Sender {
  std::string_view address;  ///< `unix` for a unix socket
  bool trusted;              ///< its X-Forwarded-For is believed
};
bool is_trusted(std::string_view peer, const std::vector<config::Cidr>& trusted);

/// Views into `message`, the sender's address, and `made_up_id`, which is written when the client names no sane id.
Request make_request(const Parser::value_type& message, const Sender& sender, std::string& made_up_id, Caller caller);

std::string make_request_id();

}  // namespace api
