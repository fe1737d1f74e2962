#include "proxy/telemetry/history.hpp"

#include <numeric>
#include <utility>

#include "proxy/telemetry/sum.hpp"

namespace spillway::telemetry {

namespace {

std::uint32_t since(std::uint64_t now, std::uint64_t& before) {
  return static_cast<std::uint32_t>(now - std::exchange(before, now));
}

bool is_answer(Outcome outcome) {
  return outcome == Outcome::ok || outcome == Outcome::client_error;
}

}  // namespace

History::History(std::vector<const WorkerCounters*> workers)
    : workers_(std::move(workers)), totals_(workers_.empty() ? 0 : workers_.front()->classes.size()) {}

void History::sample(std::int64_t at, const AdmissionState& admission, const ProcessState& process) {
  Sample s;
  s.at = at;
  s.admission = admission;
  s.healthy = process.upstream_healthy;
  s.draining = process.draining;
  s.maintenance = process.maintenance;
  s.reloaded = process.reload_time;
  s.offered = since(sum(workers_, &WorkerCounters::parsed), parsed_);
  s.aborted = since(sum(workers_, &WorkerCounters::aborted), aborted_);
  for (std::size_t i = 0; i < failed_.size(); ++i) {
    const auto of_cause = [i](const WorkerCounters& w) -> auto& {
      return w.failures[i];
    };
    s.failed[i] = since(sum(workers_, of_cause), failed_[i]);
  }
  Buckets buckets{};
  std::uint64_t answered = 0;
  for (std::size_t i = 0; i < totals_.size(); ++i) {
    std::uint64_t ended = 0;
    std::array<std::uint64_t, admission::kReasons> refused{}, would_refuse{};
    for (const WorkerCounters* worker : workers_) {
      const ClassCounters& of_class = worker->classes[i];
      for (std::size_t b = 0; b < buckets.size(); ++b) buckets[b] += of_class.served_duration.bucket(b);
      for (std::size_t outcome = 0; outcome < kOutcomes; ++outcome) {
        for (const Counter& count : of_class.requests[outcome]) {
          ended += count.value();
          if (is_answer(static_cast<Outcome>(outcome))) answered += count.value();
        }
      }
      for (std::size_t r = 0; r < refused.size(); ++r) {
        refused[r] += of_class.rejections[r].value();
        would_refuse[r] += of_class.shadow_rejections[r].value();
      }
    }
    ClassTotals& totals = totals_[i];
    s.offered_of.push_back(since(ended, totals.ended));
    std::uint32_t refused_now = 0;
    for (std::size_t r = 0; r < refused.size(); ++r) {
      const std::uint32_t of_reason = since(refused[r], totals.refused[r]);
      s.refused[r] += of_reason;
      refused_now += of_reason;
      s.would_refuse[r] += since(would_refuse[r], totals.would_refuse[r]);
    }
    s.refused_of.push_back(refused_now);
  }
  s.answered = since(answered, answered_);
  Buckets in_second{};
  for (std::size_t b = 0; b < buckets.size(); ++b) in_second[b] = buckets[b] - std::exchange(buckets_[b], buckets[b]);
  constexpr std::array kShares{0.5, 0.95, 0.99};
  for (std::size_t i = 0; i < kShares.size(); ++i) {
    s.latency_ms[i] = static_cast<float>(quantile(in_second, kShares[i]));
  }
  samples_.push_back(std::move(s));
  if (samples_.size() > kSamples) samples_.pop_front();
}

void History::restore(std::vector<Sample> samples) {
  for (Sample& each : samples) {
    each.offered_of.resize(totals_.size());
    each.refused_of.resize(totals_.size());
    samples_.push_back(std::move(each));
    if (samples_.size() > kSamples) samples_.pop_front();
  }
}

double quantile(const std::array<std::uint64_t, LatencyHistogram::kBuckets>& buckets, double p) {
  const auto total = static_cast<double>(std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0}));
  if (total == 0) return 0;
  const double rank = p * total;
  double below = 0;
  for (std::size_t b = 0; b < kLatencyBoundsMs.size(); ++b) {
    const auto here = static_cast<double>(buckets[b]);
    if (here > 0 && below + here >= rank) {
      const double low = b == 0 ? 0 : kLatencyBoundsMs[b - 1];
      return low + (kLatencyBoundsMs[b] - low) * (rank - below) / here;
    }
    below += here;
  }
  return kLatencyBoundsMs.back();
}

}  // namespace spillway::telemetry
