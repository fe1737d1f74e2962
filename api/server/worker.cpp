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
    for (Session *session = sessions_.front(), *next = nullptr; session; session = next) {
      next = session->next();  // closing moves it
      session->drain();
    }
    finish_if_empty();
  });
}

void Worker::finish_if_empty() {
  if (!done_ || !sessions_.empty()) return;
  std::exchange(done_, nullptr)();
}

void Worker::accepted(net::Accepted accepted) {
  Counted connection(shared_.connections);
  const int beyond = connection.before() - shared_.max_connections;
  const bool room = beyond < 0 || make_room() || (beyond < kSurplus && ask_others_for_room());
  if (!room && surplus_ >= kSurplus && !end_spare()) return refuse(accepted.socket);
  std::optional<Counted> surplus;
  if (!room) surplus.emplace(surplus_);
  net::spawn(context_.get_executor(), serve(std::move(accepted), std::move(connection), std::move(surplus)),
             [](const char* what) { spdlog::error("a connection was dropped: {}", what); });
}

bool Worker::out_of_descriptors() {
  spdlog::warn("cannot accept: out of descriptors");
  return make_room();
}

/// Ends the connection that has been idle for longest, else one that is slow. False: all are being served.
bool Worker::make_room() {
  const Time now = Clock::now();
  Session* slow = nullptr;
  int looks = 0;
  for (Session* session = sessions_.front(); session && looks < kLooksForRoom; session = session->next(), ++looks) {
    if (session->is_idle()) {
      session->close();
      return true;
    }
    if (!slow && session->is_slow(now)) slow = session;
  }
  if (slow) slow->close();
  return slow != nullptr;
}

/// They hear of it at their next sweep.
bool Worker::ask_others_for_room() {
  if (shared_.idle <= shared_.room_wanted) return false;
  ++shared_.room_wanted;
  return true;
}

void Worker::give_room_to_others() {
  for (int wanted = shared_.room_wanted; wanted > 0;) {
    if (shared_.connections <= shared_.max_connections) {
      shared_.room_wanted = 0;
      return;
    }
    if (!shared_.room_wanted.compare_exchange_weak(wanted, wanted - 1)) continue;
    if (!make_room()) {
      ++shared_.room_wanted;
      return;
    }
    wanted = shared_.room_wanted;
  }
}

/// Of those that are only there for whoever watches, ends the oldest whose request has not come.
bool Worker::end_spare() {
  for (Session* session = sessions_.front(); session; session = session->next()) {
    if (!session->is_spare()) continue;
    session->close();
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
class Worker::Place {
 public:
  Place(Worker& worker, Session& session) : worker_(worker), session_(session) { worker.sessions_.push_back(session); }
  ~Place() {
    worker_.sessions_.erase(session_);
    worker_.finish_if_empty();
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  Worker& worker_;
  Session& session_;
};

net::Task<> Worker::serve(net::Accepted accepted, [[maybe_unused]] Counted connection, std::optional<Counted> surplus) {
  Session session({config_, shared_, endpoints_, home_, sessions_}, std::move(accepted), surplus.has_value());
  const Place place(*this, session);
  co_await session.run();
}

net::Task<> Worker::sweep() {
  for (;;) {
    sweep_timer_.expires_after(kSweepInterval);
    co_await sweep_timer_.async_wait(net::kAwait);
    const Time now = Clock::now();
    for (Session *session = sessions_.front(), *next = nullptr; session; session = next) {
      next = session->next();  // closing moves it
      session->sweep(now);
    }
    give_room_to_others();
  }
}

}  // namespace api
