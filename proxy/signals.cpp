#include "proxy/signals.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include <pthread.h>
#include <unistd.h>

#include "config/command_line.hpp"

namespace spillway {

namespace {
/// With `timeouts.drain: 0`, too, there is time to close what is open and to write the last lines of the log.
constexpr Duration kShortestDrain = std::chrono::milliseconds(250);
constexpr int kLookAgain = SIGUSR1;

timespec until(Time end) {
  const Duration left = std::max(end - Clock::now(), Duration::zero());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
  return {static_cast<time_t>(seconds.count()), static_cast<long>((left - seconds).count())};
}
}  // namespace

Signals::Signals(Duration drain, Handlers handlers) : drain_(drain), handlers_(std::move(handlers)) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader of the log may go away
  ::sigemptyset(&taken_);
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2}) ::sigaddset(&taken_, signal);
  ::pthread_sigmask(SIG_BLOCK, &taken_, nullptr);
  thread_ = std::thread([this] { take(); });
}

Signals::~Signals() {
  closing_ = true;
  ::pthread_kill(thread_.native_handle(), kLookAgain);
  thread_.join();
}

void Signals::take() {
  std::optional<Time> end;  // once told to stop
  while (!closing_) {
    const timespec left = until(end.value_or(Time{}));
    const int signal = end ? ::sigtimedwait(&taken_, nullptr, &left) : ::sigwaitinfo(&taken_, nullptr);
    if (signal == SIGHUP) {
      handlers_.reload();
    } else if (signal == SIGTERM || signal == SIGINT || signal == SIGQUIT) {
      if (end) ::_exit(config::kExitOk);
      end = Clock::now() + std::max(drain_.load(), kShortestDrain);
      handlers_.stop();
    } else if (signal < 0 && errno == EAGAIN) {
      ::_exit(config::kExitOk);  // the drain has taken too long, or hangs
    }
  }
}

}  // namespace spillway
