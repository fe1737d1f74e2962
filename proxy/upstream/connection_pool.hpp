#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "proxy/net/stream.hpp"
#include "proxy/net/timers.hpp"
#include "proxy/telemetry/counters.hpp"

namespace spillway::upstream {

using Endpoint = net::Transport::Endpoint;

/// A connection to the API. Idle ones keep a read outstanding (see net::Stream).
class Connection final : public net::Deadline {
 public:
  Connection(class Pool& pool, net::Transport transport, net::BlockPool& blocks)
      : stream(std::move(transport), blocks), pool_(pool) {}
  net::Stream stream;
  bool reused = false;        ///< has carried a response before
  bool beyond_limit = false;  ///< opened although `max_connections` were open

 private:
  void on_deadline() override;  ///< idle for too long
  class Pool& pool_;
};

/// Computed from the configuration, see `relay::Settings`. Nothing may be opened before they are set.
struct PoolLimits {
  int max_connections = 0;  ///< over all workers
  bool enforced = true;     ///< false: more are opened, and say so
  int max_idle = 0;         ///< of one worker
  Duration idle_timeout{};
};

/// One worker's connections to the API, reused latest first: the fewest stay open, and the warmest is taken.
/// Every connection taken comes back through `give` (reusable) or `discard`.
class Pool final : net::Stream::Observer {
 public:
  using Lease = std::unique_ptr<Connection>;

  /// `open` counts the connections of all workers.
  Pool(net::Timers& timers, net::BlockPool& blocks, telemetry::WorkerCounters& counters, std::atomic<int>& open);

  void configure(const PoolLimits& limits) { limits_ = limits; }

  /// An idle connection, or null.
  Lease take_idle();
  /// A new, unconnected one; null when `max_connections` are open, or with an `error` when there is no descriptor left.
  Lease open(const Endpoint& endpoint, net::Executor executor, net::error_code& error);
  /// The response ended cleanly: the connection waits for the next request.
  void give(Lease connection, Time now);
  void discard(Lease connection);
  /// Closes every idle connection, and from now on every one that is given back.
  void close();

 private:
  friend class Connection;
  void on_unawaited_read(net::Stream& stream) override;
  void drop_idle(Connection& connection);
  void destroy(Lease connection);

  net::Timers& timers_;
  net::BlockPool& blocks_;
  telemetry::WorkerCounters& counters_;
  std::atomic<int>& open_;
  PoolLimits limits_;
  std::vector<Lease> idle_;     ///< latest last
  std::vector<Lease> closing_;  ///< closed, their outstanding read not yet ended
  bool closed_ = false;
};

}  // namespace spillway::upstream
