#pragma once

#include <functional>
#include <string>
#include <vector>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <sys/socket.h>

#include "config/address.hpp"
#include "proxy/net/clock.hpp"
#include "proxy/net/io.hpp"

namespace net {

/// An owned listening descriptor.
class ListenSocket {
 public:
  explicit ListenSocket(int descriptor) : descriptor_(descriptor) {}
  ListenSocket(ListenSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  ListenSocket& operator=(ListenSocket&&) = delete;
  ~ListenSocket();

  int release() { return std::exchange(descriptor_, -1); }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

/// Opens `address` once per worker: TCP sockets of their own that share the port, so that the kernel spreads
/// connections; unix and inherited ones share one queue. On failure the result is empty and `error` one clear line.
std::vector<ListenSocket> open_listeners(const config::Address& address, int workers, std::string& error);

/// The listening sockets that systemd passes to this process (sd_listen_fds(3)), as addresses `fd:N`. They replace
/// what the configuration names. Empty without socket activation.
std::vector<config::Address> given_by_systemd();

/// `host:port` a listening socket is really bound to (port 0 resolved), or its unix path.
std::string local_name(const ListenSocket& socket);

struct Accepted {
  Socket socket;
  std::string peer;  ///< address without port; empty for a unix socket
};

/// Accepts in batches and hands each connection on. When descriptors run out, a reserve one is spent to close
/// what waits, so that clients learn of it and the loop does not spin; then accepting pauses for `kPause`.
class Listener {
 public:
  using Handler = std::function<void(Accepted)>;

  Listener(Executor executor, ListenSocket socket, Handler handler);
  ~Listener();
  void start();
  void stop();

 private:
  static constexpr int kBatch = 64;  ///< connections per turn of the loop: others get their turn too
  static constexpr Duration kPause = std::chrono::milliseconds(100);

  void wait();
  void accept_batch();
  void shed_without_descriptors();

  asio::posix::basic_stream_descriptor<Executor> descriptor_;
  Timer pause_;
  Handler handler_;
  int reserve_;
};

}  // namespace net
