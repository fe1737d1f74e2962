#include "proxy/process.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include "config/command_line.hpp"
#include "config/write.hpp"
#include "proxy/config/fields.hpp"
#include "proxy/config/tls.hpp"
#include "proxy/drain.hpp"

namespace spillway {

namespace {
constexpr Duration kTick = std::chrono::milliseconds(200);
}  // namespace

Process::Process(ProxyConfig config, config::References references, config::Origin origin,
                 std::vector<std::string> command)
    : config_(std::move(config)),
      in_force_(config_),
      references_(std::move(references)),
      origin_(std::move(origin)),
      signals_(config_.timeouts.drain),
      shared_(config_),
      watch_(loop_.get_executor(), files(config_), [this] { reload(); }),
      certificates_(shared_.log),
      certificate_watch_(
          loop_.get_executor(), tls_files(config_), [this] { reload_certificates(); }, Certificates::digest_of),
      drain_timer_(loop_.get_executor()),
      tick_timer_(loop_.get_executor()),
      command_(std::move(command)) {
  shared_.state.maintenance = config_.maintenance.enabled;
  shared_.state.reload_time = std::time(nullptr);
  signals_.start({.drain = [this] { net::asio::post(loop_, [this] { drain(); }); },
                  .reload = [this] { net::asio::post(loop_, [this] { reload(); }); },
                  .end = [](net::Signals::Forced) { return config::kExitOk; },
                  .upgrade = [this] { net::asio::post(loop_, [this] { start_successor(); }); }});
}

/// Coroutines that wait on the loop refer to the members.
Process::~Process() {
  if (offer_) offer_->stop();  // its thread uses the members
  shared_.addresses.stop();    // its news go to the workers
  loop_.shutdown();
}

int Process::run() {
  if (config_.reload == Reload::automatic) {
    watch_.start();
    certificate_watch_.start();
  }
  admin_->start();
  tick();
  health_->start();
  if (predecessor_ && !succeed()) return config::kExitFailure;
  if (exporter_) exporter_->start();
  for (const auto& worker : workers_) threads_.emplace_back([&w = *worker] { w.run(); });
  if (!predecessor_) ::sd_notify(0, "READY=1");
  if (offer_) offer_->start();
  // The control loop ends when the last worker has drained.
  std::thread waiter([this] {
    for (std::thread& thread : threads_) thread.join();
    net::asio::post(loop_, [this] { loop_.stop(); });
  });
  loop_.run();
  waiter.join();
  if (exporter_) exporter_->stop();
  if (offer_) offer_->stop();
  predecessor_.reset();
  shared_.log.info("drained, bye");
  return config::kExitOk;
}

void Process::note_poll(const upstream::HealthResult& result) {
  if (!result.asked) return;
  // An API that is not polled counts as healthy, but that must not end the opening of a breaker that was taken over.
  const HealthConfig& health = config_.upstream.health;
  const bool polled = health.mode != HealthMode::off && health.interval > Duration::zero();
  if (polled) shared_.gate.polled(result.healthy, result.report, Clock::now());
  if (!result.counts) return;
  std::uint64_t answers = 0;
  for (const auto& worker : workers_) answers += std::as_const(*worker).counters().answered_by_api.value();
  const bool served = std::exchange(answers_, answers) != answers;
  const upstream::HealthState::Verdict verdict =
      health_state_.polled(result.healthy || served, config_.upstream.health);
  const bool saved = served && !result.healthy;
  shared_.state.last_poll = result.text;
  shared_.state.polled = Clock::now();
  if (saved) {
    shared_.state.last_poll += "; but requests are answered";
  } else if (verdict.needed > 1) {
    shared_.state.last_poll += fmt::format(", {} of {}", verdict.in_row, verdict.needed);
  }
  shared_.state.upstream_healthy = verdict.up;
  // A server of one connection at a time would be kept from the poll by an idle one.
  if (result.silent) {
    for (const auto& worker : workers_) worker->close_idle_upstream();
  }
  // That an API which refused connections now answers, but not as expected, is news once: it says what to set.
  const bool answers_now = !verdict.up && result.answered && !down_answers_;
  down_answers_ = !verdict.up && (result.answered || (down_answers_ && !verdict.changed));
  if (!verdict.changed && !answers_now) return;
  if (verdict.up) return shared_.log.info("the API is reachable: " + shared_.state.last_poll);
  const char* const hint =
      result.answered ? "; is upstream.health right? For an API without such a path: upstream.health.mode: tcp" : "";
  shared_.log.warning("the API is unreachable: " + shared_.state.last_poll + hint);
}

/// What the control loop does a few times a second.
void Process::tick() {
  const Time now = Clock::now();
  for (std::size_t i = 0; i < admission::kReasons; ++i) {
    const auto reason = static_cast<admission::Reason>(i);
    const std::uint64_t left_out = shared_.refusals.take_left_out(reason, now);
    if (left_out == 0 || config_.log.access == AccessLog::off) continue;
    shared_.log.info(fmt::format("{} further refusals for {} within a second", left_out, name(reason)));
  }
  shared_.log.tick();
  shared_.gate.tick(now);
  look_after_successor(now);
  if (now - sampled_ >= telemetry::History::kInterval) {
    sampled_ = now;
    history_->sample(std::time(nullptr), shared_.gate.state(), shared_.state);
  }
  tick_timer_.expires_at(now + kTick);
  tick_timer_.async_wait([this](net::error_code error) {
    if (!error) tick();
  });
}

void Process::drain() {
  const Time told = Clock::now();
  DrainPlan plan = plan_drain(config_.timeouts);
  if (offer_ && successor_ == 0) offer_->stop();  // a hand-over that is being completed still counts
  const pid_t successor = successor_;
  shared_.state.draining = true;
  if (successor != 0) {
    plan.begin = Duration::zero();  // no balancer has to notice anything
    admin_->stop();
    shared_.log.info(fmt::format("hand-over: process {} serves; draining", successor));
  } else {
    ::sd_notify(0, "STOPPING=1");
    shared_.log.info("draining");
  }
  const auto at = [this, told](Duration when, auto what) {
    drain_timer_.expires_at(told + when);
    drain_timer_.async_wait([what](net::error_code error) {
      if (!error) what();
    });
  };
  at(plan.begin, [this, plan, at, successor] {
    held_.clear();
    using relay::Worker;
    for (const auto& worker : workers_) worker->drain(successor != 0 ? Worker::Drain::succeeded : Worker::Drain::ends);
    at(plan.close, [this, plan, at] {
      shared_.log.warning("timeouts.drain is over: closing what is still open");
      shared_.gate.refuse_waiting(admission::Reason::draining);
      for (const auto& worker : workers_) worker->stop_exchanges();
      at(plan.cut, [this] {
        for (const auto& worker : workers_) worker->abort();
      });
    });
  });
}

std::string Process::effective_config() const {
  config::References shown = references_;
  if (in_force_.limits.connections != config_.limits.connections) shown.erase("limits.connections");
  if (in_force_.upstream.max_connections != config_.upstream.max_connections) shown.erase("upstream.max_connections");
  return config::to_yaml(in_force_, kProxyDefinition, shown);
}

}  // namespace spillway
