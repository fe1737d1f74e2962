#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "proxy/admission/load_report.hpp"
#include "proxy/config/config.hpp"
#include "proxy/net/timed_stream.hpp"
#include "proxy/tls/client_context.hpp"
#include "proxy/upstream/addresses.hpp"
#include "proxy/upstream/poll_schedule.hpp"

namespace spillway::upstream {

struct HealthResult {
  bool asked = true;      ///< false: there was no descriptor for a connection, which says nothing of the API
  bool healthy = false;   ///< answered in time, with a status that is expected
  bool answered = false;  ///< with any status
  bool silent = false;    ///< no answer came in time
  bool connected = false;
  bool nobody = false;  ///< nobody listens at any address
  bool counts = true;   ///< false: a failed poll that came sooner than it had to, see PollSchedule
  std::string text;     ///< what came of it, such as `GET /health: 404 in 3 ms`
  std::string body;     ///< of the answer
  std::optional<admission::LoadReport> report;  ///< if the API reports one
};

/// Polls the API's health when `PollSchedule` says. Each poll opens a new connection: an API that accepts none is not
/// healthy. A poll tries every address; the first that can be connected to is asked. In mode off and with interval 0 it
/// does not poll, and the API counts as healthy, as with a load balancer without a health check. Runs on the control
/// loop, for as long as that runs. `on_result` is called after each poll.
class HealthPoller {
 public:
  /// `tls`: null for plain connections.
  HealthPoller(net::asio::io_context& loop, Addresses& addresses, HealthConfig config,
               std::shared_ptr<const tls::ClientContext> tls, std::function<void(const HealthResult&)> on_result);
  void start();
  /// Polls at once, and then at the new interval.
  void configure(HealthConfig config, std::shared_ptr<const tls::ClientContext> tls);

  // From any thread.
  /// A request has found nobody at any address.
  void unreachable();
  /// The API's name has other addresses than before.
  void moved();

 private:
  bool polling() const { return config_.interval > Duration::zero() && config_.mode != HealthMode::off; }
  net::Task<> run();
  net::Task<HealthResult> try_poll();
  net::Task<HealthResult> poll();
  net::Task<net::error_code> connect(std::optional<net::TimedStream>& stream, bool& nobody, Time end);

  net::asio::io_context& loop_;
  Addresses& addresses_;
  HealthConfig config_;
  std::shared_ptr<const tls::ClientContext> tls_;
  std::function<void(const HealthResult&)> on_result_;
  PollSchedule schedule_;
  std::mt19937 random_{std::random_device{}()};
  std::atomic<bool> told_{false};  ///< `unreachable` is on its way to the loop: a flood of failures is told once
  net::asio::basic_waitable_timer<Clock, net::asio::wait_traits<Clock>, net::Executor> timer_;
};

}  // namespace spillway::upstream
