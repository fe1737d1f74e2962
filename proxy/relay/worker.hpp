#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "proxy/classify/client_key.hpp"
#include "proxy/http2/abuse_kind.hpp"
#include "proxy/net/heap_trim.hpp"
#include "proxy/net/listener.hpp"
#include "proxy/net/memory_budget.hpp"
#include "proxy/net/timers.hpp"
#include "proxy/net/turn.hpp"
#include "proxy/relay/arriving_bodies.hpp"
#include "proxy/relay/client_connections.hpp"
#include "proxy/relay/explain.hpp"
#include "proxy/relay/gate.hpp"
#include "proxy/relay/settings.hpp"
#include "proxy/relay/slow_clients.hpp"
#include "proxy/relay/stream_memory.hpp"
#include "proxy/relay/unnamed_balancer.hpp"
#include "proxy/telemetry/counters.hpp"
#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/refusals.hpp"
#include "proxy/telemetry/seldom.hpp"
#include "proxy/telemetry/state.hpp"
#include "proxy/text/http_date.hpp"
#include "proxy/tracing/ids.hpp"
#include "proxy/tracing/queue.hpp"
#include "proxy/upstream/connection_pool.hpp"

namespace spillway::relay {

class ConnectionTable;
class Exchange;
class Worker;

/// `spillway-` and 48 random bits: only what this process has sent carries it in `Via`.
std::string own_pseudonym();

/// What all workers share. Outlives them.
struct Shared {
  explicit Shared(const ProxyConfig& config)
      : class_names(classify::class_names(config.classes)),
        log(config.log),
        gate(admission_policy(config), config.retry.budget, log_refusals(log), log_breakers(log)),
        addresses(config.upstream.address) {}

  std::vector<std::string> class_names;  ///< by class index
  tracing::Queue* spans = nullptr;       ///< null: no spans are recorded. Set before the first worker runs
  telemetry::Log log;
  Gate gate;
  telemetry::ProcessState state;
  telemetry::Refusals refusals;
  classify::KeyHash key_hash;  ///< of clients, for fairness
  const std::string pseudonym = own_pseudonym();
  ClientConnections clients;
  std::atomic<std::size_t> head_memory{0};  ///< bytes that unfinished heads of requests take
  net::MemoryBudget buffered;               ///< bodies, against `limits.buffered`
  ArrivingMemory arriving;                  ///< part of it
  std::atomic<int> client_connections{0};
  std::atomic<int> upstream_connections{0};
  std::vector<Worker*> workers;         ///< all of them, before the first one runs
  std::function<void()> found_nobody;   ///< a request could not be connected to the API. Set before the first one runs
  telemetry::Seldom descriptor_news;    ///< they have run out
  telemetry::Seldom proxy_header_news;  ///< a connection lacks it
  std::array<telemetry::Seldom, http2::kAbuseKinds> http2_news;  ///< a connection was closed for abuse of a kind
  std::atomic<bool> unnamed_balancer_told{false};
  telemetry::Seldom handshake_news;     ///< one of a client has failed
  telemetry::Seldom loop_news;          ///< a request has come back
  telemetry::Seldom upstream_tls_news;  ///< TLS to the API has failed
  upstream::Addresses addresses;        ///< of the API. Last: its thread writes to the log and the state
};

/// One event loop and what runs on it: listeners, client connections, connections to the API, timers, buffers.
/// Everything but the functions marked so is used from its own thread only.
class Worker {
 public:
  Worker(Shared& shared, std::shared_ptr<const Settings> settings);
  ~Worker();

  /// Before `run`. `listen` is the entry of the configuration that the socket was opened for, and `entry` its index.
  void listen(net::ListenSocket socket, const config::Listen& listen, std::size_t entry);
  /// Before `run`: what is read and sent is collected for `batch`.
  void collect(std::unique_ptr<net::Batch> batch) { batch_ = std::move(batch); }
  /// Serves until drained. The thread's body.
  void run();

  // From any thread.
  void reconfigure(std::shared_ptr<const Settings> settings);
  enum class Drain : std::uint8_t {
    ends,  ///< idle connections close at once
    /// Another process goes on listening. Its start must not cost a client an error: idle connections have a moment
    /// for a request that is on its way, whose answer says that the connection ends.
    succeeded,
  };
  /// Takes what the kernel has accepted and closes the listeners. Running and pipelined requests are answered, streams
  /// go on, idle connections close; `run` returns when none is left.
  void drain(Drain how);
  /// Makes room for a connection to an API that serves few at a time.
  void close_idle_upstream();
  /// Closes idle connections to addresses that the API's name no longer has.
  void addresses_changed();
  /// Closes tunnels, in order, cuts event streams, and refuses requests without a response.
  void stop_exchanges();
  /// Cuts what is still open.
  void abort();
  const telemetry::WorkerCounters& counters() const { return counters_; }
  net::Executor executor() { return loop_.get_executor(); }
  ConnectionTable& connections() { return *connections_; }

