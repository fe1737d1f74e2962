#include "api/server/signals.hpp"

#include <csignal>
#include <cstdlib>
#include <utility>

#include <spdlog/spdlog.h>

#include "api/server/log.hpp"

namespace api {

namespace {

/// For the last line of the log, when the process must end.
constexpr std::chrono::milliseconds kLastWords{100};

}  // namespace

Signals::Signals(Duration drain_limit, const std::atomic<int>& in_flight)
    : drain_limit_(drain_limit), in_flight_(in_flight), signals_(loop_, SIGTERM, SIGINT, SIGHUP), timer_(loop_) {
  signals_.add(SIGQUIT);
  for (const int ignored : {SIGPIPE, SIGUSR1, SIGUSR2}) std::signal(ignored, SIG_IGN);
}

Signals::~Signals() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
}

void Signals::start(Actions actions) {
  actions_ = std::move(actions);
  await();
  thread_ = std::thread([this] { loop_.run(); });
}

void Signals::drain() {
  boost::asio::post(loop_, [this] {
    if (!draining_) begin_drain();
  });
}

void Signals::await() {
  signals_.async_wait([this](boost::system::error_code error, int signal) {
    if (error) return;
    if (signal == SIGHUP) {
      if (!draining_) actions_.reload();
    } else if (draining_) {
      spdlog::warn("second signal, ending at once");
      leave(EXIT_FAILURE);
    } else {
      begin_drain();
    }
    await();
  });
}

void Signals::begin_drain() {
  draining_ = true;
  timer_.expires_after(drain_limit_);
  timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    spdlog::warn("drain time is over, {} requests are dropped", in_flight_.load());
    leave(EXIT_SUCCESS);
  });
  actions_.drain();
}

void Signals::leave(int status) {
  flush_log(kLastWords);
  std::_Exit(status);
}

}  // namespace api
