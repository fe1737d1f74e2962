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
  if (how == Returned::broken || how == Returned::silent) suspect(now);
  if (how == Returned::silent) check_idle(now);
  if (how == Returned::moved && slot.generation == generation_) retire(now);
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
  slot.generation = generation_;
  place(slot, now);
}

void PoolPolicy::open_failed(Time now, double jitter) {
  --opening_;
  ++errors_;
  ++failures_;
  retry_at_ = now + backoff(failures_, jitter);
  // A server at its limit of connections is not asked again and again while those that are open work. Whether they do
  // is found out here if nobody uses them.
  probe_wanted_ = established() == 0;
  check_idle(now);
  // With a connection in use or another attempt under way there is still something to wait for.
  if (open() == 0) fail_all(PoolFailure::unreachable);
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
  // Find the other server at once, also when nobody asks.
  probe_wanted_ = true;
  plan_opens(now);
}

void PoolPolicy::tick(Time now) {
  while (Waiter* waiter = waiters_.front()) {
    if (waiter->since + settings_.timeout > now) break;
    waiters_.erase(*waiter);
    // Say what is wrong: a pool that cannot open anything is not merely busy.
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
  // A pool that has become smaller shows no more than it may have: beyond that nobody can use anything anyway.
  gauges.overflow = std::clamp(open() - settings_.size, 0, settings_.max_overflow);
  gauges.checked_in = std::max(0, gauges.total() - in_use_ - connecting);
  gauges.capacity = settings_.capacity();
  gauges.waiters = waiting - connecting;
  gauges.connection_errors = errors_;
  gauges.reachable = ever_opened_ && (failures_ == 0 || established() > 0);
  return gauges;
}

/// A connection has become free: to the first in line, to the idle ones, or closed.
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
    to_close_.push_back(*slot);
  }
  return nullptr;
}

bool PoolPolicy::expired(const Slot& slot, Time now) const {
  return settings_.recycle > Duration::zero() && now - slot.opened >= settings_.recycle;
}

/// It may have gone stale while it rested: to be pinged before it is trusted.
bool PoolPolicy::doubtful(const Slot& slot, Time now) const {
  return settings_.pre_ping && (now - slot.last_used >= kTrustedFor || slot.last_used <= suspect_since_);
}

/// Takes out the idle connections that may be silent, to be pinged all at once: one after the other, by those who need
/// them, would take each of these the time of a ping.
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

/// One was lost: so may be the others. Finds out whether the database is still there, also when nobody asks.
void PoolPolicy::suspect(Time now) {
  ++errors_;
  suspect_since_ = now;
  probe_wanted_ = true;
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
