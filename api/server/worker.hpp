#pragma once

#include <atomic>
#include <optional>
#include <span>

#include <boost/asio.hpp>

#include "api/config/config.hpp"
#include "api/endpoints/endpoints.hpp"
#include "api/server/client_connection.hpp"
#include "proxy/net/io.hpp"
#include "proxy/net/listener.hpp"
#include "proxy/tracing/ids.hpp"

namespace api {

/// One event loop: accepts connections, runs them, and applies their timeouts. Only on the thread of its context.
class Worker {
 public:
  /// `routes`: of its listeners.
  Worker(const ApiConfig& config, Shared& shared, Services& services, net::asio::io_context& context, int home,
         std::vector<net::ListenSocket> sockets, std::span<const Route> routes);

  /// Call it before the thread runs.
  void start();
  /// From any thread. Accepts no more connections. Calls `done` once, on its own thread, when the last one has ended.
  void drain(std::function<void()> done);

 private:
  class Open;
  class Registration;

  void accepted(net::Accepted accepted);
  /// `open` and `counted` count the connection, and `surplus` a surplus one, until it ends.
  net::Task<> serve(net::Accepted accepted, Open open, Counted counted, std::optional<Counted> surplus);
  net::Task<> sweep();
  bool out_of_descriptors();
  bool evict_one();
  bool request_eviction();
  void serve_eviction_requests();
  bool evict_surplus();
  void refuse(net::Socket& socket) const;
  void finish_if_empty();

  const ApiConfig& config_;
  Shared& shared_;
  net::asio::io_context& context_;
  const int home_;
  const std::span<const Route> routes_;
  endpoints::Context endpoints_;
  tracing::IdGenerator ids_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;  ///< one for each address
  net::Timer sweep_timer_;
  text::List<ClientConnection> connections_;  ///< ordered by the beginning of their phase, oldest first
  std::atomic<int> surplus_{0};               ///< connections beyond `limits.connections`
  int open_ = 0;                              ///< connections, also those whose coroutine has not begun
  std::function<void()> done_;
};

}  // namespace api
