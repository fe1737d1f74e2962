#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "proxy/admission/reason.hpp"
#include "proxy/net/clock.hpp"

namespace spillway::telemetry {

/// Chooses the refusals that the log and the status page show one by one: of each reason the first `kPerSecond` of each
/// second. Under overload thousands are refused a second, and more lines would say nothing new. Safe from any thread.
class Refusals {
 public:
  static constexpr std::uint32_t kPerSecond = 100;
  static constexpr std::size_t kRemembered = 20;

  struct Refusal {
    std::chrono::system_clock::time_point at;
    admission::Reason reason;
    int class_index;
    std::string method;
    std::string path;  ///< without its query, cut to `kPathMax`
  };
  static constexpr std::size_t kPathMax = 80;

  /// Whether to show this refusal. At the start of a second two threads may race, and then some more are shown.
  bool take(admission::Reason reason, Time now);
  /// How many refusals of past seconds have not been shown since the last call.
  std::uint64_t take_left_out(admission::Reason reason, Time now);

  void remember(Refusal refusal);
  /// Newest first.
  std::vector<Refusal> recent() const;

 private:
  struct Count {
    std::atomic<std::int64_t> second{-1};
    std::atomic<std::uint32_t> in_second{0};
    std::atomic<std::uint64_t> left_out{0};
  };
  Count& of(admission::Reason reason) { return counts_[static_cast<std::size_t>(reason)]; }

  std::array<Count, admission::kReasons> counts_;
  mutable std::mutex mutex_;
  std::deque<Refusal> recent_;
};

}  // namespace spillway::telemetry
