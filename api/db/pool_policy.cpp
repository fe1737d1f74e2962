#include "api/db/pool_policy.hpp"

#include <algorithm>
#include <utility>

namespace api::db {

namespace {

Duration backoff(int failures, double jitter) {
  Duration pause = kFirstBackoff;
  for (int i = 1; i < failures && pause < kMaxBackoff; ++i) pause *= 2;
  pause = std::min(pause, kMaxBackoff);
  // A random part of it, at least half.
  return std::chrono::duration_cast<Duration>(pause * (0.5 + 0.5 * jitter));
}

}  // namespace

void PoolPolicy::probe(Time now) {
  probe_wanted_ = true;
  plan_opens(now);
}

Waiter::State PoolPolicy::acquire(Waiter& waiter, Time now) {
  waiter.since = now;
  if (closing_) {
    waiter.failure = PoolFailure::closing;
    return waiter.state = Waiter::State::failed;
  }
  // A new waiter overtakes nobody: if a connection is idle, no waiter exists.
  if (Slot* slot = take_idle(waiter.home, now)) {
    grant(waiter, *slot, true, now);
    return waiter.state;
  }
  fade_patience(now);
  waiter.state = Waiter::State::waiting;
  waiters_.push_back(waiter);
  plan_opens(now);
  return waiter.state;
}

bool PoolPolicy::abandon(Waiter& waiter, Time now) {
  if (waiter.state != Waiter::State::waiting) return false;
  waiters_.erase(waiter);
  waiter.state = Waiter::State::fresh;
  plan_opens(now);
  return true;
}

void PoolPolicy::give_back(Slot& slot, Returned how, Time now) {
  --in_use_;
  if (how == Returned::clean) {
    slot.last_used = now;
    place(slot, now);
    return;
  }
  to_close_.push_back(slot);
  if (how == Returned::broken || how == Returned::silent) suspect(now);
  if (how == Returned::silent) check_idle(now);
  if (how == Returned::moved && slot.generation == generation_) retire(now);
  plan_opens(now);
}

void PoolPolicy::opened(Slot& slot, Duration took, Time now) {
  --opening_;
  // Smoothed, because a pause of the machine may delay one opening.
  patience_ = std::clamp(patience_ + (took - patience_) / 4, kOverflowPatience, kMaxOverflowPatience);
  patience_since_ = now;
  failures_ = 0;
  probe_wanted_ = false;
  ever_opened_ = true;
  slot.opened = slot.last_used = now;
  slot.generation = generation_;
  place(slot, now);
}

void PoolPolicy::open_failed(Time now, double jitter) {
  --opening_;
  ++errors_;
  ++failures_;
  retry_at_ = now + backoff(failures_, jitter);
  // While other connections are open, do not probe a server that may be at its limit of connections. Check instead
  // whether the idle ones still work.
  probe_wanted_ = established() == 0;
  check_idle(now);
  // Waiters may still get a connection that is in use or being opened.
  if (open() == 0 && !settings_.wait_when_down) fail_all(PoolFailure::unreachable);
  plan_opens(now);
}

void PoolPolicy::lost(Slot& slot, Time now) {
  idle_.erase(slot);
  to_close_.push_back(slot);
  suspect(now);
  plan_opens(now);
}

void PoolPolicy::checked(Slot& slot, bool alive, Time now) {
  --checking_;
  if (alive) {
    slot.last_used = now;
    place(slot, now);
    return;
  }
  to_close_.push_back(slot);
  suspect(now);
  plan_opens(now);
}

void PoolPolicy::retire(Time now) {
  ++generation_;
  while (Slot* slot = idle_.pop_front()) to_close_.push_back(*slot);
  // Find the new server now, even if no request needs it yet.
  probe_wanted_ = true;
  plan_opens(now);
}

void PoolPolicy::tick(Time now) {
  while (Waiter* waiter = waiters_.front()) {
    if (waiter->since + settings_.timeout > now) break;
    waiters_.erase(*waiter);
    // A pool that cannot open any connection is unreachable, not busy.
    fail(*waiter, established() == 0 && failures_ > 0 ? PoolFailure::unreachable : PoolFailure::timeout);
  }
  plan_opens(now);
}

void PoolPolicy::configure(PoolSettings settings, Time now) {
  settings_ = settings;
  while (!idle_.empty() && open() > settings_.size) to_close_.push_back(*idle_.pop_front());
  tick(now);
}

void PoolPolicy::close() {
  closing_ = true;
  probe_wanted_ = false;
  fail_all(PoolFailure::closing);
  while (Slot* slot = idle_.pop_front()) to_close_.push_back(*slot);
  opening_ -= opens_due_;
  opens_due_ = 0;
}

int PoolPolicy::take_opens() {
  return std::exchange(opens_due_, 0);
}

std::optional<Time> PoolPolicy::next_deadline() const {
  if (closing_) return std::nullopt;
  std::optional<Time> due;
  auto at = [&due](Time time) { due = due ? std::min(*due, time) : time; };
  if (!waiters_.empty()) at(waiters_.front()->since + settings_.timeout);
  const bool wanted = probe_wanted_ || !waiters_.empty();
  if (failures_ > 0) {
    if (wanted && opening_ == 0 && open() < settings_.capacity()) at(retry_at_);
  } else if (open() >= settings_.size && open() < settings_.capacity()) {
    // The first waiter for which no connection is being opened.
    Waiter* waiter = waiters_.front();
    for (int i = 0; i < opening_ && waiter; ++i) waiter = waiter->next();
    if (waiter) at(waiter->since + patience_);
  }
  return due;
}

PoolGauges PoolPolicy::gauges() const {
  const int waiting = static_cast<int>(waiters_.size());
  // A waiter whose connection is being opened counts as using it.
  const int connecting = std::min(opening_, waiting);
  PoolGauges gauges;
  gauges.size = settings_.size;
  // After a shrink, do not show the connections that are only waiting to be closed.
  gauges.overflow = std::clamp(open() - settings_.size, 0, settings_.max_overflow);
  gauges.checked_in = std::max(0, gauges.total() - in_use_ - connecting);
  gauges.capacity = settings_.capacity();
  gauges.waiters = waiting - connecting;
  gauges.connection_errors = errors_;
  gauges.recycled = recycled_;
  gauges.reachable = ever_opened_ && (failures_ == 0 || established() > 0);
  return gauges;
}

/// A connection is free: grants it to the first waiter, keeps it idle, or closes it.
void PoolPolicy::place(Slot& slot, Time now) {
  if (closing_ || slot.generation != generation_ || open() + 1 > settings_.capacity()) {
    to_close_.push_back(slot);
    plan_opens(now);
    return;
  }
  if (waiters_.empty()) {
    if (open() + 1 > settings_.size) {
      to_close_.push_back(slot);
    } else {
      idle_.push_front(slot);
      plan_opens(now);
    }
    return;
  }
  if (expired(slot, now)) {
    ++recycled_;
    to_close_.push_back(slot);
  } else {
    Waiter& waiter = *waiters_.pop_front();
    grant(waiter, slot, slot.last_used != slot.opened, now);
    decided_.push_back(waiter);
  }
  plan_opens(now);
}

void PoolPolicy::grant(Waiter& waiter, Slot& slot, bool reused, Time now) {
  ++in_use_;
  waiter.state = Waiter::State::granted;
  waiter.slot = &slot;
  waiter.reused = reused;
  waiter.verify = reused && doubtful(slot, now);
}

void PoolPolicy::fail(Waiter& waiter, PoolFailure failure) {
  waiter.state = Waiter::State::failed;
  waiter.failure = failure;
  decided_.push_back(waiter);
}

void PoolPolicy::fail_all(PoolFailure failure) {
  while (Waiter* waiter = waiters_.pop_front()) fail(*waiter, failure);
}

Slot* PoolPolicy::take_idle(int home, Time now) {
  while (Slot* slot = idle_.front()) {
    for (Slot* other = slot; other; other = other->next()) {
      if (other->home == home) {
        slot = other;
        break;
      }
    }
    idle_.erase(*slot);
    if (!expired(*slot, now)) return slot;
    ++recycled_;
    to_close_.push_back(*slot);
  }
  return nullptr;
}

bool PoolPolicy::expired(const Slot& slot, Time now) const {
  return settings_.recycle > Duration::zero() && now - slot.opened >= settings_.recycle;
}

/// It may have broken while it was idle: ping it before use.
bool PoolPolicy::doubtful(const Slot& slot, Time now) const {
  return settings_.pre_ping && (now - slot.last_used >= kTrustedFor || slot.last_used <= suspect_since_);
}

/// Takes out the idle connections that may be silent, and has all of them pinged at once. Otherwise each request that
/// gets one would wait for `ping_timeout`.
void PoolPolicy::check_idle(Time now) {
  for (Slot* slot = idle_.front(); slot;) {
    Slot* next = slot->next();
    if (doubtful(*slot, now)) {
      idle_.erase(*slot);
      to_check_.push_back(*slot);
      ++checking_;
    }
    slot = next;
  }
}

/// One connection is lost: verify the others before use, and probe the database even if no request needs it.
void PoolPolicy::suspect(Time now) {
  ++errors_;
  suspect_since_ = now;
  probe_wanted_ = true;
}

/// Halves the patience for each half-life without an opening, down to its minimum.
void PoolPolicy::fade_patience(Time now) {
  while (patience_ > kOverflowPatience && now - patience_since_ >= kPatienceHalfLife) {
    patience_ = std::max(patience_ / 2, kOverflowPatience);
    patience_since_ += kPatienceHalfLife;
  }
}

/// Decides how many more connections to open for the waiters, or for a probe.
void PoolPolicy::plan_opens(Time now) {
  if (closing_) return;
  Waiter* waiter = waiters_.front();
  for (int i = 0; i < opening_ && waiter; ++i) waiter = waiter->next();
  while (open() < settings_.capacity()) {
    const bool probing = probe_wanted_ && opening_ == 0;
    if (!waiter && !probing) return;
    // After a failure: one attempt at a time, and not before `retry_at_`.
    if (failures_ > 0 && (opening_ > 0 || now < retry_at_)) return;
    if (open() >= settings_.size && !probing && now - waiter->since < patience_) return;
    ++opening_;
    ++opens_due_;
    if (waiter) waiter = waiter->next();
  }
}

}  // namespace api::db
