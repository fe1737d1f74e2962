#pragma once

#include <functional>
#include <string>

#include "proxy/admission/load_report.hpp"
#include "proxy/config/config.hpp"
#include "proxy/net/io.hpp"
#include "proxy/upstream/addresses.hpp"

namespace spillway::upstream {

struct HealthResult {
  bool asked = true;     ///< false: there was no descriptor for a connection, which says nothing of the API
  bool healthy = false;  ///< answered in time with a 2xx status
  std::optional<admission::LoadReport> report;  ///< if the API reports one
};

/// Polls the API's health once an interval, and ten times as often while it is down. Each poll opens a new connection:
/// an API that accepts none is not healthy. With interval 0 it does not poll, and the API counts as healthy, as with a
/// load balancer without a health check. Runs on the control loop, for as long as that runs. `on_result` is called
/// after each poll.
class HealthPoller {
 public:
  HealthPoller(net::asio::io_context& loop, Addresses& addresses, HealthConfig config,
               std::function<void(const HealthResult&)> on_result);
  void start();
  /// Polls at once, and then at the new interval.
  void configure(HealthConfig config);

 private:
  net::Task<> run();
  net::Task<HealthResult> try_poll();
  net::Task<HealthResult> poll();

  net::asio::io_context& loop_;
  Addresses& addresses_;
  HealthConfig config_;
  std::function<void(const HealthResult&)> on_result_;
  net::asio::basic_waitable_timer<Clock, net::asio::wait_traits<Clock>, net::Executor> timer_;
};

}  // namespace spillway::upstream
