#pragma once

#include <atomic>
#include <optional>

#include <boost/asio.hpp>

#include "api/config/config.hpp"
#include "api/endpoints/endpoints.hpp"
#include "api/server/client_connection.hpp"
#include "proxy/net/io.hpp"
#include "proxy/net/listener.hpp"

namespace api {

/// One event loop's share of the server: accepts, keeps the sessions, ends them. All on the thread of its context.
class Worker {
 public:
  Worker(const ApiConfig& config, Shared& shared, Services& services, net::asio::io_context& context, int home,
         net::ListenSocket socket);

  /// Before the thread runs.
  void start();
  /// From any thread. Accepts no more; calls `done` once, from its own thread, when the last connection has ended.
  void drain(std::function<void()> done);

 private:
  class Registration;

  void accepted(net::Accepted accepted);
  /// `connection` and, of one beyond the limit, `surplus` count until the end.
  net::Task<> serve(net::Accepted accepted, Counted counted, std::optional<Counted> surplus);
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
  endpoints::Context endpoints_;
  net::Listener listener_;
  net::Timer sweep_timer_;
  text::List<ClientConnection> connections_;  ///< the one that has been doing what it does for longest is in front
  std::atomic<int> surplus_{0};               ///< of these, beyond `limits.connections`
  std::function<void()> done_;
};

}  // namespace api
