#include "api/server/listener.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/net/unix_socket.hpp"

namespace api {

namespace {

constexpr int kBacklog = 1024;
constexpr int kFirstInherited = 3;  // sd_listen_fds(3)

std::string reason() {
  return std::strerror(errno);
}

std::string to_text(const sockaddr_storage& address, bool with_port) {
  char host[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
    return with_port ? std::string(host) + ":" + std::to_string(ntohs(v4.sin_port)) : host;
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
    return with_port ? "[" + std::string(host) + "]:" + std::to_string(ntohs(v6.sin6_port)) : host;
  }
  return address.ss_family == AF_UNIX ? "unix" : "";
}

/// 0: there is no such file.
ino_t inode_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

bool given_by_systemd() {
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  return pid && count && std::atol(pid) == getpid() && std::atoi(count) >= 1;
}

/// A socket file left behind by a process that has died may be taken; one that answers may not, and nothing else may.
bool may_take(const std::string& path, std::string& error) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return true;  // bind says what is wrong, if anything is
  if (!S_ISSOCK(status.st_mode)) {
    error = "there is a file that is no socket";
    return false;
  }
  const bool free = net::is_left_over(path);
  if (!free) error = "another process listens there";
  return free;
}

}  // namespace

Listener::Listener(Listener&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::exchange(other.path_, {})), inode_(other.inode_) {}

Listener::~Listener() {
  close();
}

void Listener::close() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  // Unless another process has put its own there.
  if (!path_.empty() && inode_of(path_) == inode_) ::unlink(path_.c_str());
  path_.clear();
}

bool Listener::open(const config::Address& address, std::string& error) {
  if (given_by_systemd()) return adopt(kFirstInherited, error);
  bool open = false;
  switch (address.kind) {
    case config::Address::Kind::tcp:
      open = open_tcp(address, error);
      break;
    case config::Address::Kind::unix_socket:
      open = open_unix(address.path, error);
      break;
    case config::Address::Kind::descriptor:
      open = adopt(address.descriptor, error);
      break;
  }
  if (!open) error = "cannot listen on " + config::to_text(address) + ": " + error;
  return open;
}

bool Listener::adopt(int descriptor, std::string& error) {
  int listening = 0;
  socklen_t size = sizeof(listening);
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening) {
    error = "descriptor " + std::to_string(descriptor) + " is not a listening socket";
    return false;
  }
  descriptor_ = descriptor;
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return true;
}

bool Listener::open_tcp(const config::Address& address, std::string& error) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (failure != 0) {
    error = ::gai_strerror(failure);
    return false;
  }
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  descriptor_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (descriptor_ < 0 || ::setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      ::bind(descriptor_, found->ai_addr, found->ai_addrlen) != 0 || ::listen(descriptor_, kBacklog) != 0) {
    error = reason();
    return false;
  }
  return true;
}

bool Listener::open_unix(const std::string& path, std::string& error) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  descriptor_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (!may_take(path, error)) return false;
  ::unlink(path.c_str());
  if (::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(descriptor_, kBacklog) != 0) {
    error = reason();
    return false;
  }
  path_ = path;
  inode_ = inode_of(path);
  return true;
}

std::string Listener::where() const {
  if (!path_.empty()) return "unix:" + path_;
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
  return to_text(address, true);
}

std::string peer_address(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return to_text(address, false);
}

}  // namespace api
