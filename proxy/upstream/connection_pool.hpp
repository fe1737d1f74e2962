#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/stream.hpp"
#include "proxy/net/timers.hpp"
#include "proxy/telemetry/counters.hpp"
#include "proxy/tls/client_context.hpp"
#include "proxy/upstream/addresses.hpp"

namespace spillway::upstream {

/// A connection to the API. An idle one has a read outstanding, see net::Stream.
class Connection final : public net::Deadline {
 public:
  Connection(class ConnectionPool& pool, net::Transport transport, net::BlockPool& blocks)
      : stream(std::move(transport), blocks), pool_(pool) {}
  net::Stream stream;
  bool reused = false;        ///< has carried a response before
  bool beyond_limit = false;  ///< opened although `max_connections` were open already
  Endpoint endpoint;
  std::string name;                               ///< of `endpoint`, for the log
  std::shared_ptr<const tls::ClientContext> tls;  ///< that it was opened with; null: plain
  std::uint32_t generation = 0;                   ///< of the addresses, when `endpoint` was last found among them

 private:
  void on_deadline() override;  ///< it has been idle for `idle_timeout`
  class ConnectionPool& pool_;
};

/// Computed from the configuration by `relay::Settings`. Until they are set, no connection is opened.
struct ConnectionLimits {
  int max_connections = 0;  ///< over all workers
  bool enforced = true;     ///< false: more are opened, and marked `beyond_limit`
  int max_idle = 0;         ///< of one worker
  Duration idle_timeout{};
};

/// One worker's connections to the API. The most recently used idle connection is taken first, so that the others can
/// time out. The caller returns each connection through `give` (reusable) or `discard`. A connection to an address that
/// the API's name no longer has is closed instead of reused.
class ConnectionPool final : net::Stream::Observer {
 public:
  using Lease = std::unique_ptr<Connection>;

  /// `open` counts the connections of all workers.
  ConnectionPool(net::Timers& timers, net::BlockPool& blocks, telemetry::WorkerCounters& counters,
                 std::atomic<int>& open, const Addresses& addresses);

  /// `tls`: null for plain connections. Those opened with another one are closed, or are not taken back.
  void configure(const ConnectionLimits& limits, std::shared_ptr<const tls::ClientContext> tls);

  /// An idle connection, or null.
  Lease take_idle();
  /// A new connection, not yet connected; with TLS it shakes hands then (`Transport::handshake`). Null when
  /// `max_connections` are open, or with `error` set when no descriptor is left.
  Lease open(const Endpoint& endpoint, net::Executor executor, net::error_code& error);
  /// Keeps a connection for the next request. Its response must have ended cleanly.
  void give(Lease connection, Time now);
  void discard(Lease connection);
  void close_idle();
  /// Closes idle connections to addresses that the API's name no longer has.
  void drop_gone();
  /// Closes every idle connection, and from now on every connection that comes back.
  void close();

 private:
  friend class Connection;
  void on_unawaited_read(net::Stream& stream) override;
  void drop_idle(Connection& connection);
  bool gone(Connection& connection) const;
  void destroy(Lease connection);

  net::Timers& timers_;
  net::BlockPool& blocks_;
  telemetry::WorkerCounters& counters_;
  std::atomic<int>& open_;
  const Addresses& addresses_;
  std::uint32_t generation_ = 0;  ///< of the addresses, when the idle connections were last compared with them
  ConnectionLimits limits_;
  std::shared_ptr<const tls::ClientContext> tls_;
  std::vector<Lease> idle_;     ///< most recently used last
  std::vector<Lease> closing_;  ///< closed, while their outstanding read has not ended
  bool closed_ = false;
};

}  // namespace spillway::upstream
