#include "proxy/relay/worker.hpp"

#include <ctime>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

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
constexpr Duration kGateTick = std::chrono::milliseconds(10);
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
  listeners_.push_back(std::make_unique<net::Listener>(executor(), std::move(socket),
                                                       [this](net::Accepted a) { accepted(std::move(a)); }));
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

void Worker::stop_accepting() {
  net::asio::post(loop_, [this] {
    for (auto& listener : listeners_) listener->stop();
  });
}

void Worker::drain() {
  net::asio::post(loop_, [this] {
    draining_ = true;
    for (auto& listener : listeners_) listener->stop();
    // Ending one may take it off the list, but only later, from its own coroutine.
    for (IdleConnection& idle : idle_) {
      if (idle.fresh()) {
        timers_.arm(idle, Clock::now() + kFreshMayTake);
      } else {
        idle.end();
      }
    }
    for (Session& session : warm_) session.end_idle();
    for (Session& session : tunnels_) session.end_idle();
    finish_if_drained();
  });
}

void Worker::abort() {
  net::asio::post(loop_, [this] {
    for (IdleConnection& idle : idle_) idle.end();
    for (Session& session : warm_) session.end_idle();
    for (Session& session : busy_) session.abort();
    for (Session& session : tunnels_) session.abort();
  });
}

void Worker::accepted(net::Accepted accepted) {
  Client client{std::move(accepted.socket), std::move(accepted.peer),
                ConnectionCount(counters_.client_connections, shared_.client_connections)};
  if (shared_.client_connections.load(std::memory_order_relaxed) > settings_->config.limits.connections) {
    if (!end_idlest()) {
      if (!ask_another_for_room(client)) refuse_connection(std::move(client.socket));
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
        refuse_connection(std::move(kept->socket));
        finish_if_drained();
      });
    });
    return true;
  }
  return false;
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
  timers_.arm(*idle, Clock::now() + settings_->config.timeouts.keep_alive);
  idle->wait();
  return *idle;
}

void Worker::idle_ended(Client client, bool request_comes) {
  --idle_count_;
  note_idle();
  if (request_comes) {
    net::asio::co_spawn(loop_, Session::serve(*this, std::move(client)), net::asio::detached);
  } else {
    net::error_code ignored;
    client.socket.close(ignored);
    finish_if_drained();
  }
}

/// One write into an empty socket buffer does not block; whoever does not read it has lost only the explanation.
void Worker::refuse_connection(net::Socket socket) {
  std::string out;
  const text::RequestId id = ids_.request_id();
  ProblemContext context;
  context.request_id = telemetry::view(id);
  context.date = http_date();
  context.retry_after = shared_.gate.retry_after(admission::Reason::connections, Clock::now());
  context.keep_alive = false;
  const Answer answer = describe(Failure::refused(admission::Reason::connections));
  write_problem(answer, context, out);
  net::error_code ignored;
  socket.write_some(net::asio::buffer(out), ignored);
  socket.shutdown(net::Socket::shutdown_send, ignored);
  counters_.classes[classify::kDefaultClassIndex]
      .rejections[static_cast<std::size_t>(admission::Reason::connections)]
      .add();
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
