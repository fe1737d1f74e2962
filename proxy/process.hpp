#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/signal_set.hpp>

#include "proxy/admin/server.hpp"
#include "proxy/config/config.hpp"
#include "proxy/file_watch.hpp"
#include "proxy/relay/worker.hpp"
#include "proxy/telemetry/history.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/upstream/health.hpp"

namespace spillway {

/// The running proxy: workers on threads of their own; admin listener, health polls and signals on the caller's.
class Process {
 public:
  Process(ProxyConfig config, std::string config_path);
  ~Process();

  /// Opens every listener and finds the API. False: one clear line per problem has been logged, nothing runs.
  bool start();
  /// Serves until told to stop and drained. Returns the exit status.
  int run();

 private:
  bool open_listeners();
  bool open_admin();
  void on_signal();
  void reload();
  void drain();
  void cut();
  void tick();
  void announce(const std::vector<std::string>& addresses);

  ProxyConfig config_;
  std::string config_path_;
  relay::Shared shared_;
  net::asio::io_context loop_;
  net::asio::basic_signal_set<net::Executor> signals_;
  FileWatch watch_;  ///< of the configuration
  using Timer = net::Timer;
  Timer drain_timer_;
  Timer tick_timer_;
  std::vector<std::unique_ptr<relay::Worker>> workers_;
  std::vector<std::thread> threads_;
  std::unique_ptr<telemetry::Metrics> metrics_;
  std::unique_ptr<telemetry::History> history_;
  Time sampled_{};
  std::unique_ptr<admin::Server> admin_;
  std::unique_ptr<upstream::HealthPoller> health_;
};

}  // namespace spillway
