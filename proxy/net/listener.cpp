#include "proxy/net/listener.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "config/cidr.hpp"
#include "proxy/net/keepalive.hpp"

namespace net {

namespace {

constexpr int kBacklog = 4096;  ///< the kernel bounds it by net.core.somaxconn

int open_reserve() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

std::string because(const config::Address& address, std::string_view reason) {
  return "cannot listen on " + to_text(address) + ": " + std::string(reason);
}

/// The reason is the last failed system call's.
std::string because(const config::Address& address) {
  return because(address, std::strerror(errno));
}

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

AddressList resolve(const config::Address& address, std::string& error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (status != 0) error = because(address, ::gai_strerror(status));
  return {found, &::freeaddrinfo};
}

/// Binds and listens; a socket without descriptor on failure, with errno set.
ListenSocket listen_on(const sockaddr* address, socklen_t length, bool share_port) {
  ListenSocket socket(::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return socket;
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int off = 0;  // `::` takes IPv4, too, whatever net.ipv6.bindv6only says
  if (address->sa_family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (share_port) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(socket.get(), address, length) == 0 && ::listen(socket.get(), kBacklog) == 0) return socket;
  return ListenSocket(-1);
}

bool listens(int descriptor) {
  int listening = 0;
  socklen_t length = sizeof listening;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening != 0;
}

/// Copies of one descriptor: the workers share its queue.
std::vector<ListenSocket> shared_by_all(ListenSocket first, int workers) {
  std::vector<ListenSocket> sockets;
  for (int i = 1; i < workers; ++i) {
    sockets.push_back(duplicate(first));
  }
  sockets.push_back(std::move(first));
  return sockets;
}

std::vector<ListenSocket> listen_tcp(const config::Address& address, int workers, std::string& error, TcpQueue queue) {
  if (address.host.empty()) {
    // A socket on `::` takes IPv4, too. Where there is no IPv6, IPv4 alone is left.
    auto both = listen_tcp(config::Address::tcp("::", address.port), workers, error, queue);
    if (!both.empty() || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)) return both;
    error.clear();
    return listen_tcp(config::Address::tcp("0.0.0.0", address.port), workers, error, queue);
  }
  const AddressList found = resolve(address, error);
  if (!found) return {};
  if (queue == TcpQueue::shared) {
    ListenSocket socket = listen_on(found->ai_addr, found->ai_addrlen, false);
    if (socket.get() < 0) return error = because(address), std::vector<ListenSocket>{};
    return shared_by_all(std::move(socket), workers);
  }
  if (workers > 1) {
    // SO_REUSEPORT hides a port conflict with another process: probe once without it.
    const ListenSocket probe = listen_on(found->ai_addr, found->ai_addrlen, false);
    if (probe.get() < 0) return error = because(address), std::vector<ListenSocket>{};
  }
  std::vector<ListenSocket> sockets;
  sockaddr_storage bound{};
  std::memcpy(&bound, found->ai_addr, found->ai_addrlen);
  for (int i = 0; i < workers; ++i) {
    sockets.push_back(listen_on(reinterpret_cast<const sockaddr*>(&bound), found->ai_addrlen, workers > 1));
    if (sockets.back().get() < 0) return error = because(address), std::vector<ListenSocket>{};
    socklen_t length = sizeof bound;  // for port 0: the others join the port that the first one got
    ::getsockname(sockets.back().get(), reinterpret_cast<sockaddr*>(&bound), &length);
  }
  return sockets;
}

/// Removes the socket file that a process has left behind. Nothing else is removed: not a socket that a process listens
/// on, nor a file of another kind. Empty, or why the path cannot be used.
std::string clear_path(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};  // bind(2) reports what is wrong, if anything is
  if (!S_ISSOCK(status.st_mode)) return "there is a file that is no socket";
  if (!is_left_over(path)) return "Address already in use: another process listens there";
  ::unlink(path.c_str());
  return {};
}

std::vector<ListenSocket> listen_unix(const config::Listen& listen, int workers, std::string& error) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  listen.address.path.copy(name.sun_path, sizeof name.sun_path - 1);
  if (const std::string why = clear_path(listen.address.path); !why.empty()) {
    return error = because(listen.address, why), std::vector<ListenSocket>{};
  }
  ListenSocket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0 || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
    return error = because(listen.address), std::vector<ListenSocket>{};
  }
  socket.file = std::make_shared<SocketFile>(listen.address.path);
  if (const std::string why = set_access(listen); !why.empty()) {
    return error = because(listen.address, why), std::vector<ListenSocket>{};
  }
  if (::listen(socket.get(), kBacklog) != 0) return error = because(listen.address), std::vector<ListenSocket>{};
  return shared_by_all(std::move(socket), workers);
}

