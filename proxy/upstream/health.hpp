#pragma once

#include <functional>
#include <string>

#include "proxy/admission/load_report.hpp"
#include "proxy/config/config.hpp"
#include "proxy/net/io.hpp"
#include "proxy/upstream/connection_pool.hpp"

namespace spillway::upstream {

struct HealthResult {
  bool asked = true;                 ///< false: there was no descriptor to ask with, which says nothing of the API
  bool healthy = false;              ///< answered in time with a 2xx status
  std::optional<admission::LoadReport> report;  ///< if the API reports one
};

/// Asks the API for its health, once an interval, ten times as often while it is down, and each time on a new
/// connection: a listener that accepts nobody is not healthy. With interval 0 nobody asks, and the API counts as
/// healthy: as with a balancer without a check. Runs on the control loop. `on_result` is called after each poll.
class HealthPoller {
 public:
  HealthPoller(net::asio::io_context& loop, Endpoint endpoint, HealthConfig config,
               std::function<void(const HealthResult&)> on_result);
  void start();
  void stop();
  /// Polls at once, and from then on as told.
  void configure(HealthConfig config);

 private:
  net::Task<> run();
  net::Task<HealthResult> try_poll();
  net::Task<HealthResult> poll();

  net::asio::io_context& loop_;
  Endpoint endpoint_;
  HealthConfig config_;
  std::function<void(const HealthResult&)> on_result_;
  net::asio::basic_waitable_timer<Clock, net::asio::wait_traits<Clock>, net::Executor> timer_;
  bool stopped_ = false;
};

/// The API's address as an endpoint; a host name is looked up. On failure `error` is one clear line.
Endpoint resolve(const config::Address& address, std::string& error);

}  // namespace spillway::upstream
