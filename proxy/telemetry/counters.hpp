#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "proxy/admission/reason.hpp"
#include "proxy/http2/abuse_kind.hpp"
#include "proxy/net/clock.hpp"
#include "proxy/telemetry/exemplar.hpp"
#include "proxy/telemetry/labels.hpp"

namespace spillway::telemetry {

/// A count with one writing thread and any number of reading threads. Adding is a plain load and store, without a lock
/// or an atomic read-modify-write.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.store(value() + n, std::memory_order_relaxed); }
  void subtract(std::uint64_t n = 1) { value_.store(value() - n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Upper bounds of the latency buckets, in milliseconds. 120 and 200 are the service objectives (p95 and p99). 1,500
/// and 2,000 are for requests that have waited in the queue, by default for up to 1 s.
inline constexpr std::array kLatencyBoundsMs{1.0,    2.5,    5.0,    10.0,   25.0,    50.0,   75.0,
                                             100.0,  120.0,  150.0,  200.0,  300.0,   500.0,  1000.0,
                                             1500.0, 2000.0, 2500.0, 5000.0, 10000.0, 30000.0};
/// Upper bounds of the buckets for requests in flight, observed at each admission.
inline constexpr std::array kConcurrencyBounds{1.0,  2.0,  5.0,  10.0,  20.0,  30.0,  40.0,  50.0,   60.0,
                                               70.0, 80.0, 90.0, 100.0, 150.0, 200.0, 500.0, 1000.0, 5000.0};

/// A histogram with one writing thread. `bounds` must ascend; the last bucket is +Inf.
template <const auto& bounds>
class Histogram {
 public:
  static constexpr std::size_t kBuckets = bounds.size() + 1;

  /// Returns the bucket.
  std::size_t observe(double value) {
    std::size_t bucket = 0;
    while (bucket < bounds.size() && value > bounds[bucket]) ++bucket;
    buckets_[bucket].add();
    sum_.store(sum() + value, std::memory_order_relaxed);
    return bucket;
  }
  std::uint64_t bucket(std::size_t i) const { return buckets_[i].value(); }
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::array<Counter, kBuckets> buckets_;
  std::atomic<double> sum_{0};
};

/// A histogram that keeps an example of each bucket.
template <const auto& bounds>
class ExampleHistogram : public Histogram<bounds> {
 public:
  using Histogram<bounds>::observe;
  void observe(double value, const Example& example) {
    examples_[Histogram<bounds>::observe(value)].note(value, example);
  }
  std::optional<Exemplar> exemplar(std::size_t bucket) const { return examples_[bucket].read(); }

 private:
  std::array<ExemplarSlot, Histogram<bounds>::kBuckets> examples_;
};

/// Upper bounds of the buckets for the lag of an event loop, in milliseconds.
inline constexpr std::array kLagBoundsMs{1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0};

using LatencyHistogram = Histogram<kLatencyBoundsMs>;  ///< observed in milliseconds
using RequestHistogram = ExampleHistogram<kLatencyBoundsMs>;
using ConcurrencyHistogram = Histogram<kConcurrencyBounds>;
using LagHistogram = Histogram<kLagBoundsMs>;  ///< observed in milliseconds

/// What one worker counts for one class.
struct ClassCounters {
  std::array<std::array<Counter, kCodes>, kOutcomes> requests;
  std::array<Counter, admission::kReasons> rejections;
  std::array<Counter, admission::kReasons> shadow_rejections;
  RequestHistogram duration;
  RequestHistogram served_duration;  ///< of those that the API answered below 500, streams left out
  LatencyHistogram upstream_duration;
  LatencyHistogram queue_wait;
};

/// Everything that one worker counts. Only its thread writes; scrapes read. `classes` has its size before the worker
/// runs. Aligned, so that two workers share no cache line.
struct alignas(64) WorkerCounters {
  explicit WorkerCounters(std::size_t class_count) : classes(class_count) {}

  // Conservation: whenever no request is running, parsed = answered_by_api + answered_by_proxy + aborted.
  Counter parsed;
  Counter answered_by_api;
  Counter answered_by_proxy;
  Counter aborted;

  std::deque<ClassCounters> classes;  ///< by class index
  std::array<Counter, kBadRequestCodes.size()> bad_requests;
  std::array<Counter, kProtocols> protocols;  ///< requests parsed
  std::array<Counter, http2::kAbuseKinds> http2_abuse;
  ConcurrencyHistogram concurrency;
  LagHistogram loop_lag;
  Counter bytes_in, bytes_out;  ///< of bodies and tunnels, from and to clients; counted when a request ends

  std::array<Counter, kFailureCauses.size()> failures;  ///< by cause

  Counter client_connections;  ///< open now
  Counter http2_memory;        ///< bytes that requests over HTTP/2 hold now, without bodies
  Counter upstream_active;     ///< open now
  Counter upstream_idle;       ///< open now
  Counter upstream_connects;
  Counter upstream_connect_failures;
  Counter upstream_retries;
  std::array<Counter, kHandshakeLabels.size()> tls_handshakes;  ///< by telemetry::Handshake
};

inline double to_milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace spillway::telemetry
