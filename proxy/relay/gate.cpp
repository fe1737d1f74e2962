#include "proxy/relay/gate.hpp"

#include <algorithm>

#include <boost/asio/post.hpp>

namespace spillway::relay {

using admission::Request;

namespace {
constexpr Duration kExplainEvery = std::chrono::seconds(1);
/// A pool of which nothing has been heard for so long, and for so many health polls, is told as unknown: a dead API
/// with a full pool would look full until somebody restarts it.
constexpr Duration kReportKept = std::chrono::seconds(15);
constexpr int kPollsMissed = 3;

Duration kept(const admission::Policy& policy) {
  return std::max(kReportKept, kPollsMissed * policy.poll_interval);
}

/// Whether a request refused for this reason would have been admitted had a slot been free.
bool wants_slot(admission::Reason reason) {
  using enum admission::Reason;
  return reason == capacity || reason == queue_full || reason == queue_timeout || reason == cohort;
}
}  // namespace

Gate::Gate(admission::Policy policy, double retry_budget, Explain explain, BreakerChanged breaker_changed)
    : capacity_(policy.max_concurrent),
      report_kept_(kept(policy)),
      controller_(std::move(policy)),
      retries_(retry_budget),
      explain_(std::move(explain)),
      breaker_changed_(std::move(breaker_changed)) {}

Request::State Gate::arrive(Ticket& ticket, Time now) {
  Decided decided;
  Request::State state;
  {
    const std::lock_guard lock(mutex_);
    state = controller_.arrive(ticket, now);
    note_load(ticket);
    if (state == Request::State::refused || ticket.shadow_refused) refused(ticket, now);
    decided = take_decided(now);  // a full queue may have given up somebody else
  }
  resume(decided);
  return state;
}

bool Gate::abandon(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  if (ticket.state != Request::State::waiting) return false;
  controller_.abandon(ticket);
  return true;
}

Time Gate::expire(Ticket& ticket, Time now) {
  Decided decided;
  Time again;
  {
    const std::lock_guard lock(mutex_);
    again = controller_.expire(ticket, now);
    decided = take_decided(now);
  }
  resume(decided);
  return again;
}

void Gate::tick(Time now) {
  Decided decided;
  {
    const std::lock_guard lock(mutex_);
    controller_.tick(now);
    decided = take_decided(now);
  }
  resume(decided);
}

void Gate::configure(admission::Policy policy, double retry_budget, Time now) {
  Decided decided;
  {
    const std::lock_guard lock(mutex_);
    capacity_ = policy.max_concurrent;
    report_kept_ = kept(policy);
    retries_.configure(retry_budget);
    controller_.configure(std::move(policy), now);
    decided = take_decided(now);
  }
  resume(decided);
}

void Gate::refuse_waiting(admission::Reason reason) {
  Decided decided;
  {
    const std::lock_guard lock(mutex_);
    controller_.refuse_waiting(reason);
    decided = take_decided(Clock::now());
  }
  resume(decided);
}

void Gate::reached(Ticket& ticket, Time now) {
  Decided decided;
  {
    const std::lock_guard lock(mutex_);
    controller_.reached(ticket, now);
    decided = take_decided(now);
  }
  resume(decided);
}

void Gate::begin_stream(Ticket& ticket, const std::optional<admission::LoadReport>& report, Time now) {
  Decided decided;
  {
    const std::lock_guard lock(mutex_);
    if (report) note_need(ticket, *report);
    controller_.begin_stream(ticket, now);
    if (report) answered(*report, now);
    decided = take_decided(now);
  }
  resume(decided);
}

void Gate::finish(Ticket& ticket, admission::Completion completion, const std::optional<admission::LoadReport>& report,
                  Time now) {
  Decided decided;
  {
    const std::lock_guard lock(mutex_);
    if (report) note_need(ticket, *report);
    controller_.finish(ticket, completion, now);
    if (report) answered(*report, now);
    decided = take_decided(now);
  }
  resume(decided);
}

void Gate::polled(bool healthy, const std::optional<admission::LoadReport>& report, Time now) {
  Decided decided;
  {
    const std::lock_guard lock(mutex_);
    controller_.polled(healthy, now);
    if (report && report->connection_errors) connection_errors_.polled(*report->connection_errors, now);
    if (report) observe(*report, now);
    decided = take_decided(now);
  }
  resume(decided);
}

void Gate::note_need(Ticket& ticket, const admission::LoadReport& report) {
  ticket.used_database = report.request_used_database;
  ticket.client_error = report.client_error;
}

void Gate::answered(const admission::LoadReport& report, Time now) {
  if (report.connection_errors) connection_errors_.answered(*report.connection_errors, report_kept_, now);
  observe(report, now);
}

void Gate::observe(const admission::LoadReport& report, Time now) {
  load_ = report;
  load_at_ = now;
  // Base connections count as open whether they are or not: only overflow tells.
  const std::int64_t open = report.pool_overflow > 0 ? report.pool_size + report.pool_overflow : 0;
  controller_.observe(
      {.capacity = report.pool_capacity, .in_use = report.pool_in_use(), .open = open, .waiters = report.pool_waiters},
      now);
}

int Gate::retry_after() {
  const std::lock_guard lock(mutex_);
  return controller_.retry_after(static_cast<std::uint32_t>(random_()));
}

bool Gate::begin_retry() {
  const std::lock_guard lock(mutex_);
  return retries_.take(controller_.in_flight());
}

void Gate::end_retry() {
  const std::lock_guard lock(mutex_);
  retries_.give_back();
}

telemetry::AdmissionState Gate::state(Time now) const {
  const std::lock_guard lock(mutex_);
  admission::LoadReport load = load_;
  if (!load_at_ || now - *load_at_ > report_kept_) load = {};
  return {.in_flight = controller_.in_flight(),
          .queue_length = controller_.queue_length(),
          .streams = controller_.streams(),
          .limit = controller_.limit(),
          .capacity = capacity_,
          .breaker = static_cast<int>(controller_.breaker_state()),
          .connection_errors = connection_errors_.total(),
          .load = load,
          .load_at = load_at_};
}

admission::Snapshot Gate::snapshot(Time now) const {
  const std::lock_guard lock(mutex_);
  return controller_.snapshot(now);
}

/// The curve is copied and read without the lock: requests do not wait for it.
admission::SizedAdvice Gate::advice() const {
  std::unique_lock lock(mutex_);
  const admission::Advisor advisor = controller_.advisor();
  const admission::Sizing now = controller_.sizing();
  lock.unlock();
  return {advisor.advice(), now};
}

bool Gate::short_of_slots(Time since) const {
  const std::lock_guard lock(mutex_);
  return controller_.queue_length() > 0 || no_slot_ >= since;
}

/// What a request is told of the load, and the API with it.
void Gate::note_load(Ticket& ticket) const {
  ticket.in_flight = controller_.in_flight();
  ticket.limit = controller_.limit();
  const std::int64_t all = std::int64_t{ticket.in_flight} + controller_.queue_length();
  ticket.pressure = static_cast<int>(std::min<std::int64_t>(100 * all / ticket.limit, 100));
}

void Gate::refused(Ticket& ticket, Time now) {
  if (ticket.state == Request::State::refused && wants_slot(ticket.reason)) no_slot_ = now;
  ticket.retry_after = controller_.retry_after(ticket, static_cast<std::uint32_t>(random_()), now);
  if (!explain_ || now - explained_ < kExplainEvery) return;
  explained_ = now;
  explain_(ticket, controller_.snapshot(now));
}

Gate::Decided Gate::take_decided(Time now) {
  if (!controller_.has_news()) return {};
  while (const auto change = controller_.next_breaker_change()) {
    if (breaker_changed_) breaker_changed_(*change);
  }
  Decided decided;
  while (Request* request = controller_.next_decided()) {
    Ticket& ticket = *static_cast<Ticket*>(request);
    note_load(ticket);
    if (ticket.state == Request::State::refused || ticket.shadow_refused) refused(ticket, now);
    decided.push_back(*request);
  }
  return decided;
}

void Gate::resume(Decided decided) {
  while (Request* request = decided.pop_front()) {  // the ticket may be gone as soon as it is resumed
    auto* ticket = static_cast<Ticket*>(request);
    if (ticket->turn && ticket->executor.running_in_this_thread()) {
      ticket->turn->resume(ticket->parking);
    } else {
      net::asio::post(ticket->executor, [ticket] { ticket->parking.resume(); });
    }
  }
}

}  // namespace spillway::relay
