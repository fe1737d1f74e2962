#include "api/server/worker.hpp"

#include <optional>
#include <string_view>
#include <utility>

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include "api/endpoints/load_report.hpp"
#include "proxy/net/spawn.hpp"

namespace api {

namespace {

/// Timeouts are this exact. A walk over all sessions, a few times a second.
constexpr Duration kSweepInterval = std::chrono::milliseconds(100);
/// Connections taken at once when the listener is ready; then others get their turn. Fewer than `kSurplus`, so that a
/// full batch finds sessions of earlier ones to end.
constexpr int kAcceptBatch = 16;
/// Connections of each worker beyond `limits.connections`, when nobody makes room: whoever watches finds a place,
/// whichever worker takes the connection.
constexpr int kSurplus = 32;
/// Sessions that are looked at for one that makes room.
constexpr int kLooksForRoom = 1000;

}  // namespace

Worker::Worker(const ApiConfig& config, Shared& shared, Services& services, net::asio::io_context& context, int home,
               net::ListenSocket socket)
    : config_(config),
      shared_(shared),
      context_(context),
      home_(home),
      endpoints_(services, context.get_executor()),
      listener_(
          context.get_executor(), std::move(socket), [this](net::Accepted one) { accepted(std::move(one)); },
          [this] { return out_of_descriptors(); }, kAcceptBatch),
      sweep_timer_(context.get_executor()) {}

void Worker::start() {
  listener_.start();
  net::spawn_vital(context_.get_executor(), sweep(), "looking at the clocks of connections");
}

void Worker::drain(std::function<void()> done) {
  net::asio::post(context_, [this, done = std::move(done)]() mutable {
    done_ = std::move(done);
    listener_.stop();
    for (ClientConnection *connection = connections_.front(), *next = nullptr; connection; connection = next) {
      next = connection->next();  // closing moves it
      connection->drain();
    }
    finish_if_empty();
  });
}

void Worker::finish_if_empty() {
  if (!done_ || !connections_.empty()) return;
  std::exchange(done_, nullptr)();
}

void Worker::accepted(net::Accepted accepted) {
  Counted counted(shared_.connections);
  const int beyond = counted.before() - shared_.max_connections;
  const bool room = beyond < 0 || evict_one() || (beyond < kSurplus && request_eviction());
  if (!room && surplus_ >= kSurplus && !evict_surplus()) return refuse(accepted.socket);
  std::optional<Counted> surplus;
  if (!room) surplus.emplace(surplus_);
  net::spawn(context_.get_executor(), serve(std::move(accepted), std::move(counted), std::move(surplus)),
             [](const char* what) { spdlog::error("a connection was dropped: {}", what); });
}

bool Worker::out_of_descriptors() {
  spdlog::warn("cannot accept: out of descriptors");
  return evict_one();
}

/// Ends the connection that has been idle for longest, else one that is slow. False: all are being served.
bool Worker::evict_one() {
  const Time now = Clock::now();
  ClientConnection* slow = nullptr;
  int looks = 0;
  for (ClientConnection* connection = connections_.front(); connection && looks < kLooksForRoom;
       connection = connection->next(), ++looks) {
    if (connection->is_idle()) {
      connection->close();
      return true;
    }
    if (!slow && connection->is_slow(now)) slow = connection;
  }
  if (slow) slow->close();
  return slow != nullptr;
}

/// They hear of it at their next sweep.
bool Worker::request_eviction() {
  if (shared_.idle <= shared_.evictions_wanted) return false;
  ++shared_.evictions_wanted;
  return true;
}

void Worker::serve_eviction_requests() {
  for (int wanted = shared_.evictions_wanted; wanted > 0;) {
    if (shared_.connections <= shared_.max_connections) {
      shared_.evictions_wanted = 0;
      return;
    }
    if (!shared_.evictions_wanted.compare_exchange_weak(wanted, wanted - 1)) continue;
    if (!evict_one()) {
      ++shared_.evictions_wanted;
      return;
    }
    wanted = shared_.evictions_wanted;
  }
}

/// Of those that are only there for whoever watches, ends the oldest whose request has not come.
bool Worker::evict_surplus() {
  for (ClientConnection* connection = connections_.front(); connection; connection = connection->next()) {
    if (!connection->is_evictable_surplus()) continue;
    connection->close();
    return true;
  }
  return false;
}

/// Best effort: a full socket buffer or a vanished client is no reason to wait.
void Worker::refuse(net::Socket& socket) const {
  constexpr std::string_view kBody =
      R"({"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Too many connections, please retry"})";
  std::string answer =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
      "Connection: close\r\n";
  append_load_report(answer, endpoints_.services.pool.gauges());
  answer.append("Content-Length: ").append(std::to_string(kBody.size())).append("\r\n\r\n").append(kBody);
  (void)!::send(socket.native_handle(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/// A session's place among those of its worker. Taken away by its end, which may be an exception's.
class Worker::Registration {
 public:
  Registration(Worker& worker, ClientConnection& connection) : worker_(worker), connection_(connection) {
    worker.connections_.push_back(connection);
  }
  ~Registration() {
    worker_.connections_.erase(connection_);
    worker_.finish_if_empty();
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  Worker& worker_;
  ClientConnection& connection_;
};

net::Task<> Worker::serve(net::Accepted accepted, [[maybe_unused]] Counted counted, std::optional<Counted> surplus) {
  ClientConnection connection({config_, shared_, endpoints_, home_, connections_}, std::move(accepted),
                              surplus.has_value());
  const Registration registration(*this, connection);
  co_await connection.run();
}

net::Task<> Worker::sweep() {
  for (;;) {
    sweep_timer_.expires_after(kSweepInterval);
    co_await sweep_timer_.async_wait(net::kAwait);
    const Time now = Clock::now();
    for (ClientConnection *connection = connections_.front(), *next = nullptr; connection; connection = next) {
      next = connection->next();  // closing moves it
      connection->sweep(now);
    }
    serve_eviction_requests();
  }
}

}  // namespace api
