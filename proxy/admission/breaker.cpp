#include "proxy/admission/breaker.hpp"

#include <algorithm>
#include <utility>

namespace spillway::admission {

void Breaker::configure(const BreakerPolicy& policy) {
  bucket_end_ = {};  // the window may change
  policy_ = policy;
  trials_.reserve(static_cast<std::size_t>(policy_.trial_requests));
  if (!policy_.enabled && state_ != State::closed) enter(State::closed, Cause::disabled, since_);
}

bool Breaker::allows(bool body_at_hand, Time now) {
  if (state_ == State::closed) return true;
  if (state_ == State::open && now >= open_until_) half_open(Cause::time, now);
  if (state_ == State::half_open) {
    asked_ = now;
    end_late_trials(now);
  }
  if (state_ != State::half_open || !has_place()) return false;
  return body_at_hand || now - since_ >= policy_.open_for;
}

Breaker::Pass Breaker::started(bool body_at_hand, Time now) {
  if (state_ != State::half_open || !has_place()) return {.stamp = stamp_};
  if (++trials_ever_ == 0) ++trials_ever_;  // 0 is none
  trials_.push_back({.number = trials_ever_, .started = now, .body_at_hand = body_at_hand});
  return {.stamp = stamp_, .trial = trials_ever_};
}

void Breaker::ended(Pass pass, Result result, Duration latency, Time now) {
  const bool slow = policy_.slow_call > Duration::zero() && usual_.known(now) &&
                    latency >= std::max(policy_.slow_call, usual_.ordinary_below(now));
  const bool late = latency >= trial_limit(now);
  if (result == Result::success) usual_.learn(latency, now);
  if (pass.stamp != stamp_ || !policy_.enabled) return;
  if (pass.trial != 0) {
    end_trial(pass.trial, result, late, now);
  } else if (state_ == State::closed && result != Result::ignored) {
    count(result, slow, now);
  }
}

void Breaker::health_succeeded(Time now) {
  if (state_ == State::open) half_open(Cause::health, now);
}

void Breaker::tick(Time now) {
  if (state_ == State::open && now >= open_until_) half_open(Cause::time, now);
  if (state_ != State::half_open) return;
  end_late_trials(now);
  if (state_ == State::half_open && trials_.empty() && now - asked_ >= policy_.max_open) close(Cause::quiet, now);
}

Duration Breaker::remaining(Time now) const {
  return state_ == State::open ? std::max(open_until_ - now, Duration::zero()) : Duration::zero();
}

int Breaker::admitted(int limit, Time now) const {
  if (!ramps(now)) return limit;
  constexpr double kFirst = 0.1;  // after the trials so much of a large limit is little
  const double left = std::chrono::duration<double>(ramp_end_ - now) / std::chrono::duration<double>(ramp_);
  const int by_time = static_cast<int>(limit * (kFirst + (1 - kFirst) * (1 - left)));
  return std::min(limit, std::max({1, by_time, proven_}));
}

void Breaker::proved(bool well, Time sent, Time now) {
  if (ramps(now) && sent >= since_) proven_ = std::max(0, proven_ + (well ? 1 : -1));
}

std::optional<Breaker::Change> Breaker::take_change() {
  return std::exchange(change_, std::nullopt);
}

void Breaker::count(Result result, bool slow, Time now) {
  Counts& bucket = bucket_at(now);
  const bool failed = result != Result::success;
  for (Counts* counts : {&bucket, &sum_}) {
    ++counts->all;
    counts->failed += failed;
    counts->slow += slow;
  }
  const bool enough = sum_.all >= policy_.min_requests;
  const bool failing = sum_.failed >= policy_.failure_ratio * sum_.all;
  if (result == Result::unreachable) {
    open(Cause::unreachable, policy_.open_for, now);
  } else if (enough && failing) {
    open(Cause::failures, policy_.open_for, now);
  } else if (enough && sum_.slow >= policy_.slow_ratio * sum_.all) {
    open(Cause::slow, policy_.open_for, now);
  }
}

void Breaker::end_trial(std::uint32_t number, Result result, bool late, Time now) {
  const auto trial = std::find_if(trials_.begin(), trials_.end(), [&](const Trial& t) { return t.number == number; });
  if (trial == trials_.end()) return;  // it was late and has been dropped
  trials_.erase(trial);
  if (result == Result::ignored) return;
  if (result != Result::success || late) {
    open_again(result == Result::success ? Cause::trial_late : Cause::trial_failed, now);
  } else if (++trials_succeeded_ >= policy_.trial_requests) {
    close(Cause::trials, now);
  }
}

/// A trial may take as long as any call that is not slow.
Duration Breaker::trial_limit(Time now) {
  const Duration limit = policy_.slow_call > Duration::zero() ? policy_.slow_call : kLongestTrial;
  return std::max(limit, usual_.ordinary_below(now));
}

void Breaker::end_late_trials(Time now) {
  if (trials_.empty()) return;
  const Duration limit = trial_limit(now);
  const auto late = [&](const Trial& t) { return now - t.started >= limit; };
  if (std::any_of(trials_.begin(), trials_.end(), [&](const Trial& t) { return t.body_at_hand && late(t); })) {
    return open_again(Cause::trial_late, now);
  }
  std::erase_if(trials_, late);  // perhaps not the API but their clients were slow
}

/// The bucket of this moment. Buckets that have left the window are emptied.
Breaker::Counts& Breaker::bucket_at(Time now) {
  if (now >= bucket_begin_ && now < bucket_end_) return buckets_[static_cast<std::size_t>(bucket_number_ % kBuckets)];
  const Duration width = std::max(policy_.window / kBuckets, Duration(1));
  const std::int64_t number = now.time_since_epoch() / width;
  const std::int64_t passed = std::min<std::int64_t>(number - bucket_number_, kBuckets);
  for (std::int64_t i = 1; i <= passed; ++i) {
    Counts& oldest = buckets_[static_cast<std::size_t>((bucket_number_ + i) % kBuckets)];
    sum_.all -= oldest.all;
    sum_.failed -= oldest.failed;
    sum_.slow -= oldest.slow;
    oldest = {};
  }
  bucket_number_ = std::max(bucket_number_, number);
  bucket_begin_ = Time(width * number);
  bucket_end_ = bucket_begin_ + width;
  return buckets_[static_cast<std::size_t>(bucket_number_ % kBuckets)];
}

void Breaker::open(Cause cause, Duration period, Time now) {
  if (state_ == State::closed) open_since_ = now;
  enter(State::open, cause, now);
  open_period_ = change_->lasts = period;
  open_until_ = now + period;
}

void Breaker::open_again(Cause cause, Time now) {
  open(cause, std::min(open_period_ * 2, policy_.max_open), now);
}

void Breaker::half_open(Cause cause, Time now) {
  enter(State::half_open, cause, now);
  asked_ = now;
}

void Breaker::close(Cause cause, Time now) {
  proven_ = trials_succeeded_;
  enter(State::closed, cause, now);
  ramp_ = std::clamp(now - open_since_, Duration(1), std::max(policy_.ramp, Duration(1)));
  change_->lasts = ramp_;
  ramp_end_ = now + ramp_;
}

void Breaker::enter(State state, Cause cause, Time now) {
  change_ = {.state = state, .cause = cause, .requests = sum_.all, .failed = sum_.failed, .slow = sum_.slow};
  state_ = state;
  since_ = now;
  ++stamp_;
  trials_.clear();
  trials_succeeded_ = 0;
  buckets_ = {};
  sum_ = {};
}

Breaker::Learned Breaker::learned(Time now) const {
  Breaker copy = *this;
  copy.bucket_at(now);  // empties what has left the window
  Learned learned{.state = state_,
                  .in_state = now - since_,
                  .since_opened = now - open_since_,
                  .until_trial = remaining(now),
                  .open_period = open_period_,
                  .ramp = ramp_,
                  .ramp_left = std::max(ramp_end_ - now, Duration::zero()),
                  .trials_succeeded = trials_succeeded_,
                  .proven = proven_,
                  .window = {},
                  .usual = usual_.learned()};
  for (int i = 0; i < kBuckets; ++i) {
    learned.window[static_cast<std::size_t>(i)] = copy.bucket(copy.bucket_number_ + kBuckets - i);
  }
  return learned;
}

void Breaker::restore(const Learned& learned, Time now) {
  usual_.restore(learned.usual);
  if (!policy_.enabled) return;
  state_ = learned.state;
  since_ = now - learned.in_state;
  asked_ = now;
  open_since_ = now - learned.since_opened;
  open_until_ = now + std::min(learned.until_trial, policy_.max_open);
  open_period_ = std::min(learned.open_period, policy_.max_open);
  ramp_ = std::max(learned.ramp, Duration(1));
  ramp_end_ = now + std::min(learned.ramp_left, ramp_);
  trials_succeeded_ = learned.trials_succeeded;
  proven_ = learned.proven;
  bucket_at(now);
  sum_ = {};
  for (int i = 0; i < kBuckets; ++i) {
    const Counts& counts = learned.window[static_cast<std::size_t>(i)];
    bucket(bucket_number_ + kBuckets - i) = counts;
    sum_.all += counts.all;
    sum_.failed += counts.failed;
    sum_.slow += counts.slow;
  }
}

std::string_view name(Breaker::State state) {
  constexpr std::array<std::string_view, 3> kNames{"closed", "half_open", "open"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view name(Breaker::Cause cause) {
  constexpr std::array<std::string_view, 10> kNames{"unreachable", "failures", "slow",   "trial_failed", "trial_late",
                                                    "time",        "health",   "trials", "quiet",        "disabled"};
  return kNames[static_cast<std::size_t>(cause)];
}

}  // namespace spillway::admission
