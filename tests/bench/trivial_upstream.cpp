// The API behind the proxies under comparison: answers every request head with the same small body, over TCP and a
// unix socket, one thread. It reads no request body and knows no errors; it only has to be faster than any proxy.
//
//   trivial_upstream PORT SOCKET_PATH
#include <array>
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
constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr int kBacklog = 1024;
constexpr int kEventsPerWait = 256;
constexpr std::size_t kReadSize = 16 * 1024;

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

// What a connection has sent of a head that is not complete yet, by descriptor.
std::vector<std::string> partial_heads;

// Answers every complete head in what has arrived. False: the connection is over.
bool serve(int fd) {
  std::array<char, kReadSize> buffer;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got <= 0) return got < 0 && errno == EAGAIN;

  std::string& pending = partial_heads[static_cast<std::size_t>(fd)];
  std::string_view rest(buffer.data(), static_cast<std::size_t>(got));
  if (!pending.empty()) rest = pending.append(rest);
  std::string answers;
  for (auto end = rest.find(kEndOfHead); end != rest.npos; end = rest.find(kEndOfHead)) {
    rest.remove_prefix(end + kEndOfHead.size());
    answers += kResponse;
  }
  pending = std::string(rest);
  return ::send(fd, answers.data(), answers.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(answers.size());
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
      if (partial_heads.size() <= slot) partial_heads.resize(slot + 1);
      partial_heads[slot].clear();
      watch(epoll, client);
    }
  }
}