std::vector<ListenSocket> adopt(const config::Address& address, int workers, std::string& error) {
  if (!listens(address.descriptor)) {
    const std::string which = "descriptor " + std::to_string(address.descriptor);
    return error = because(address, which + " is not a listening socket"), std::vector<ListenSocket>{};
  }
  ::fcntl(address.descriptor, F_SETFL, ::fcntl(address.descriptor, F_GETFL) | O_NONBLOCK);
  ::fcntl(address.descriptor, F_SETFD, FD_CLOEXEC);
  return shared_by_all(ListenSocket(address.descriptor, true), workers);
}

std::string host_of(const sockaddr_storage& address) {
  char text[INET_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET6) {
    return config::to_text(std::to_array(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr));
  }
  if (address.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  }
  return text;
}

/// That a TCP socket is really bound to.
std::uint16_t port_of(const ListenSocket& socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

/// Lets the kernel drop new connection requests, so that the queue of accepted connections gets no longer. A dropped
/// client tries again after a second, and reaches whichever process listens then. If the kernel refuses the filter,
/// nothing changes.
void refuse_new(int descriptor) {
  sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{1, &nothing};
  ::setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

}  // namespace

ListenSocket::~ListenSocket() {
  file.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
}

ListenSocket duplicate(const ListenSocket& socket) {
  ListenSocket copy(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3), socket.inherited());
  copy.file = socket.file;
  return copy;
}

ListenSocket adopt_listener(int descriptor, bool inherited) {
  ListenSocket socket(descriptor, inherited);
  if (!listens(descriptor)) return ListenSocket(-1);
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  if (inherited) return socket;
  if (const std::string name = local_name(socket); name.starts_with("unix:")) {
    socket.file = std::make_shared<SocketFile>(name.substr(5), false);
  }
  return socket;
}

std::vector<ListenSocket> spread(std::vector<ListenSocket> sockets, int workers) {
  const std::size_t given = sockets.size();
  for (std::size_t i = given; given > 0 && i < static_cast<std::size_t>(workers); ++i) {
    sockets.push_back(duplicate(sockets[i % given]));
  }
  return sockets;
}

std::vector<ListenSocket> open_listeners(const config::Listen& listen, int workers, std::string& error,
                                         TcpQueue queue) {
  const config::Address& address = listen.address;
  switch (address.kind) {
    case config::Address::Kind::tcp:
      return listen_tcp(address, workers, error, queue);
    case config::Address::Kind::unix_socket:
      return listen_unix(listen, workers, error);
    case config::Address::Kind::descriptor:
      return adopt(address, workers, error);
  }
  return {};
}

std::vector<std::vector<ListenSocket>> open_all_listeners(const config::Listen& listen, int workers, std::string& error,
                                                          TcpQueue queue) {
  const auto open = [&](const config::Listen& each) { return open_listeners(each, workers, error, queue); };
  std::vector<std::vector<ListenSocket>> all;
  config::Listen one = listen;
  const bool both = config::is_localhost(listen.address);
  if (both) one.address.host = "127.0.0.1";
  all.push_back(open(one));
  if (all.back().empty()) return {};
  if (!both) return all;
  one.address = config::Address::tcp("::1", port_of(all.back().front()));
  std::vector<ListenSocket> v6 = open(one);
  const bool no_v6 = v6.empty() && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
  if (v6.empty() && !no_v6) return {};
  error.clear();
  if (!no_v6) all.push_back(std::move(v6));
  return all;
}

