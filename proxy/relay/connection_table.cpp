#include "proxy/relay/connection_table.hpp"

#include <algorithm>
#include <memory>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "proxy/http1/writer.hpp"
#include "proxy/net/spawn.hpp"
#include "proxy/relay/own_response.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
/// Connections that keep their buffer while they wait for the next request: so many in any case, and so many at most.
/// Of a buffer the first 4 KiB are in use, with the coroutine it makes 7: 2 MiB and 28 MiB. A connection that has to
/// give it up costs a third of a request more.
constexpr int kRecentlyUsedLeast = 256;
constexpr int kRecentlyUsedMost = 4096;
/// How long a client that has just connected may take to send its request when the process is told to stop: its bytes
/// may be on the way, and a connection closed now would be an error to it. So may any idle client if the process has a
/// successor: then nobody is in a hurry.
constexpr Duration kFreshMayTake = std::chrono::seconds(1);
/// How many eviction candidates to examine; the oldest come first.
constexpr int kCandidatesMax = 8;
/// Idle connections closed at a time when descriptors have run out.
constexpr int kClosedAtOnce = 16;
/// What unfinished heads of requests may take at all workers together: as much as `limits.connections` of them by
/// default, 10,000, if each has sent up to 2 KiB. Common heads are smaller and whole at once; a flood of larger ones
/// finds its bound here.
constexpr std::size_t kHeadMemory = 64 * 1024 * 1024;
}  // namespace

ConnectionTable::ConnectionTable(Worker& worker)
    : worker_(worker), handshakes_(worker, *this), recently_used_max_(kRecentlyUsedLeast) {}

void ConnectionTable::accept(net::Accepted accepted, const config::Listen& listen, std::size_t entry) {
  Shared& shared = worker_.shared();
  const Settings& settings = *worker_.settings();
  Client client{net::Transport(std::move(accepted.socket)), std::move(accepted.peer),
                ConnectionCount(worker_.counters().client_connections, shared.client_connections)};
  const auto& contexts = settings.contexts.listeners;
  if (entry < contexts.size()) client.handshake = contexts[entry];
  client.http2 = listen.http2;
  if (listen.proxy_protocol) {
    if (!settings.trusts(client.peer)) {
      return lacks_proxy_header(client, 400, "its sender is not in trusted_proxies");
    }
    client.proxy_header = std::make_unique<std::string>();
  } else if (!enter(client)) {
    return refuse(std::move(client));
  }
  const bool full = shared.client_connections.load(std::memory_order_relaxed) > settings.config.limits.connections;
  if (full && !close_oldest_idle()) {
    if (!ask_another_worker(client)) refuse(std::move(client));
    return;
  }
  begin(std::move(client));
}

void ConnectionTable::secured(Client client) {
  client.http2 = client.transport.tls()->protocol() == "h2";
  await_request(std::move(client), true);
}

void ConnectionTable::begin(Client client) {
  if (client.handshake && !client.proxy_header) return handshakes_.begin(std::move(client));
  await_request(std::move(client), true);
}

/// Counts it for its client. False: that has too many connections.
bool ConnectionTable::enter(Client& client) {
  const int limit = worker_.settings()->config.limits.connections_per_client;
  if (limit == 0 || worker_.settings()->trusts(client.peer)) return true;
  client.counted.of_client = worker_.shared().clients.enter(client.peer, limit);
  return bool(client.counted.of_client);
}

bool ConnectionTable::is_introduced(IdleConnection& idle, Client& client) {
  if (!enter(client)) return refuse(std::move(client)), false;
  worker_.timers().arm(idle, Clock::now() + worker_.settings()->idle_for);
  return true;
}

void ConnectionTable::lacks_proxy_header(const Client& client, int status, std::string_view rule) {
  worker_.counters().bad_requests[telemetry::bad_request_index(status)].add();
  if (!worker_.shared().proxy_header_news.due(Clock::now())) return;
  const std::string_view peer = client.peer.empty() ? "a unix socket" : std::string_view(client.peer);
  worker_.shared().log.warning(fmt::format("closed a connection from {}: PROXY header: {}", peer, rule));
}

