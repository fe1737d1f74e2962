#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "config/load.hpp"
#include "proxy/admin/server.hpp"
#include "proxy/certificates.hpp"
#include "proxy/config/config.hpp"
#include "proxy/descriptors.hpp"
#include "proxy/file_watch.hpp"
#include "proxy/handover/offer.hpp"
#include "proxy/handover/predecessor.hpp"
#include "proxy/net/signals.hpp"
#include "proxy/relay/worker.hpp"
#include "proxy/telemetry/history.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/tracing/exporter.hpp"
#include "proxy/upstream/health.hpp"
#include "proxy/upstream/health_state.hpp"

namespace spillway {

/// The running proxy: workers and signals on threads of their own; admin listener and health polls on the caller's.
class Process {
 public:
  /// `references` of the configuration: see config::References. `origin`: what a reload reads. `command`: what started
  /// it, and would start its successor.
  Process(ProxyConfig config, config::References references, config::Origin origin, std::vector<std::string> command);
  ~Process();

  /// Opens every listener and finds the API. False: one clear line per problem has been logged, nothing runs.
  bool start();
  /// Serves until told to stop and drained. Returns the exit status.
  int run();

 private:
  void note_poll(const upstream::HealthResult& result);
  void tick();
  void drain();
  std::string effective_config() const;

  // process_start.cpp
  bool open_rings();
  void find_api();
  bool prepare_tracing();
  bool fit_to_descriptors();
  void apply();
  std::size_t configured(const config::Listen& inherited) const;
  bool open_listeners();
  bool open_admin();
  void announce(const std::vector<std::string>& addresses);
  void announce_page();

  // process_reload.cpp
  void reload();
  std::vector<std::string> files(const ProxyConfig& config) const;
  void reload_certificates();
  void refuse_reload(const std::vector<config::Error>& errors);

  // process_handover.cpp: from a predecessor, and to a successor.
  bool take_over();
  std::vector<std::vector<net::ListenSocket>> sockets_of(handover::Listening what, const config::Listen& listen,
                                                         int workers, std::string& error);
  bool open_handover();
  bool succeed();
  std::string state_for_successor();
  int spare_slots() const;
  void own_files(bool owned) const;
  void succeeded_by(pid_t successor);
  void start_successor();
  void look_after_successor(Time now);

  struct Loop : net::asio::io_context {
    using io_context::shutdown;
  };

  ProxyConfig config_;    ///< as the file says, but for what waits for a restart
  ProxyConfig in_force_;  ///< the same, with limits that fit the descriptors
  config::References references_;
  config::Origin origin_;
  std::string admin_name_;  ///< the address that it is bound to
  Loop loop_;
  net::Signals signals_;  ///< before anything that starts a thread, and until the log has ended
  relay::Shared shared_;
  Descriptors descriptors_;
  std::string lowered_;  ///< what the log has said of limits that do not fit
  FileWatch watch_;      ///< of the configuration and the files that it names
  Certificates certificates_;
  FileWatch certificate_watch_;
  bool refused_ = false;  ///< the configuration, when it was read last
  using Timer = net::asio::basic_waitable_timer<Clock, net::asio::wait_traits<Clock>, net::Executor>;
  Timer drain_timer_;
  Timer tick_timer_;
  std::vector<std::unique_ptr<relay::Worker>> workers_;
  std::vector<std::thread> threads_;
  std::unique_ptr<tracing::Exporter> exporter_;  ///< null: no spans are recorded
  std::unique_ptr<telemetry::Metrics> metrics_;
  std::unique_ptr<telemetry::History> history_;
  Time sampled_{};
  std::unique_ptr<admin::Server> admin_;
  std::unique_ptr<upstream::HealthPoller> health_;
  upstream::HealthState health_state_;
  bool down_answers_ = false;  ///< the log has said that an API that is down answers its polls
  std::uint64_t answers_ = 0;  ///< of the API, at the last poll

  // Upgrades, see handover/.
  std::vector<std::string> command_;
  struct Held {
    handover::Listening what;
    net::ListenSocket socket;
  };
  std::vector<Held> held_;                ///< copies of the listening sockets, for a successor
  std::optional<handover::State> taken_;  ///< from the predecessor, until it is in use
  std::atomic<pid_t> successor_{0};       ///< it has taken over
  std::atomic<Time> succeeded_{Time{}};   ///< when
  pid_t child_ = 0;                       ///< started to become the successor
  Time child_since_{};
  std::unique_ptr<handover::Predecessor> predecessor_;
  std::unique_ptr<handover::Offer> offer_;  ///< null: `handover` is empty
};

}  // namespace spillway