std::vector<config::Listen> given_by_systemd() {
  std::vector<config::Listen> addresses;
  const int count = ::sd_listen_fds(1);
  for (int i = 0; i < count; ++i) {
    config::Address address;
    address.kind = config::Address::Kind::descriptor;
    address.descriptor = SD_LISTEN_FDS_START + i;
    addresses.push_back({.address = std::move(address)});
  }
  return addresses;
}

std::string local_name(const ListenSocket& socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return "?";
  if (address.ss_family == AF_UNIX) return std::string("unix:") + reinterpret_cast<sockaddr_un&>(address).sun_path;
  const bool v6 = address.ss_family == AF_INET6;
  const auto port =
      ntohs(v6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port : reinterpret_cast<sockaddr_in&>(address).sin_port);
  return (v6 ? "[" + host_of(address) + "]" : host_of(address)) + ":" + std::to_string(port);
}

Listener::Listener(Executor executor, ListenSocket socket, Handler handler, Evict evict, int batch)
    : descriptor_(executor),
      file_(std::move(socket.file)),
      pause_(executor),
      handler_(std::move(handler)),
      evict_(std::move(evict)),
      batch_(batch),
      inherited_(socket.inherited()),
      reserve_(open_reserve()) {
  const int on = 1;  // what is accepted inherits both
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  keep_alive(socket.get());
  descriptor_.assign(socket.release());
}

Listener::~Listener() {
  if (reserve_ >= 0) ::close(reserve_);
}

void Listener::start() {
  wait();
}

void Listener::drain() {
  if (!descriptor_.is_open()) return;
  if (!inherited_) refuse_new(descriptor_.native_handle());
  // At most a full queue: clients of another process may go on filling an inherited one.
  for (int i = 0; i < kBacklog; ++i) {
    const Accept accept = accept_one();
    if (accept == Accept::nobody_waits || accept == Accept::no_descriptors) break;
  }
  stop();
}

void Listener::stop() {
  error_code ignored;
  file_.reset();
  descriptor_.close(ignored);
  pause_.cancel();
}

void Listener::wait() {
  descriptor_.async_wait(asio::posix::descriptor_base::wait_read, [this](error_code error) {
    if (!error) accept_batch();
  });
}

Listener::Accept Listener::accept_one() {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  const int client = ::accept4(descriptor_.native_handle(), reinterpret_cast<sockaddr*>(&address), &length,
                               SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0) {
    const bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    if (exhausted) return Accept::no_descriptors;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Accept::nobody_waits;
    return Accept::failed;  // the client was gone before it was accepted
  }
  Socket socket(descriptor_.get_executor());
  error_code error;
  socket.assign(asio::generic::stream_protocol(address.ss_family, 0), client, error);
  if (error) {
    ::close(client);
    return Accept::failed;
  }
  socket.non_blocking(true, error);
  handler_({std::move(socket), host_of(address)});
  return Accept::handed_on;
}

void Listener::accept_batch() {
  for (int i = 0; i < batch_ && descriptor_.is_open(); ++i) {
    const Accept accept = accept_one();
    if (accept == Accept::no_descriptors) return without_descriptors();
    if (accept == Accept::nobody_waits) break;
  }
  if (descriptor_.is_open()) wait();
}

void Listener::without_descriptors() {
  if (!evict_ || !evict_()) shed_batch();
  pause_.expires_after(kPause);
  pause_.async_wait([this](error_code error) {
    if (error || !descriptor_.is_open()) return;
    if (reserve_ < 0) reserve_ = open_reserve();
    wait();
  });
}

void Listener::shed_batch() {
  for (int i = 0; i < batch_ && reserve_ >= 0; ++i) {
    ::close(reserve_);
    const int client = ::accept(descriptor_.native_handle(), nullptr, nullptr);
    if (client >= 0) ::close(client);
    reserve_ = open_reserve();
    if (client < 0) break;
  }
}

}  // namespace net
