#include "api/db/pool_policy.hpp"

#include <algorithm>
#include <utility>

namespace api::db {

namespace {

Duration backoff(int failures, double jitter) {
  Duration pause = kFirstBackoff;
  for (int i = 1; i < failures && pause < kMaxBackoff; ++i) pause *= 2;
  pause = std::min(pause, kMaxBackoff);
  // Between half and all of the pause.
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
  // A new waiter never overtakes: beside an idle connection nobody is waiting.
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
  if (how == Returned::broken) {
    ++errors_;
    suspect_since_ = now;
    // Find out by ourselves whether the database is still there, also when nobody asks.
    probe_wanted_ = true;
  }
  plan_opens(now);
}

void PoolPolicy::opened(Slot& slot, Duration took, Time now) {
  --opening_;
  // Smoothed, since one opening may meet a pause of the machine.
  patience_ = std::clamp(patience_ + (took - patience_) / 4, kOverflowPatience, kMaxOverflowPatience);
  patience_since_ = now;
  failures_ = 0;
  probe_wanted_ = false;
  ever_opened_ = true;
  slot.opened = slot.last_used = now;
  place(slot, now);
}

void PoolPolicy::open_failed(Time now, double jitter) {
  --opening_;
  ++errors_;
  ++failures_;
  retry_at_ = now + backoff(failures_, jitter);
  probe_wanted_ = true;
  // With a connection in use or another attempt under way there is still something to wait for.
  if (open() == 0) fail_all(PoolFailure::unreachable);
  plan_opens(now);
}

void PoolPolicy::lost(Slot& slot, Time now) {
  idle_.erase(slot);
  to_close_.push_back(slot);
  ++errors_;
  suspect_since_ = now;
  probe_wanted_ = true;
  plan_opens(now);
}

void PoolPolicy::tick(Time now) {
  while (Waiter* waiter = waiters_.front()) {
    if (waiter->since + settings_.timeout > now) break;
    waiters_.erase(*waiter);
    // Say what is wrong: a pool that cannot open anything is not merely busy.
    fail(*waiter, in_use_ == 0 && failures_ > 0 ? PoolFailure::unreachable : PoolFailure::timeout);
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
    // The first waiter that no opening is under way for.
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
  gauges.overflow = std::max(0, open() - settings_.size);
  gauges.checked_in = gauges.total() - in_use_ - connecting;
  gauges.capacity = settings_.capacity();
  gauges.waiters = waiting - connecting;
  gauges.connection_errors = errors_;
  gauges.reachable = ever_opened_ && failures_ == 0;
  return gauges;
}

/// A connection has become free: to the first in line, to the idle ones, or closed.
void PoolPolicy::place(Slot& slot, Time now) {
  if (closing_ || open() + 1 > settings_.capacity()) {
    to_close_.push_back(slot);
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
  waiter.verify =
      settings_.pre_ping && reused && (now - slot.last_used >= kTrustedFor || slot.last_used <= suspect_since_);
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
    to_close_.push_back(*slot);
  }
  return nullptr;
}

bool PoolPolicy::expired(const Slot& slot, Time now) const {
  return settings_.recycle > Duration::zero() && now - slot.opened >= settings_.recycle;
}

/// Halves it for each half-life without an opening; few rounds, since it ends at the least.
void PoolPolicy::fade_patience(Time now) {
  while (patience_ > kOverflowPatience && now - patience_since_ >= kPatienceHalfLife) {
    patience_ = std::max(patience_ / 2, kOverflowPatience);
    patience_since_ += kPatienceHalfLife;
  }
}

/// Raises `opening_` to what the waiters (or a probe) are worth.
void PoolPolicy::plan_opens(Time now) {
  if (closing_) return;
  Waiter* waiter = waiters_.front();
  for (int i = 0; i < opening_ && waiter; ++i) waiter = waiter->next();
  while (open() < settings_.capacity()) {
    const bool probing = probe_wanted_ && opening_ == 0;
    if (!waiter && !probing) return;
    // While the database refuses, one attempt at a time.
    if (failures_ > 0 && (opening_ > 0 || now < retry_at_)) return;
    if (open() >= settings_.size && !probing && now - waiter->since < patience_) return;
    ++opening_;
    ++opens_due_;
    if (waiter) waiter = waiter->next();
  }
}

}  // namespace api::db
