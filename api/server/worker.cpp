#include "api/server/worker.hpp"

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/endpoints/load_report.hpp"

namespace api {

namespace {

/// Timeouts are this exact. A walk over all sessions, a few times a second.
constexpr Duration kSweepInterval = std::chrono::milliseconds(100);
/// Taken at once when the listener is ready; then others get their turn.
constexpr int kAcceptBatch = 64;
/// Out of descriptors: connections wait in the backlog meanwhile.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

Worker::Worker(const ApiConfig& config, Shared& shared, Services& services, net::asio::io_context& context, int home,
               int listener)
    : config_(config),
      shared_(shared),
      services_(services),
      context_(context),
      home_(home),
      handlers_(services, context.get_executor()),
      listener_(context.get_executor(), ::dup(listener)),
      sweep_timer_(context.get_executor()) {}

void Worker::start() {
  net::asio::co_spawn(context_.get_executor(), accept(), net::asio::detached);
  net::asio::co_spawn(context_.get_executor(), sweep(), net::asio::detached);
}

void Worker::drain(std::function<void()> done) {
  net::asio::post(context_, [this, done = std::move(done)]() mutable {
    done_ = std::move(done);
    listener_.close();
    for (Session* session = sessions_.front(); session; session = session->next()) session->drain();
    finish_if_empty();
  });
}

void Worker::finish_if_empty() {
  if (!done_ || !sessions_.empty()) return;
  std::exchange(done_, nullptr)();
}

net::Task<> Worker::accept() {
  while (listener_.is_open()) {
    auto [error] = co_await listener_.async_wait(decltype(listener_)::wait_read, net::kAwait);
    if (error) co_return;
    for (int i = 0; i < kAcceptBatch; ++i) {
      sockaddr_storage address;
      socklen_t size = sizeof(address);
      const int descriptor = ::accept4(listener_.native_handle(), reinterpret_cast<sockaddr*>(&address), &size,
                                       SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
          spdlog::warn("cannot accept: {}", std::strerror(errno));
          net::Timer pause(context_.get_executor(), kAcceptPause);
          co_await pause.async_wait(net::kAwait);
        }
        break;
      }
      if (shared_.connections.fetch_add(1) >= config_.limits.connections) {
        refuse(descriptor);
        continue;
      }
      const int on = 1;
      if (address.ss_family != AF_UNIX) ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      Socket socket(context_.get_executor(), net::asio::generic::stream_protocol(address.ss_family, 0), descriptor);
      net::asio::co_spawn(context_.get_executor(), serve(std::move(socket)), net::asio::detached);
    }
  }
}

/// Best effort: a full socket buffer or a vanished client is no reason to wait.
void Worker::refuse(int descriptor) const {
  constexpr std::string_view kBody =
      R"({"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Too many connections, please retry"})";
  std::string answer =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
      "Connection: close\r\n";
  append_load_report(answer, services_.pool.gauges());
  answer.append("Content-Length: ").append(std::to_string(kBody.size())).append("\r\n\r\n").append(kBody);
  (void)!::send(descriptor, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::close(descriptor);
  --shared_.connections;
}

net::Task<> Worker::serve(Socket socket) {
  Session session({config_, shared_, services_, handlers_, home_}, std::move(socket));
  sessions_.push_back(session);
  co_await session.run();
  sessions_.erase(session);
  --shared_.connections;
  finish_if_empty();
}

net::Task<> Worker::sweep() {
  for (;;) {
    sweep_timer_.expires_after(kSweepInterval);
    co_await sweep_timer_.async_wait(net::kAwait);
    const Time now = Clock::now();
    for (Session* session = sessions_.front(); session; session = session->next()) session->sweep(now);
  }
}

}  // namespace api
