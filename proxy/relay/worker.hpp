#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>

#include "proxy/net/listener.hpp"
#include "proxy/net/timers.hpp"
#include "proxy/classify/client_key.hpp"
#include "proxy/relay/explain.hpp"
#include "proxy/relay/gate.hpp"
#include "proxy/relay/session.hpp"
#include "proxy/relay/settings.hpp"
#include "proxy/telemetry/counters.hpp"
#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/refusals.hpp"
#include "proxy/telemetry/state.hpp"
#include "proxy/telemetry/trace_ids.hpp"

namespace spillway::relay {

/// What all workers share. Outlives them.
struct Shared {
  explicit Shared(const ProxyConfig& config)
      : class_names(classify::class_names(config.classes)),
        log(config.log),
        gate(admission_policy(config), config.retry.budget, log_refusals(log)) {}

  std::vector<std::string> class_names;  ///< by class index
  telemetry::Log log;
  Gate gate;
  telemetry::ProcessState state;
  telemetry::Refusals refusals;
  KeyHash key_hash;             ///< of clients, for fairness
  upstream::Endpoint endpoint;  ///< of the API; set before the workers start
  std::atomic<int> client_connections{0};
  std::atomic<int> upstream_connections{0};
  std::vector<class Worker*> workers;  ///< all of them, before the first one runs
};

/// One event loop with its listeners, client sessions and connections to the API. Everything but the functions marked
/// so is used from its own thread only.
class Worker {
 public:
  Worker(Shared& shared, std::shared_ptr<const Settings> settings);
  ~Worker();

  /// Before `run`.
  void listen(net::ListenSocket socket);
  /// Serves until drained. The thread's body.
  void run();

  // From any thread.
  void reconfigure(std::shared_ptr<const Settings> settings);
  void stop_accepting();
  /// Running and pipelined requests are answered, idle connections close; `run` returns when none is left.
  void drain();
  /// Cuts what is still open.
  void abort();
  const telemetry::WorkerCounters& counters() const { return counters_; }

  // For sessions.
  Shared& shared() { return shared_; }
  const std::shared_ptr<const Settings>& settings() const { return settings_; }
  net::Executor executor() { return loop_.get_executor(); }
  net::Timers& timers() { return timers_; }
  net::BlockPool& blocks() { return blocks_; }
  upstream::Pool& upstream() { return upstream_; }
  telemetry::WorkerCounters& counters() { return counters_; }
  telemetry::IdGenerator& ids() { return ids_; }
  bool draining() const { return draining_; }
  std::string_view http_date();

  std::unique_ptr<Exchange> take_exchange();
  void give_exchange(std::unique_ptr<Exchange> exchange);

  /// A session of this worker waits at the gate: it is ticked until none does.
  void gate_wait_begins();
  void gate_wait_ends() { --waiting_at_gate_; }

  void session_opened() { ++sessions_; }
  void session_warm(Session& session);
  void session_not_warm() {
    --warm_count_;
    note_idle();
  }
  void session_busy(Session& session);
  /// It ends by itself only when its peers want: a drain ends it.
  void session_tunnels(Session& session);
  void session_closed();
  void rest(Client client, bool ending = false);
  /// For idle connections: a request comes, or it ends here.
  void idle_ended(Client client, bool request_comes);

 private:
  using Sessions = boost::intrusive::list<Session, boost::intrusive::base_hook<Session::WorkerHook>,
                                          boost::intrusive::constant_time_size<false>>;
  using IdleConnections = boost::intrusive::list<IdleConnection, boost::intrusive::base_hook<IdleConnection::Hook>,
                                                 boost::intrusive::constant_time_size<false>>;

  struct GateTick final : net::Deadline {
    explicit GateTick(Worker& w) : worker(w) {}
    void on_deadline() override;
    Worker& worker;
  };

  void accepted(net::Accepted connection);
  IdleConnection& await_bytes(Client client, bool fresh);
  bool end_idlest();
  bool ask_another_for_room(Client& client);
  void note_idle() { idle_here_.store(static_cast<int>(idle_count_) + warm_count_, std::memory_order_relaxed); }
  void refuse_connection(net::Socket socket);
  void finish_if_drained();

  Shared& shared_;
  std::shared_ptr<const Settings> settings_;
  net::asio::io_context loop_;
  net::asio::executor_work_guard<net::Executor> work_;
  net::Timers timers_;
  net::BlockPool blocks_;
  telemetry::WorkerCounters counters_;
  upstream::Pool upstream_;
  telemetry::IdGenerator ids_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  Sessions busy_;
  Sessions warm_;  ///< waiting for the next request with their buffer; longest first
  Sessions tunnels_;
  IdleConnections idle_;  ///< longest first
  std::size_t idle_count_ = 0;
  int warm_count_ = 0;
  std::atomic<int> idle_here_{0};       ///< the sum of both, for the other workers
  std::atomic<int> asked_for_room_{0};  ///< by other workers, not yet done
  std::size_t sessions_ = 0;
  std::vector<std::unique_ptr<Exchange>> exchanges_;  ///< spare
  GateTick gate_tick_{*this};
  int waiting_at_gate_ = 0;
  bool draining_ = false;
  std::time_t date_second_ = 0;
  std::string date_;
};

}  // namespace spillway::relay
