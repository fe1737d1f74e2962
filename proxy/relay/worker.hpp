#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>

#include "proxy/classify/client_key.hpp"
#include "proxy/net/listener.hpp"
#include "proxy/net/timers.hpp"
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
        gate(admission_policy(config), config.retry.budget, log_refusals(log), log_breakers(log)) {}

  std::vector<std::string> class_names;  ///< by class index
  telemetry::Log log;
  Gate gate;
  telemetry::ProcessState state;
  telemetry::Refusals refusals;
  classify::KeyHash key_hash;  ///< of clients, for fairness
  ClientConnections clients;
  std::atomic<std::size_t> head_memory{0};  ///< bytes that unfinished heads of requests take
  upstream::Endpoint endpoint;              ///< of the API; set before the workers start
  net::MemoryBudget buffered;               ///< bodies, against `limits.buffered`
  std::atomic<int> client_connections{0};
  std::atomic<int> upstream_connections{0};
  std::vector<class Worker*> workers;             ///< all of them, before the first one runs
  std::atomic<Time> told_of_descriptors{Time{}};  ///< when the log last said that they have run out
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
  /// Takes what the kernel has accepted and closes the listeners. Running and pipelined requests are answered, tunnels
  /// go on, idle connections close; `run` returns when none is left.
  void drain();
  /// Closes tunnels, in order.
  void end_tunnels();
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
  /// Descriptors have run out: says so, and closes idle clients. False: none is idle here.
  bool out_of_descriptors();
  std::string_view http_date();
  /// Counts a refusal and keeps it for the status page: every one, of a request or of a connection. False: enough of
  /// its kind have been told this second, it is not to be logged.
  bool count_refusal(admission::Reason reason, int class_index, std::string_view method, std::string_view path,
                     Time now);

  std::unique_ptr<Exchange> take_exchange();
  void give_exchange(std::unique_ptr<Exchange> exchange);

  /// A session of this worker waits at the gate: it is ticked until none does.
  void gate_wait_begins();
  void gate_wait_ends() { --waiting_at_gate_; }
  /// An exchange may have to wait for its client with its slot taken: until it leaves, the slot is taken back if
  /// another waits for one and no other client is slower.
  void slot_held_for(SlotHolder& holder);

  void session_opened() { ++sessions_; }
  void session_warm(Session& session);
  void session_not_warm() {
    --warm_count_;
    note_idle();
  }
  void session_busy(Session& session);
  /// Its head has not come whole and takes `bytes` in all. When there are too many, the oldest gives way.
  void session_reads_head(Session& session, std::size_t bytes);
  /// Its head is whole, or given up.
  void session_has_head(Session& session);
  /// It ends by itself only when its peers want.
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

  struct SlotTick final : net::Deadline {
    explicit SlotTick(Worker& w) : worker(w) {}
    void on_deadline() override;
    Worker& worker;
  };

  void accepted(net::Accepted connection);
  IdleConnection& await_bytes(Client client, bool fresh);
  bool end_idlest();
  bool ask_another_for_room(Client& client);
  void note_idle() { idle_here_.store(static_cast<int>(idle_count_) + warm_count_, std::memory_order_relaxed); }
  void refuse_connection(net::Socket socket, std::string_view peer);
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
  Sessions heads_;        ///< waiting for the rest of a head; oldest first
  IdleConnections idle_;  ///< longest first
  std::size_t idle_count_ = 0;
  int warm_count_ = 0;
  std::atomic<int> idle_here_{0};       ///< the sum of both, for the other workers
  std::atomic<int> asked_for_room_{0};  ///< by other workers, not yet done
  std::size_t sessions_ = 0;
  std::vector<std::unique_ptr<Exchange>> exchanges_;  ///< spare
  GateTick gate_tick_{*this};
  SlowClients slow_clients_;
  SlotTick slot_tick_{*this};
  int waiting_at_gate_ = 0;
  bool draining_ = false;
  std::time_t date_second_ = 0;
  std::string date_;
};

}  // namespace spillway::relay
