#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <sys/socket.h>

#include "config/listen.hpp"
#include "proxy/net/clock.hpp"
#include "proxy/net/io.hpp"
#include "proxy/net/unix_socket.hpp"

namespace net {

/// An owned listening descriptor.
class ListenSocket {
 public:
  /// `inherited`: another process may go on listening on it after this one.
  explicit ListenSocket(int descriptor, bool inherited = false) : descriptor_(descriptor), inherited_(inherited) {}
  ListenSocket(ListenSocket&& other) noexcept
      : file(std::move(other.file)), descriptor_(std::exchange(other.descriptor_, -1)), inherited_(other.inherited_) {}
  ListenSocket& operator=(ListenSocket&&) = delete;
  ~ListenSocket();

  int release() { return std::exchange(descriptor_, -1); }
  int get() const { return descriptor_; }
  bool inherited() const { return inherited_; }

  std::shared_ptr<SocketFile> file;  ///< of a unix socket that this process has bound; shared by all its copies

 private:
  int descriptor_;
  bool inherited_;
};

/// A further descriptor of the same socket: both have one queue, and own its file together. Without a descriptor if
/// there are none left.
ListenSocket duplicate(const ListenSocket& socket);

/// Takes a listening socket that came from another process, with its file if it is a unix socket; that is still the
/// other's own. `inherited`: it is systemd's, or the shell's. Without a descriptor, and closed, if it does not listen.
ListenSocket adopt_listener(int descriptor, bool inherited);

/// Copies of `sockets`, in turn, until there is one for each worker: workers may share a queue, and none may be left
/// without a worker.
std::vector<ListenSocket> spread(std::vector<ListenSocket> sockets, int workers);

/// How workers share a TCP port. Unix and inherited sockets always have one queue.
enum class TcpQueue : std::uint8_t {
  per_worker,  ///< a socket for each, and the kernel spreads the connections: nobody waits for a lock
  shared,      ///< one socket: whichever worker is idle takes the next connection
};

/// Opens an address once per worker. On failure the result is empty and `error` one clear line.
std::vector<ListenSocket> open_listeners(const config::Listen& listen, int workers, std::string& error,
                                         TcpQueue queue = TcpQueue::per_worker);

/// The same for each address that the entry stands for: `localhost` is 127.0.0.1 and ::1, whatever /etc/hosts says, on
/// one port. Where there is no IPv6, it is 127.0.0.1 alone.
std::vector<std::vector<ListenSocket>> open_all_listeners(const config::Listen& listen, int workers, std::string& error,
                                                          TcpQueue queue = TcpQueue::per_worker);

/// The listening sockets that systemd passes to this process (sd_listen_fds(3)), as addresses `fd:N`. They replace
/// what the configuration names. Empty without socket activation.
std::vector<config::Listen> given_by_systemd();

/// `host:port` a listening socket is really bound to (port 0 resolved), or its unix path.
std::string local_name(const ListenSocket& socket);

struct Accepted {
  Socket socket;
  std::string peer;  ///< address without port; empty for a unix socket
};

/// Accepts in batches and hands each connection on. When descriptors run out, `evict` may close a connection. If it
/// cannot, the listener spends a reserve descriptor to accept and close the waiting clients, so that they do not hang.
/// Then accepting pauses for `kPause`, so that the loop does not spin.
class Listener {
 public:
  using Handler = std::function<void(Accepted)>;
  using Evict = std::function<bool()>;

  /// Connections that are accepted per turn of the loop, before other work gets its turn.
  static constexpr int kBatch = 64;

  /// `batch`: see kBatch.
  Listener(Executor executor, ListenSocket socket, Handler handler, Evict evict = {}, int batch = kBatch);
  ~Listener();
  void start();
  /// Hands on what the kernel has accepted already, then closes: those clients believe that they are connected.
  void drain();
  void stop();
  /// Another process goes on listening on it. Before `drain`.
  void share() { inherited_ = true; }

 private:
  static constexpr Duration kPause = std::chrono::milliseconds(100);

  enum class Accept : std::uint8_t { handed_on, failed, nobody_waits, no_descriptors };

  void wait();
  Accept accept_one();
  void accept_batch();
  void without_descriptors();
  void shed_batch();

  asio::posix::basic_stream_descriptor<Executor> descriptor_;
  std::shared_ptr<SocketFile> file_;  ///< released before the descriptor
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> pause_;
  Handler handler_;
  Evict evict_;
  int batch_;
  bool inherited_;
  int reserve_;
};

}  // namespace net
