// The API behind the proxies under comparison: answers every request with the same small body, over TCP and a unix
// socket, one thread. It drops request bodies of known length, and knows no errors; it only has to be faster than any
// proxy.
//
//   trivial_upstream PORT SOCKET_PATH
#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"ok\"}\n";
constexpr std::string_view kLength = "\r\ncontent-length: ";  // in lower case
constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr int kBacklog = 1024;
constexpr int kEventsPerWait = 256;
constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::size_t kDroppedAtOnce = 1024 * 1024;

void require(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::exit(1);
}

int listen_tcp(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
  require(::listen(fd, kBacklog) == 0, "listen");
  return fd;
}

int listen_unix(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  require(path.size() < sizeof address.sun_path, "socket path too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ::unlink(path.c_str());
  require(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
  require(::listen(fd, kBacklog) == 0, "listen");
  return fd;
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  require(::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

struct Connection {
  std::string head;           // what has come of one that is not complete yet
  std::uint64_t to_drop = 0;  // bytes of a body that are still to come
};
std::vector<Connection> connections;  // by descriptor

std::uint64_t body_length(std::string_view head) {
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  const auto at = std::search(head.begin(), head.end(), kLength.begin(), kLength.end(), same);
  return at == head.end() ? 0 : std::strtoull(&*at + kLength.size(), nullptr, 10);
}

bool answer(int fd, std::string_view answers) {
  return ::send(fd, answers.data(), answers.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(answers.size());
}

// Drops what has come of a body, and answers behind its end. The system drops it without a copy.
bool drop_body(int fd) {
  std::uint64_t& left = connections[static_cast<std::size_t>(fd)].to_drop;
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, kDroppedAtOnce));
  const ssize_t got = ::recv(fd, nullptr, most, MSG_TRUNC);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  left -= static_cast<std::uint64_t>(got);
  return left > 0 || answer(fd, kResponse);
}

// Answers every complete head in what has arrived, unless a body is to follow. False: the connection is over.
bool serve(int fd) {
  Connection& connection = connections[static_cast<std::size_t>(fd)];
  if (connection.to_drop > 0) return drop_body(fd);
  std::array<char, kReadSize> buffer;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got <= 0) return got < 0 && errno == EAGAIN;

  std::string& pending = connection.head;
  std::string_view rest(buffer.data(), static_cast<std::size_t>(got));
  if (!pending.empty()) rest = pending.append(rest);
  std::string answers;
  for (auto end = rest.find(kEndOfHead); end != rest.npos; end = rest.find(kEndOfHead)) {
    const std::uint64_t body = rest.front() == 'P' ? body_length(rest.substr(0, end)) : 0;  // POST, PUT
    rest.remove_prefix(end + kEndOfHead.size());
    const std::size_t come = std::min<std::size_t>(rest.size(), body);
    rest.remove_prefix(come);
    connection.to_drop = body - come;
    if (connection.to_drop == 0) answers += kResponse;
  }
  pending = std::string(rest);
  return answers.empty() || answer(fd, answers);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: trivial_upstream PORT SOCKET_PATH\n", stderr);
    return 2;
  }
  const int tcp = listen_tcp(std::atoi(argv[1]));
  const int local = listen_unix(argv[2]);
  const int epoll = ::epoll_create1(0);
  require(epoll >= 0, "epoll_create1");
  watch(epoll, tcp);
  watch(epoll, local);

  std::array<epoll_event, kEventsPerWait> events;
  while (true) {
    const int count = ::epoll_wait(epoll, events.data(), kEventsPerWait, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd != tcp && fd != local) {
        if (!serve(fd)) ::close(fd);
        continue;
      }
      const int client = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK);
      if (client < 0) continue;
      const int on = 1;
      if (fd == tcp) ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const auto slot = static_cast<std::size_t>(client);
      if (connections.size() <= slot) connections.resize(slot + 1);
      connections[slot] = {};
      watch(epoll, client);
    }
  }
}
