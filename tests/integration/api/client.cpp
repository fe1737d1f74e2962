#include "tests/integration/api/client.hpp"

#include <algorithm>
#include <cctype>

#include <doctest/doctest.h>

namespace api::test {

boost::json::value Reply::json() const {
  boost::system::error_code error;
  return boost::json::parse(body, error);
}

std::string Reply::detail() const {
  auto value = json();
  auto* object = value.if_object();
  auto* detail = object ? object->if_contains("detail") : nullptr;
  return detail && detail->is_string() ? std::string(detail->get_string()) : "";
}

Reply Client::receive(bool head_only) {
  std::string head;
  if (!wire_.read_head(head)) return {};
  Reply reply;
  const int status = std::stoi(head.substr(9, 3));
  const std::size_t end = head.size() - 2;
  for (std::size_t line = head.find("\r\n") + 2; line < end;) {
    const std::size_t line_end = head.find("\r\n", line);
    const std::size_t colon = head.find(": ", line);
    std::string name = head.substr(line, colon - line);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    REQUIRE_FALSE(reply.headers.contains(name));
    reply.headers[name] = head.substr(colon + 2, line_end - colon - 2);
    line = line_end + 2;
  }
  const bool bodiless = head_only || status < 200 || status == 204 || status == 304;
  if (!bodiless && !wire_.read_exactly(std::stoul(reply.headers.at("content-length")), reply.body)) return {};
  reply.status = status;
  return reply;
}

std::string Client::receive_all() {
  std::string bytes;
  wire_.read_to_end(bytes);
  return wire_.end() == support::End::closed ? bytes : "not closed";
}

void Client::start(std::string_view method, std::string_view target, std::string_view body, std::string_view headers) {
  std::string request = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n";
  if (!token_.empty()) request += "Authorization: Bearer " + token_ + "\r\n";
  if (!body.empty() || method == "POST") request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  send(request + std::string(headers) + "\r\n" + std::string(body));
}

Reply Client::request(std::string_view method, std::string_view target, std::string_view body,
                      std::string_view headers) {
  start(method, target, body, headers);
  return receive(method == "HEAD");
}

void Client::login() {
  const Reply reply = request("POST", "/api/v1/auth/login", "username=admin&password=admin123");
  REQUIRE(reply.status == 200);
  token_ = reply.json().at("access_token").as_string();
}

}  // namespace api::test
