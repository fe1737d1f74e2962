#include "tests/integration/api/client.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/api/program.hpp"

namespace api::test {

namespace {

/// With a timeout set, a process that was stopped and goes on finds its call interrupted.
ssize_t receive_some(int socket, char* bytes, std::size_t size) {
  ssize_t got;
  do {
    got = ::recv(socket, bytes, size, 0);
  } while (got < 0 && errno == EINTR);
  return got;
}

void set_patience(int socket) {
  timeval time{kPatience.count(), 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}

}  // namespace

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

Client::Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  set_patience(socket_);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)!::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
}

Client::Client(const std::string& unix_path) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
  set_patience(socket_);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, unix_path.c_str(), sizeof(address.sun_path) - 1);
  (void)!::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
}

Client::Client(Client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      received_(std::move(other.received_)),
      token_(std::move(other.token_)) {}

Client& Client::operator=(Client&& other) noexcept {
  close();
  socket_ = std::exchange(other.socket_, -1);
  received_ = std::move(other.received_);
  token_ = std::move(other.token_);
  return *this;
}

Client::~Client() {
  close();
}

void Client::close() {
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

void Client::send(std::string_view raw) {
  while (!raw.empty()) {
    const ssize_t sent = ::send(socket_, raw.data(), raw.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;
    raw.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Client::shut_down_sending() {
  ::shutdown(socket_, SHUT_WR);
}

Reply Client::receive(bool head_only) {
  Reply reply;
  auto more = [&] {
    char chunk[16384];
    const ssize_t got = receive_some(socket_, chunk, sizeof(chunk));
    if (got > 0) received_.append(chunk, static_cast<std::size_t>(got));
    return got > 0;
  };
  std::size_t end;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return {};
  }
  std::size_t line = received_.find("\r\n") + 2;
  const int status = std::stoi(received_.substr(9, 3));
  while (line < end) {
    const std::size_t line_end = received_.find("\r\n", line);
    const std::size_t colon = received_.find(": ", line);
    std::string name = received_.substr(line, colon - line);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    REQUIRE_FALSE(reply.headers.contains(name));
    reply.headers[name] = received_.substr(colon + 2, line_end - colon - 2);
    line = line_end + 2;
  }
  received_.erase(0, end + 4);
  const std::size_t length =
      head_only || status < 200 ? 0 : static_cast<std::size_t>(std::stoul(reply.headers.at("content-length")));
  while (received_.size() < length) {
    if (!more()) return {};
  }
  reply.status = status;
  reply.body = received_.substr(0, length);
  received_.erase(0, length);
  return reply;
}

std::string Client::receive_all() {
  char chunk[16384];
  ssize_t got;
  while ((got = receive_some(socket_, chunk, sizeof(chunk))) > 0)
    received_.append(chunk, static_cast<std::size_t>(got));
  return got == 0 ? std::exchange(received_, {}) : "not closed";
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
