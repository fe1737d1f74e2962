#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/admission/reason.hpp"
#include "proxy/net/clock.hpp"

namespace spillway::telemetry {

/// Chooses the refusals that the log and the status page show one by one: of each reason the first `kPerSecond` of each
/// second. Under overload thousands are refused a second, and more lines would say nothing new. Safe from any thread.
class Refusals {
 public:
  static constexpr std::uint32_t kPerSecond = 100;
  /// Groups kept: more than a page shows, and few enough to search one by one.
  static constexpr std::size_t kGroups = 64;
  static constexpr std::int64_t kWindow = 60;  ///< seconds that a group counts
  static constexpr std::size_t kPathMax = 80;

  struct Refusal {
    std::chrono::system_clock::time_point at;
    admission::Reason reason;
    int class_index;
    std::string method;
    std::string path;              ///< without its query
    int in_flight = 0, limit = 0;  ///< when it was refused
    Duration waited{};             ///< in the queue
  };
  /// Refusals that are alike: same reason, class, method and `path_pattern`.
  struct Group {
    Refusal last;
    std::uint32_t count = 0;  ///< of those remembered within the window
  };

  /// Whether to show this refusal. At the start of a second two threads may race, and then some more are shown.
  bool take(admission::Reason reason, Time now);
  /// How many refusals of past seconds have not been shown since the last call.
  std::uint64_t take_left_out(admission::Reason reason, Time now);

  void remember(Refusal refusal);
  /// The refusals of the window that ends at `now`, most first.
  std::vector<Group> groups(std::chrono::system_clock::time_point now) const;

 private:
  struct Count {
    std::atomic<std::int64_t> second{-1};
    std::atomic<std::uint32_t> in_second{0};
    std::atomic<std::uint64_t> left_out{0};
  };
  Count& of(admission::Reason reason) { return counts_[static_cast<std::size_t>(reason)]; }
  struct Counted {
    Refusal last;
    std::array<std::uint32_t, kWindow> by_second{};  ///< the second of `last`, and those before it
    std::uint32_t within(std::int64_t now) const;
  };

  std::array<Count, admission::kReasons> counts_;
  mutable std::mutex mutex_;
  std::deque<Counted> groups_;  ///< the one refused last comes first
};

/// The path, cut to `kPathMax`, with `*` for segments that look like the identifier of one thing: only digits, or at
/// least 16 hexadecimal digits and hyphens.
std::string path_pattern(std::string_view path);

}  // namespace spillway::telemetry
