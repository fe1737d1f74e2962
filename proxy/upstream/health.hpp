#pragma once

#include <functional>
#include <optional>
#include <string>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>

#include "proxy/admission/load_report.hpp"
#include "proxy/config/config.hpp"
#include "proxy/net/io.hpp"
#include "proxy/upstream/addresses.hpp"

namespace spillway::upstream {

using PollStream = boost::beast::basic_stream<net::asio::generic::stream_protocol, net::Executor>;

struct HealthResult {
  bool asked = true;      ///< false: there was no descriptor for a connection, which says nothing of the API
  bool healthy = false;   ///< answered in time, with a status that is expected
  bool answered = false;  ///< with any status
  bool silent = false;    ///< no answer came in time
  std::string text;       ///< what came of it, such as `GET /health: 404 in 3 ms`
  std::optional<admission::LoadReport> report;  ///< if the API reports one
};

/// Polls the API's health once an interval, and ten times as often while it is down. Each poll opens a new connection:
/// an API that accepts none is not healthy. In mode off and with interval 0 it does not poll, and the API counts as
/// healthy, as with a load balancer without a health check. Runs on the control loop, for as long as that runs.
/// `on_result` is called after each poll.
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
  net::Task<net::error_code> connect(PollStream& stream, Time end);

  net::asio::io_context& loop_;
  Addresses& addresses_;
  HealthConfig config_;
  std::function<void(const HealthResult&)> on_result_;
  net::asio::basic_waitable_timer<Clock, net::asio::wait_traits<Clock>, net::Executor> timer_;
};

}  // namespace spillway::upstream