/// Frees a place: closes the connection that has been idle longest. False: none is idle here.
bool ConnectionTable::close_oldest_idle() {
  if (handshakes_.close_one()) return true;
  int candidates = 0;
  for (IdleConnection& oldest : idle_) {
    if (++candidates > kCandidatesMax) break;
    // A request has arrived, so it is not idle any more.
    if (oldest.has_unread()) continue;
    oldest.IdleConnection::Hook::unlink();
    oldest.close();
    return true;
  }
  for (Connection& oldest : quiet_) {
    if (++candidates > kCandidatesMax) break;
    if (oldest.has_unread()) continue;
    oldest.close_idle();
    return true;
  }
  for (Connection& oldest : recently_used_) {
    if (++candidates > kCandidatesMax) break;
    if (oldest.has_unread()) continue;
    is_busy(oldest);
    oldest.close_idle();
    return true;
  }
  return false;
}

/// Asks a worker that has idle connections to close one, and takes the client if it could. False: there is no such
/// worker, and the client is still the caller's.
bool ConnectionTable::ask_another_worker(Client& client) {
  for (Worker* worker : worker_.shared().workers) {
    ConnectionTable& other = worker->connections();
    const int idle = other.idle_here_.load(std::memory_order_relaxed);
    if (&other == this || idle <= other.close_requests_.load(std::memory_order_relaxed)) continue;
    other.close_requests_.fetch_add(1, std::memory_order_relaxed);
    ++idle_count_;  // a drain waits for the answer
    net::asio::post(worker->executor(), [this, &other, kept = std::make_shared<Client>(std::move(client))]() mutable {
      other.close_requests_.fetch_sub(1, std::memory_order_relaxed);
      const bool closed = other.close_oldest_idle();
      net::asio::post(worker_.executor(), [this, closed, kept = std::move(kept)] {
        --idle_count_;
        if (closed && !worker_.draining()) return begin(std::move(*kept));
        refuse(std::move(*kept));
        worker_.finish_if_drained();
      });
    });
    return true;
  }
  return false;
}

bool ConnectionTable::out_of_descriptors() {
  Shared& shared = worker_.shared();
  if (shared.descriptor_news.due(Clock::now())) {
    shared.log.warning(
        "out of descriptors: idle clients are closed, and nobody is accepted for a moment; raise RLIMIT_NOFILE or "
        "lower "
        "limits.connections");
  }
  int closed = 0;
  while (closed < kClosedAtOnce && close_oldest_idle()) ++closed;
  return closed > 0;
}

/// One write into an empty socket buffer does not block. A client that does not read misses the explanation only; so
/// does one that expects TLS, which would cost a handshake.
void ConnectionTable::refuse(Client client) {
  Shared& shared = worker_.shared();
  const text::RequestId id = worker_.ids().request_id();
  constexpr auto kReason = admission::Reason::connections;
  const std::shared_ptr<const Settings> settings = worker_.settings();
  const RefusalsConfig& refusals = settings->config.refusals;
  const Answer answer = answer_to(Failure::refused(kReason), refusals);
  OwnResponse response;
  response.make_refusal(answer, refusals.of(kReason),
                        {.request_id = text::view(id),
                         .date = worker_.http_date(),
                         .detail = {},
                         .retry_after = shared.gate.retry_after()});
  std::string text;
  http::write_response(
      response.head,
      {.keep_alive = false, .framing = response.head.framing, .request_id = text::view(id), .made_here = true}, text);
  text += response.body;
  net::Gather output;
  output.add(text);
  net::error_code ignored;
  if (!client.handshake) client.transport.write_now(output, ignored);
  client.transport.shutdown_send();
  // No request has been read: it is of no class, and none is counted.
  if (!worker_.count_refusal({kReason, classify::kDefaultClassIndex}, Clock::now())) return;
  if (!shared.log.wants(answer.outcome)) return;
  telemetry::AccessEntry entry;
  entry.request_id = text::view(id);
  entry.client = client.peer;
  entry.status = answer.status;
  entry.outcome = answer.outcome;
  entry.reason = answer.reason;
  entry.bytes_out = response.body.size();
  shared.log.access(entry);
}

IdleConnection& ConnectionTable::await_request(Client client, bool fresh) {
  auto* idle = new IdleConnection(worker_, std::move(client), fresh);  // owned by its wait
  ++idle_count_;
  publish_idle();
  idle_.push_back(*idle);
  const Settings& settings = *worker_.settings();
  Duration patience = idle->introduced() ? settings.idle_for : settings.config.timeouts.request_head;
  if (worker_.draining()) patience = std::min(patience, kFreshMayTake);
  worker_.timers().arm(*idle, Clock::now() + patience);
  idle->wait();
  return *idle;
}

