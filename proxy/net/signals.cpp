#include "proxy/net/signals.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include <pthread.h>
#include <unistd.h>

namespace net {

namespace {

/// A limit of 0 still leaves time to close connections and to write the last lines of the log.
constexpr Duration kShortestDrain = std::chrono::milliseconds(250);
/// Wakes the thread, which then looks at the flags.
constexpr int kWakeUp = SIGUSR1;

timespec time_left(Time end) {
  const Duration left = std::max(end - Clock::now(), Duration::zero());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
  return {static_cast<time_t>(seconds.count()), static_cast<long>((left - seconds).count())};
}

}  // namespace

Signals::Signals(Duration drain_limit) : drain_limit_(drain_limit) {
  std::signal(SIGPIPE, SIG_IGN);  // the reader of the log may go away
  ::sigemptyset(&taken_);
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2}) ::sigaddset(&taken_, signal);
  ::pthread_sigmask(SIG_BLOCK, &taken_, nullptr);
}

Signals::~Signals() {
  if (!thread_.joinable()) return;
  closing_ = true;
  ::pthread_kill(thread_.native_handle(), kWakeUp);
  thread_.join();
}

void Signals::start(Handlers handlers) {
  handlers_ = std::move(handlers);
  thread_ = std::thread([this] { take(); });
}

void Signals::drain() {
  drain_wanted_ = true;
  ::pthread_kill(thread_.native_handle(), kWakeUp);
}

void Signals::take() {
  std::optional<Time> end;  // set when the drain begins
  bool told = false;        // to end, by a signal
  const auto begin_drain = [this, &end] {
    end = Clock::now() + std::max(drain_limit_.load(), kShortestDrain);
    handlers_.drain();
  };
  while (!closing_) {
    if (drain_wanted_ && !end) begin_drain();
    const timespec left = time_left(end.value_or(Time{}));
    const int signal = end ? ::sigtimedwait(&taken_, nullptr, &left) : ::sigwaitinfo(&taken_, nullptr);
    if (signal == SIGHUP) {
      if (!end) handlers_.reload();
    } else if (signal == SIGUSR2) {
      if (!end && handlers_.upgrade) handlers_.upgrade();
    } else if (signal == SIGTERM || signal == SIGINT || signal == SIGQUIT) {
      if (std::exchange(told, true)) ::_exit(handlers_.end(Forced::second_signal));
      if (!end) begin_drain();
    } else if (signal < 0 && errno == EAGAIN) {
      ::_exit(handlers_.end(Forced::drain_limit));
    }
  }
}

}  // namespace net
