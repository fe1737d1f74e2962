#include "proxy/admission/breaker.hpp"

#include <algorithm>

namespace spillway::upstream {

void Breaker::configure(const BreakerPolicy& policy) {
  policy_ = policy;
  if (!policy_.enabled && state_ != State::closed) enter(State::closed);
}

bool Breaker::allows(Time now) {
  if (state_ == State::open && now >= open_until_) enter(State::half_open);
  if (state_ == State::half_open) return trials_out_ < policy_.trial_requests;
  return state_ == State::closed;
}

std::uint32_t Breaker::started() {
  if (state_ == State::half_open) ++trials_out_;
  return stamp_;
}

void Breaker::ended(std::uint32_t stamp, Result result, Duration latency, Time now) {
  if (stamp != stamp_ || !policy_.enabled) return;
  const bool slow = latency >= policy_.slow_call;
  if (state_ == State::half_open) {
    end_trial(result, slow, now);
  } else if (state_ == State::closed && result != Result::ignored) {
    count(result, slow, now);
  }
}

void Breaker::health_succeeded() {
  if (state_ == State::open) enter(State::half_open);
}

Duration Breaker::remaining(Time now) const {
  return state_ == State::open ? std::max(open_until_ - now, Duration::zero()) : Duration::zero();
}

double Breaker::admission(Time now) const {
  if (state_ != State::closed || now >= ramp_end_) return 1;
  // From one tenth on: less would be less than the trials have shown to go well.
  constexpr double kFirst = 0.1;
  const double left = std::chrono::duration<double>(ramp_end_ - now) / std::chrono::duration<double>(ramp_);
  return 1 - (1 - kFirst) * left;
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
  const bool failing = sum_.failed >= policy_.failure_ratio * sum_.all || sum_.slow >= policy_.slow_ratio * sum_.all;
  if (result == Result::unreachable || (enough && failing)) {
    open_since_ = now;
    open(now, policy_.open_for);
  }
}

void Breaker::end_trial(Result result, bool slow, Time now) {
  --trials_out_;
  if (result == Result::ignored) return;
  if (result != Result::success || slow) {
    open(now, std::min(open_period_ * 2, policy_.max_open));
  } else if (++trials_succeeded_ >= policy_.trial_requests) {
    close(now);
  }
}

/// The bucket of this moment; those that have slid out of the window are emptied.
Breaker::Counts& Breaker::bucket_at(Time now) {
  const std::int64_t number = now.time_since_epoch() / std::max(policy_.window / kBuckets, Duration(1));
  const std::int64_t passed = std::min<std::int64_t>(number - bucket_number_, kBuckets);
  for (std::int64_t i = 1; i <= passed; ++i) {
    Counts& oldest = buckets_[static_cast<std::size_t>((bucket_number_ + i) % kBuckets)];
    sum_.all -= oldest.all;
    sum_.failed -= oldest.failed;
    sum_.slow -= oldest.slow;
    oldest = {};
  }
  bucket_number_ = std::max(bucket_number_, number);
  return buckets_[static_cast<std::size_t>(bucket_number_ % kBuckets)];
}

void Breaker::open(Time now, Duration period) {
  enter(State::open);
  open_period_ = period;
  open_until_ = now + period;
}

void Breaker::close(Time now) {
  enter(State::closed);
  ramp_ = std::clamp(now - open_since_, Duration(1), std::max(policy_.ramp, Duration(1)));
  ramp_end_ = now + ramp_;
}

void Breaker::enter(State state) {
  state_ = state;
  ++stamp_;
  trials_out_ = trials_succeeded_ = 0;
  buckets_ = {};
  sum_ = {};
}

std::string_view name(Breaker::State state) {
  constexpr std::array<std::string_view, 3> kNames{"closed", "half_open", "open"};
  return kNames[static_cast<std::size_t>(state)];
}

}  // namespace spillway::upstream