void ConnectionTable::is_idle(Client client, bool ending, bool gave_way) {
  IdleConnection& idle = await_request(std::move(client), false);
  if (gave_way) {
    idle.gave_way(Clock::now());
  } else {
    recently_used_max_ = std::max(recently_used_max_ - 1, kRecentlyUsedLeast);
  }
  worker_.heap().left_free(Clock::now());
  if (ending || (worker_.draining() && !worker_.succeeded())) idle.end();
}

void ConnectionTable::was_in_time() {
  recently_used_max_ = std::min(recently_used_max_ + 1, kRecentlyUsedMost);
}

void ConnectionTable::idle_ended(Client client, bool request_comes) {
  --idle_count_;
  publish_idle();
  if (request_comes && client.handshake) {
    handshakes_.begin(std::move(client));
  } else if (request_comes) {
    // After an exception, reads under way would write into freed memory: end the process instead.
    net::spawn_vital(worker_.executor(), Connection::serve(worker_, std::move(client)), "a client's connection");
  } else {
    client.transport.close();
    worker_.finish_if_drained();
  }
}

void ConnectionTable::publish_idle() {
  idle_here_.store(static_cast<int>(idle_count_) + recently_used_count_ + quiet_count_, std::memory_order_relaxed);
}

void ConnectionTable::closed() {
  --open_;
  worker_.heap().left_free(Clock::now());
  worker_.finish_if_drained();
}

void ConnectionTable::is_busy(Connection& connection) {
  connection.leave_list();
  busy_.push_back(connection);
}

void ConnectionTable::is_recently_used(Connection& connection) {
  connection.leave_list();
  recently_used_.push_back(connection);
  ++recently_used_count_;
  publish_idle();
  if (recently_used_count_ > recently_used_max_) {
    Connection& oldest = recently_used_.front();
    is_busy(oldest);
    oldest.release_buffer();
  }
}

void ConnectionTable::was_recently_used() {
  --recently_used_count_;
  publish_idle();
}

void ConnectionTable::is_quiet(Connection& connection) {
  connection.leave_list();
  quiet_.push_back(connection);
  ++quiet_count_;
  publish_idle();
}

void ConnectionTable::was_quiet() {
  --quiet_count_;
  publish_idle();
}

void ConnectionTable::reads_head(Connection& connection, std::size_t bytes) {
  std::atomic<std::size_t>& head_memory = worker_.shared().head_memory;
  const std::size_t before = connection.set_head_memory(bytes);
  if (before == 0) {
    connection.leave_list();
    heads_.push_back(connection);
  }
  std::size_t all = head_memory.fetch_add(bytes - before, std::memory_order_relaxed) + bytes - before;
  while (all > kHeadMemory && !heads_.empty()) {
    Connection& oldest = heads_.front();
    const std::size_t taken = oldest.head_memory();
    has_head(oldest);
    oldest.evict();
    all -= taken;
  }
}

void ConnectionTable::has_head(Connection& connection) {
  const std::size_t bytes = connection.set_head_memory(0);
  if (bytes == 0) return;  // the head was complete at once, or the connection has been evicted
  worker_.shared().head_memory.fetch_sub(bytes, std::memory_order_relaxed);
  is_busy(connection);
}

void ConnectionTable::streams(Connection& connection) {
  connection.leave_list();
  streams_.push_back(connection);
}

void ConnectionTable::drain() {
  handshakes_.drain(kFreshMayTake);
  // Ending one may take it off the list, but only later, from its own coroutine.
  for (IdleConnection& idle : idle_) {
    if (idle.fresh() || worker_.succeeded()) {
      worker_.timers().arm(idle, Clock::now() + kFreshMayTake);
    } else {
      idle.end();
    }
  }
  if (!worker_.succeeded()) {
    for (Connection& connection : recently_used_) connection.end();
  }
  for (Connections* list : {&busy_, &heads_, &streams_, &quiet_}) {
    for (Connection& connection : *list) connection.drain();
  }
}

void ConnectionTable::stop_exchanges() {
  for (Connections* list : {&busy_, &streams_}) {
    for (Connection& connection : *list) connection.stop_exchanges();
  }
}

void ConnectionTable::abort() {
  handshakes_.abort();
  for (IdleConnection& idle : idle_) idle.end();
  for (Connection& connection : recently_used_) connection.end();
  for (Connections* list : {&busy_, &heads_, &streams_, &quiet_}) {
    for (Connection& connection : *list) connection.abort();
  }
}

}  // namespace spillway::relay
