#include "api/server/request.hpp"

#include <charconv>
#include <random>

#include "proxy/text/request_id.hpp"

namespace api {

namespace {

namespace http = boost::beast::http;

/// The last element: what the nearest proxy has written.
std::string_view last_forwarded(std::string_view list) {
  std::string_view last = list.substr(list.rfind(',') + 1);
  while (last.starts_with(' ')) last.remove_prefix(1);
  while (last.ends_with(' ')) last.remove_suffix(1);
  return last;
}

Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::get;
    case http::verb::head:
      return Method::head;
    case http::verb::post:
      return Method::post;
    default:
      return Method::other;
  }
}

}  // namespace

std::string make_request_id() {
  thread_local std::mt19937_64 random(std::random_device{}());
  const std::uint64_t high = random();
  return std::string(text::view(text::request_id(high, random())));
}

bool is_trusted(std::string_view peer, const std::vector<config::Cidr>& trusted) {
  if (peer == "unix") return true;
  config::IpBytes address;
  if (!config::parse(peer, address)) return false;
  for (const config::Cidr& block : trusted) {
    if (block.contains(address)) return true;
  }
  return false;
}

void set_limits(Parser& parser, const LimitsConfig& limits) {
  parser.header_limit(static_cast<std::uint32_t>(limits.head));
  parser.body_limit(limits.body);
  parser.eager(true);
}

int status_of(boost::system::error_code error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  return 400;
}

bool is_sound(const Parser::value_type& message) {
  const bool host = message.version() == 10 || message.count(http::field::host) == 1;
  return message.version() >= 10 && host && message.target().starts_with('/') &&
         message.target().find('#') == std::string_view::npos;
}

Request make_request(const Parser::value_type& message, const Sender& sender, std::string& made_up_id, Caller caller) {
  const std::string_view target = message.target();
  const std::size_t mark = target.find('?');
  std::string_view id = message["X-Request-ID"];
  if (!text::valid_request_id(id)) {
    made_up_id = make_request_id();
    id = made_up_id;
  }
  std::string_view client = sender.address;
  if (sender.trusted) {
    const std::string_view forwarded = last_forwarded(message["X-Forwarded-For"]);
    config::IpBytes address;
    if (config::parse(forwarded, address)) client = forwarded;
  }
  return {
      .method = method_of(message.method()),
      .path = target.substr(0, mark),
      .query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1),
      .authorization = message[http::field::authorization],
      .content_type = message[http::field::content_type],
      .body = message.body(),
      .client = client,
      .request_id = id,
      .caller = caller,
  };
}

}  // namespace api
