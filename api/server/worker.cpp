#include "api/server/worker.hpp"

#include <optional>
#include <string_view>
#include <utility>

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include "api/endpoints/problem.hpp"
#include "api/server/request.hpp"
#include "api/server/response_head.hpp"
#include "proxy/net/spawn.hpp"

namespace api {

namespace {

/// How often the timeouts of all connections are checked, and how exact they are.
constexpr Duration kSweepInterval = std::chrono::milliseconds(100);
/// Connections that are accepted per turn of the loop. Fewer than `kSurplus`, so that the surplus connections of an
/// earlier batch can be evicted.
constexpr int kAcceptBatch = 16;
/// Surplus connections of each worker: beyond `limits.connections`, when no connection can be evicted. They let
/// monitoring in, whichever worker accepts it.
constexpr int kSurplus = 32;
/// How many eviction candidates to examine; the oldest come first.
constexpr int kLooksForRoom = 1000;

}  // namespace

Worker::Worker(const ApiConfig& config, Shared& shared, Services& services, net::asio::io_context& context, int home,
               std::vector<net::ListenSocket> sockets, std::span<const Route> routes)
    : config_(config),
      shared_(shared),
      context_(context),
      home_(home),
      routes_(routes),
      endpoints_(services, context.get_executor()),
      sweep_timer_(context.get_executor()) {
  for (net::ListenSocket& socket : sockets) {
    listeners_.push_back(std::make_unique<net::Listener>(
        context.get_executor(), std::move(socket), [this](net::Accepted one) { accepted(std::move(one)); },
        [this] { return out_of_descriptors(); }, kAcceptBatch));
  }
}

void Worker::start() {
  for (auto& listener : listeners_) listener->start();
  net::spawn_vital(context_.get_executor(), sweep(), "looking at the clocks of connections");
}

void Worker::drain(std::function<void()> done) {
  net::asio::post(context_, [this, done = std::move(done)]() mutable {
    done_ = std::move(done);
    for (auto& listener : listeners_) listener->drain();
    for (ClientConnection *connection = connections_.front(), *next = nullptr; connection; connection = next) {
      next = connection->next();  // `close` moves it to the end of the list
      connection->drain();
    }
    finish_if_empty();
  });
}

void Worker::finish_if_empty() {
  if (!done_ || open_ > 0) return;
  std::exchange(done_, nullptr)();
}

/// An open connection, from its acceptance to its end. It is counted before its coroutine has begun.
class Worker::Open {
 public:
  explicit Open(Worker& worker) : worker_(&worker) { ++worker.open_; }
  Open(Open&& other) noexcept : worker_(std::exchange(other.worker_, nullptr)) {}
  Open& operator=(Open&&) = delete;
  ~Open() {
    if (!worker_) return;
    --worker_->open_;
    worker_->finish_if_empty();
  }

 private:
  Worker* worker_;
};

void Worker::accepted(net::Accepted accepted) {
  Counted counted(shared_.connections);
  const int beyond = counted.before() - shared_.max_connections;
  const bool room = beyond < 0 || evict_one() || (beyond < kSurplus && request_eviction());
  if (!room && surplus_ >= kSurplus && !evict_surplus()) return refuse(accepted.socket);
  std::optional<Counted> surplus;
  if (!room) surplus.emplace(surplus_);
  net::spawn(context_.get_executor(), serve(std::move(accepted), Open(*this), std::move(counted), std::move(surplus)),
             [](const char* what) { spdlog::error("a connection was dropped: {}", what); });
}

bool Worker::out_of_descriptors() {
  spdlog::warn("cannot accept: out of descriptors");
  return evict_one();
}

/// Closes the connection that has been idle for longest, or else a slow one. False: all are being served.
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

/// Asks the other workers to evict an idle connection at their next sweep. False: there is none left.
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

/// Closes the oldest surplus connection whose request has not been read yet. False: there is none.
bool Worker::evict_surplus() {
  for (ClientConnection* connection = connections_.front(); connection; connection = connection->next()) {
    if (!connection->is_evictable_surplus()) continue;
    connection->close();
    return true;
  }
  return false;
}

/// Best effort: if the socket buffer is full or the client has gone, the response is lost.
void Worker::refuse(net::Socket& socket) const {
  const std::string id = make_request_id();
  Interrupt nobody;
  Request request{.caller = {home_, nobody}};
  request.request_id = id;
  Response response;
  answer_unavailable(request, response, kTooManyConnections);
  std::string answer;
  append_head(answer, response, Keep::no, endpoints_.services.pool.gauges(), id);
  answer += response.body;
  (void)!::send(socket.native_handle(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/// Keeps a connection in the worker's list until it ends, also by an exception.
class Worker::Registration {
 public:
  Registration(Worker& worker, ClientConnection& connection) : worker_(worker), connection_(connection) {
    worker.connections_.push_back(connection);
  }
  ~Registration() { worker_.connections_.erase(connection_); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  Worker& worker_;
  ClientConnection& connection_;
};

net::Task<> Worker::serve(net::Accepted accepted, [[maybe_unused]] Open open, [[maybe_unused]] Counted counted,
                          std::optional<Counted> surplus) {
  ClientConnection connection({config_, shared_, endpoints_, home_, ids_, routes_, connections_}, std::move(accepted),
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
      next = connection->next();  // `close` moves it to the end of the list
      connection->sweep(now);
    }
    serve_eviction_requests();
  }
}

}  // namespace api