  // For connections and exchanges.
  Shared& shared() { return shared_; }
  const std::shared_ptr<const Settings>& settings() const { return settings_; }
  net::Turn& turn() { return turn_; }
  net::Timers& timers() { return timers_; }
  net::BlockPool& blocks() { return blocks_; }
  net::HeapTrim& heap() { return heap_; }
  net::HangUps& hang_ups() { return hang_ups_; }
  upstream::ConnectionPool& upstream() { return upstream_; }
  telemetry::WorkerCounters& counters() { return counters_; }
  tracing::IdGenerator& ids() { return ids_; }
  bool draining() const { return draining_; }
  bool succeeded() const { return succeeded_; }
  /// Of now, for a `Date` field.
  std::string_view http_date() { return date_.at(std::time(nullptr)); }
  struct Refused {
    admission::Reason reason;
    int class_index;
    std::string_view method = {}, path = {};  ///< empty: of a connection
    int in_flight = 0, limit = 0;             ///< at that moment
    Duration waited{};
  };
  /// Counts a refusal and keeps it for the status page: every one, of a request or of a connection. False: enough of
  /// its kind have been logged this second, so this one is not to be logged.
  bool count_refusal(const Refused& refused, Time now);

  /// An untrusted peer has sent X-Forwarded-For or Forwarded. Warns once if one keeps doing so.
  void tells_of_clients(std::string_view peer);

  std::unique_ptr<Exchange> take_exchange();
  void give_exchange(std::unique_ptr<Exchange> exchange);

  /// An exchange of this worker waits at the gate: the gate is ticked until none does.
  void gate_wait_begins();
  void gate_wait_ends() { --waiting_at_gate_; }
  /// An exchange may have to wait for its client with its slot taken: until it leaves, the slot is taken back if
  /// another waits for one and no other client is slower.
  void slot_held_for(SlotHolder& holder);

  ArrivingBodies& arriving() { return arriving_; }
  /// More of it has come, and more is awaited: see `ArrivingBodies::holds`. Takes memory back from the slowest while
  /// all together hold too much. False: from this one.
  bool body_arrives(ArrivingBody& body, std::size_t memory, std::uint64_t received, Time now);
  StreamMemory& stream_memory() { return stream_memory_; }
  /// This worker's part of `limits.http2.memory`.
  std::size_t stream_memory_limit() const { return settings_->config.limits.http2.memory / shared_.workers.size(); }

  /// Ends `run` if the worker drains and no connection is left.
  void finish_if_drained();

 private:
  struct GateTick final : net::Deadline {
    explicit GateTick(Worker& w) : worker(w) {}
    void on_deadline() override;
    Worker& worker;
  };

  void begin_collecting();
  void empty_pools();
  /// Waits for a timer, and observes how late it comes.
  void measure_lag();

  struct SlotTick final : net::Deadline {
    explicit SlotTick(Worker& w) : worker(w) {}
    void on_deadline() override;
    Worker& worker;
  };

  Shared& shared_;
  std::shared_ptr<const Settings> settings_;
  net::asio::io_context loop_;
  net::Turn& turn_;
  std::unique_ptr<net::Batch> batch_;  ///< until the thread runs that uses it
  net::asio::executor_work_guard<net::Executor> work_;
  net::Timers timers_;
  net::Timer lag_timer_;
  net::HangUps hang_ups_;
  net::BlockPool blocks_;
  net::HeapTrim heap_{timers_, [this] { empty_pools(); }};
  telemetry::WorkerCounters counters_;
  StreamMemory stream_memory_{counters_.http2_memory};
  upstream::ConnectionPool upstream_;
  tracing::IdGenerator ids_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::unique_ptr<ConnectionTable> connections_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;  ///< spare
  GateTick gate_tick_{*this};
  SlowClients slow_clients_;
  SlotTick slot_tick_{*this};
  ArrivingBodies arriving_;
  UnnamedBalancer unnamed_balancer_;
  int waiting_at_gate_ = 0;
  bool draining_ = false, succeeded_ = false;
  text::HttpDate date_;
};

}  // namespace spillway::relay
