#include "proxy/relay/worker.hpp"

#include <ctime>

#include <boost/asio/post.hpp>

#include "proxy/net/spawn.hpp"

namespace spillway::relay {

namespace {
/// Spare request states: as many as are commonly in flight.
constexpr std::size_t kSpareExchanges = 64;
/// Idle connections that keep their buffer for a moment: 4 MiB of buffers.
constexpr int kWarmMax = 256;
/// How long a client that has just connected may take to send its request when the process is told to stop: its bytes
/// may be on the way, and a connection closed now would be an error to it.
constexpr Duration kFreshMayTake = std::chrono::seconds(1);
/// Connections that are looked at for one that is idle indeed. Those that are stand in front.
constexpr int kLooksForIdle = 8;
/// Idle clients closed at a time when descriptors have run out.
constexpr int kRoomMade = 16;
/// At most that often the log says that they have.
constexpr Duration kTellAgain = std::chrono::seconds(10);
/// What unfinished heads of requests may take at all workers together: as much as `limits.connections` of them by
/// default, 10,000, if each has sent up to 2 KiB. Common heads are smaller and whole at once; a flood of larger ones
/// finds its bound here.
constexpr std::size_t kHeadMemory = 64 * 1024 * 1024;
constexpr Duration kGateTick = std::chrono::milliseconds(10);
/// How often slots of slow clients are taken back while somebody waits for one, one at a time: the first goes to who
/// waits before the next is taken.
constexpr Duration kSlotTick = std::chrono::milliseconds(20);
/// Input and output of an event loop stay on its thread, so the reactor needs no locks; posting does.
constexpr int kOneThread = BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO;
}  // namespace

Worker::Worker(Shared& shared, std::shared_ptr<const Settings> settings)
    : shared_(shared),
      settings_(std::move(settings)),
      loop_(kOneThread),
      work_(loop_.get_executor()),
      timers_(loop_),
      counters_(shared.class_names.size()),
      upstream_(timers_, blocks_, counters_, shared.upstream_connections) {
  upstream_.configure(settings_->pool);
  shared_.workers.push_back(this);
}

Worker::~Worker() = default;

void Worker::listen(net::ListenSocket socket) {
  listeners_.push_back(std::make_unique<net::Listener>(
      executor(), std::move(socket), [this](net::Accepted a) { accepted(std::move(a)); },
      [this] { return out_of_descriptors(); }));
}

void Worker::run() {
  for (auto& listener : listeners_) listener->start();
  loop_.run();
}

void Worker::reconfigure(std::shared_ptr<const Settings> settings) {
  net::asio::post(loop_, [this, next = std::move(settings)]() mutable {
    settings_ = std::move(next);
    upstream_.configure(settings_->pool);
  });
}

void Worker::drain() {
  net::asio::post(loop_, [this] {
    draining_ = true;
    for (auto& listener : listeners_) listener->drain();
    // Ending one may take it off the list, but only later, from its own coroutine.
    for (IdleConnection& idle : idle_) {
      if (idle.fresh()) {
        timers_.arm(idle, Clock::now() + kFreshMayTake);
      } else {
        idle.end();
      }
    }
    for (Session& session : warm_) session.end_idle();
    finish_if_drained();
  });
}

void Worker::end_tunnels() {
  net::asio::post(loop_, [this] {
    for (Session& session : tunnels_) session.end_idle();
  });
}

void Worker::abort() {
  net::asio::post(loop_, [this] {
    for (IdleConnection& idle : idle_) idle.end();
    for (Session& session : warm_) session.end_idle();
    for (Session& session : busy_) session.abort();
    for (Session& session : heads_) session.abort();
    for (Session& session : tunnels_) session.abort();
  });
}

void Worker::accepted(net::Accepted accepted) {
  Client client{std::move(accepted.socket), std::move(accepted.peer),
                ConnectionCount(counters_.client_connections, shared_.client_connections)};
  const int most = settings_->config.limits.connections_per_client;
  if (most > 0 && !settings_->trusts(client.peer)) {
    client.counted.of_client = shared_.clients.enter(client.peer, most);
    if (!client.counted.of_client) return refuse_connection(std::move(client.socket), client.peer);
  }
  if (shared_.client_connections.load(std::memory_order_relaxed) > settings_->config.limits.connections) {
    if (!end_idlest()) {
      if (!ask_another_for_room(client)) refuse_connection(std::move(client.socket), client.peer);
      return;
    }
  }
  await_bytes(std::move(client), true);
}

/// Makes room: the connection that has been idle longest goes first. False: none is idle here.
bool Worker::end_idlest() {
  int looks = 0;
  for (IdleConnection& oldest : idle_) {
    if (++looks > kLooksForIdle) break;
    // It would be answered still, and in a flood they all would: one more for each that is accepted.
    if (oldest.bytes_wait()) continue;
    oldest.IdleConnection::Hook::unlink();
    oldest.close();
    return true;
  }
  for (Session& oldest : warm_) {
    if (++looks > kLooksForIdle) break;
    if (oldest.bytes_wait()) continue;
    session_busy(oldest);
    oldest.make_room();
    return true;
  }
  return false;
}

/// Asks a worker that has idle connections to end one, and takes the client if it could. False: there is no such
/// worker, and the client is still the caller's.
bool Worker::ask_another_for_room(Client& client) {
  for (Worker* other : shared_.workers) {
    const int idle = other->idle_here_.load(std::memory_order_relaxed);
    if (other == this || idle <= other->asked_for_room_.load(std::memory_order_relaxed)) continue;
    other->asked_for_room_.fetch_add(1, std::memory_order_relaxed);
    ++idle_count_;  // a drain waits for the answer
    net::asio::post(other->loop_, [this, other, kept = std::make_shared<Client>(std::move(client))]() mutable {
      other->asked_for_room_.fetch_sub(1, std::memory_order_relaxed);
      const bool room = other->end_idlest();
      net::asio::post(loop_, [this, room, kept = std::move(kept)] {
        --idle_count_;
        if (room && !draining_) return void(await_bytes(std::move(*kept), true));
        refuse_connection(std::move(kept->socket), kept->peer);
        finish_if_drained();
      });
    });
    return true;
  }
  return false;
}

bool Worker::out_of_descriptors() {
  const Time now = Clock::now();
  Time told = shared_.told_of_descriptors.load();
  if (now - told >= kTellAgain && shared_.told_of_descriptors.compare_exchange_strong(told, now)) {
    shared_.log.warning(
        "out of descriptors: idle clients are closed, and nobody is accepted for a moment; raise RLIMIT_NOFILE or "
        "lower "
        "limits.connections");
  }
  int closed = 0;
  while (closed < kRoomMade && end_idlest()) ++closed;
  return closed > 0;
}

void Worker::rest(Client client, bool ending) {
  IdleConnection& idle = await_bytes(std::move(client), false);
  if (ending || draining_) idle.end();
}

IdleConnection& Worker::await_bytes(Client client, bool fresh) {
  auto* idle = new IdleConnection(*this, std::move(client), fresh);  // owned by its wait
  ++idle_count_;
  note_idle();
  idle_.push_back(*idle);
  timers_.arm(*idle, Clock::now() + settings_->idle_for);
  idle->wait();
  return *idle;
}

void Worker::idle_ended(Client client, bool request_comes) {
  --idle_count_;
  note_idle();
  if (request_comes) {
    // A session that an exception tears apart leaves reads under way into memory that is gone: better no process.
    net::spawn_vital(loop_, Session::serve(*this, std::move(client)), "a client's connection");
  } else {
    net::error_code ignored;
    client.socket.close(ignored);
    finish_if_drained();
  }
}

/// One write into an empty socket buffer does not block; whoever does not read it has lost only the explanation.
void Worker::refuse_connection(net::Socket socket, std::string_view peer) {
  std::string out;
  const text::RequestId id = ids_.request_id();
  ProblemContext context;
  context.request_id = telemetry::view(id);
  context.date = http_date();
  context.retry_after = shared_.gate.retry_after();
  context.keep_alive = false;
  const Answer answer = describe(Failure::refused(admission::Reason::connections));
  write_problem(answer, context, out);
  net::error_code ignored;
  socket.write_some(net::asio::buffer(out), ignored);
  socket.shutdown(net::Socket::shutdown_send, ignored);
  // No request has been read: it is of no class, and none is counted.
  if (!count_refusal(admission::Reason::connections, classify::kDefaultClassIndex, {}, {}, Clock::now())) return;
  if (!shared_.log.wants(answer.outcome)) return;
  telemetry::AccessEntry entry;
  entry.request_id = context.request_id;
  entry.client = peer;
  entry.status = answer.status;
  entry.outcome = answer.outcome;
  entry.reason = answer.reason;
  shared_.log.access(entry);
}

bool Worker::count_refusal(admission::Reason reason, int class_index, std::string_view method, std::string_view path,
                           Time now) {
  counters_.classes[static_cast<std::size_t>(class_index)].rejections[static_cast<std::size_t>(reason)].add();
  if (!shared_.refusals.take(reason, now)) return false;
  shared_.refusals.remember(
      {std::chrono::system_clock::now(), reason, class_index, std::string(method), std::string(path)});
  return true;
}

std::unique_ptr<Exchange> Worker::take_exchange() {
  if (exchanges_.empty()) return std::make_unique<Exchange>(executor());
  std::unique_ptr<Exchange> exchange = std::move(exchanges_.back());
  exchanges_.pop_back();
  return exchange;
}

void Worker::give_exchange(std::unique_ptr<Exchange> exchange) {
  if (exchanges_.size() < kSpareExchanges) exchanges_.push_back(std::move(exchange));
}

void Worker::gate_wait_begins() {
  if (waiting_at_gate_++ == 0) timers_.arm(gate_tick_, Clock::now() + kGateTick);
}

void Worker::GateTick::on_deadline() {
  const Time now = Clock::now();
  worker.shared_.gate.tick(now);
  if (worker.waiting_at_gate_ > 0) worker.timers_.arm(*this, now + kGateTick);
}

void Worker::slot_held_for(SlotHolder& holder) {
  if (slow_clients_.empty()) timers_.arm(slot_tick_, Clock::now() + kSlotTick);
  slow_clients_.join(holder);
}

void Worker::SlotTick::on_deadline() {
  const Time now = Clock::now();
  if (worker.shared_.gate.short_of_slots(now - kSlotTick)) {
    if (SlotHolder* slowest = worker.slow_clients_.slowest(now)) static_cast<Session*>(slowest)->take_slot_back();
  }
  if (!worker.slow_clients_.empty()) worker.timers_.arm(*this, now + kSlotTick);
}

void Worker::session_warm(Session& session) {
  session.unlink_from_worker();
  warm_.push_back(session);
  ++warm_count_;
  note_idle();
  if (warm_count_ > kWarmMax) {
    Session& oldest = warm_.front();
    session_busy(oldest);
    oldest.cool();
  }
}

void Worker::session_busy(Session& session) {
  session.unlink_from_worker();
  busy_.push_back(session);
}

void Worker::session_reads_head(Session& session, std::size_t bytes) {
  const std::size_t before = session.take_head_memory(bytes);
  if (before == 0) {
    session.unlink_from_worker();
    heads_.push_back(session);
  }
  std::size_t all = shared_.head_memory.fetch_add(bytes - before, std::memory_order_relaxed) + bytes - before;
  while (all > kHeadMemory && !heads_.empty()) {
    Session& oldest = heads_.front();
    const std::size_t taken = oldest.head_memory();
    session_has_head(oldest);
    oldest.give_way();
    all -= taken;
  }
}

void Worker::session_has_head(Session& session) {
  const std::size_t bytes = session.take_head_memory(0);
  if (bytes == 0) return;  // whole at once, or it has given way
  shared_.head_memory.fetch_sub(bytes, std::memory_order_relaxed);
  session_busy(session);
}

void Worker::session_tunnels(Session& session) {
  session.unlink_from_worker();
  tunnels_.push_back(session);
}

void Worker::session_closed() {
  --sessions_;
  finish_if_drained();
}

void Worker::finish_if_drained() {
  if (!draining_ || sessions_ + idle_count_ > 0) return;
  upstream_.close();
  timers_.stop();
  work_.reset();
}

/// IMF-fixdate (RFC 9110, section 5.6.7), made once a second.
std::string_view Worker::http_date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_second_) {
    date_second_ = now;
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[32];
    date_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
  }
  return date_;
}

}  // namespace spillway::relay
