#include "tests/support/wire.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <functional>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/eventually.hpp"

namespace support {

namespace {

constexpr std::size_t kPiece = 64 * 1024;

/// False: the event did not come within `kPatience`, or there is no socket.
bool wait_for(int descriptor, short event) {
  if (descriptor < 0) return false;
  pollfd wanted{descriptor, event, 0};
  int ready;
  do {  // a test that is stopped and goes on finds its call interrupted
    ready = ::poll(&wanted, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count()));
  } while (ready < 0 && errno == EINTR);
  return ready == 1;
}

bool same_name(std::string_view one, std::string_view other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](char a, char b) { return std::tolower(a) == std::tolower(b); });
}

/// Calls `see` with each field until it says false.
void each_field(std::string_view head, const std::function<bool(std::string_view, std::string_view)>& see) {
  for (std::size_t at = head.find("\r\n"); at + 2 < head.size();) {
    const std::size_t line = at + 2;
    at = head.find("\r\n", line);
    const std::size_t colon = head.find(':', line);
    if (at == std::string_view::npos || colon == std::string_view::npos || colon > at) return;
    std::string_view value = head.substr(colon + 1, at - colon - 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (!see(head.substr(line, colon - line), value)) return;
  }
}

}  // namespace

Wire& Wire::operator=(Wire&& other) noexcept {
  close();
  descriptor_ = std::exchange(other.descriptor_, -1);
  buffer_ = std::move(other.buffer_);
  received_ = other.received_;
  end_ = other.end_;
  return *this;
}

Wire Wire::tcp(int port) {
  Wire wire(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(wire.descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) wire.close();
  const int on = 1;
  ::setsockopt(wire.descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return wire;
}

Wire Wire::tcp6(int port) {
  Wire wire(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<std::uint16_t>(port));
  address.sin6_addr = in6addr_loopback;
  if (::connect(wire.descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) wire.close();
  return wire;
}

Wire Wire::unix_socket(const std::string& path) {
  Wire wire(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(wire.descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) wire.close();
  return wire;
}

bool Wire::send(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!wait_for(descriptor_, POLLOUT)) return false;
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::size_t Wire::send_some(std::string_view bytes) {
  const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

bool Wire::read_more() {
  end_ = descriptor_ < 0 ? End::closed : End::silent;
  if (!wait_for(descriptor_, POLLIN)) return false;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kPiece);
  const ssize_t got = ::recv(descriptor_, buffer_.data() + before, kPiece, 0);
  buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got > 0) received_ += static_cast<std::size_t>(got);
  end_ = got > 0 ? End::none : got == 0 ? End::closed : End::reset;
  return got > 0;
}

bool Wire::read_head(std::string& head) {
  std::size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more()) return false;
  }
  head = buffer_.substr(0, end + 4);
  buffer_.erase(0, end + 4);
  return true;
}

bool Wire::read_exactly(std::size_t size, std::string& out) {
  bool more = true;
  while (size > buffer_.size() && more) {
    size -= buffer_.size();
    out += buffer_;
    buffer_.clear();
    more = read_more();
  }
  const std::size_t last = std::min(size, buffer_.size());
  out.append(buffer_, 0, last);
  buffer_.erase(0, last);
  return more;
}

bool Wire::read_line(std::string& line) {
  std::size_t end;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!read_more()) return false;
  }
  line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return true;
}

bool Wire::read_chunked(std::string& out) {
  std::string line;
  while (read_line(line)) {
    const std::size_t size = std::stoul(line, nullptr, 16);
    if (size > 0 && !read_exactly(size, out)) return false;
    if (!read_line(line) || !line.empty()) return false;
    if (size == 0) return true;
  }
  return false;
}

void Wire::read_to_end(std::string& out) {
  do {
    out += buffer_;
    buffer_.clear();
  } while (read_more());
}

bool Wire::skip(std::size_t size) {
  while (size > buffer_.size()) {
    size -= buffer_.size();
    buffer_.clear();
    if (!read_more()) return false;
  }
  buffer_.erase(0, size);
  return true;
}

bool Wire::at_rest() const {
  pollfd wanted{descriptor_, POLLIN, 0};
  return buffer_.empty() && ::poll(&wanted, 1, 0) == 0;
}

void Wire::finish_sending() {
  ::shutdown(descriptor_, SHUT_WR);
}

void Wire::shut_down() {
  ::shutdown(descriptor_, SHUT_RDWR);
}

void Wire::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void Wire::reset() {
  const linger at_once{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

std::string field_of(const std::string& head, std::string_view name) {
  std::string found;
  each_field(head, [&](std::string_view field, std::string_view value) {
    if (!same_name(field, name)) return true;
    found = value;
    return false;
  });
  return found;
}

int count_fields(const std::string& head, std::string_view name) {
  int count = 0;
  each_field(head, [&](std::string_view field, std::string_view) {
    count += same_name(field, name);
    return true;
  });
  return count;
}

bool read_body(Wire& wire, const std::string& head, bool until_close, std::string& body) {
  if (field_of(head, "Transfer-Encoding") == "chunked") return wire.read_chunked(body);
  const std::string length = field_of(head, "Content-Length");
  if (!length.empty()) return wire.read_exactly(std::stoul(length), body);
  if (!until_close) return true;
  wire.read_to_end(body);
  return wire.end() == End::closed;
}

}  // namespace support
