#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "proxy/net/clock.hpp"

namespace spillway::upstream {

/// When the API's health is polled next: once an interval, up to ten times as often while polls fail, and more often
/// still while nobody listens at the API's address. Then the next poll is due after a hundredth of the time that this
/// has lasted, so that polling makes an outage hardly more than 1 % longer, and the number of polls grows with its
/// logarithm only. A refused connect is answered by the API's kernel and costs the API nothing.
///
/// What a request has found counts as what a poll has found, so an outage is noticed when it begins. A poll that finds
/// the API for a moment does not end the outage: requests and polls that disagree cannot drive each other.
/// Pure: events come with `now`. `random`: uniform 32 bits from the caller, so that many proxies do not poll in step.
class PollSchedule {
 public:
  static constexpr int kPollsWhileDown = 10;  ///< per interval, while polls fail
  /// Least time between a refusal and the poll that follows, if the interval is not a few milliseconds itself: never
  /// more than 100 polls a second.
  static constexpr Duration kShortestPause = std::chrono::milliseconds(10);
  static constexpr int kOutageParts = 100;
  /// An outage is over when polls have reached the API for so long.
  static constexpr Duration kOver = std::chrono::seconds(1);

  enum class Found : std::uint8_t {
    good,     ///< the answer that is expected
    bad,      ///< the API can be connected to, but does not answer as expected
    nobody,   ///< every address has refused the connection
    silence,  ///< any other failed connect
    unknown,  ///< this machine could not ask
  };

  /// A poll is due at once. Interval 0: none ever is, from `rest` on.
  void configure(Duration interval, Time now) {
    interval_ = interval;
    regular_ = due_ = now;
  }
  bool polls() const { return interval_ > Duration::zero(); }
  /// Nothing is due until `configure`.
  void rest() { due_ = Time::max(); }
  Time due() const { return due_; }

  void begins(Time now) { began_ = now; }
  /// False: it has failed, but came sooner than it had to, and does not count for `fall`. Otherwise an outage of some
  /// milliseconds would use up `fall` polls.
  bool ended(Found found, std::uint32_t random, Time now) {
    const bool counts = found == Found::good || began_ >= regular_;
    failing_ = found != Found::good && (found != Found::unknown || failing_);
    if (found == Found::good || found == Found::unknown) {
      regular_ = due_ = began_ + interval_;
    } else {
      if (counts) regular_ = began_ + longer(interval_ / kPollsWhileDown, random);
      due_ = std::min(regular_, began_ + longer(interval_ / kPollsWhileDown, random));
    }
    if (found == Found::good || found == Found::bad) reached(now);
    if (found == Found::nobody || (failing_ && refused_ && *refused_ >= began_)) unreachable(random, now);
    if (failing_ && moved_ && *moved_ >= began_) sooner(now);
    return counts;
  }

  /// Nobody listens at any address: the connect of a request was refused. True: `due` is sooner than before.
  bool unreachable(std::uint32_t random, Time now) {
    if (!polls()) return false;
    if (!outage_ || (reached_ && now - *reached_ >= kOver)) outage_ = now;
    refused_ = now;
    reached_.reset();
    const Duration pause = std::max(kShortestPause, (now - *outage_) / kOutageParts);
    return sooner(now + longer(std::min(pause, interval_ / kPollsWhileDown), random));
  }

  /// The API's name has other addresses than before. True: `due` is sooner than before.
  bool moved(Time now) {
    moved_ = now;
    return polls() && failing_ && sooner(now);
  }

 private:
  /// By up to a quarter.
  static Duration longer(Duration pause, std::uint32_t random) { return pause + pause / 4 * (random >> 16) / 65536; }
  bool sooner(Time at) {
    if (at >= due_) return false;
    due_ = at;
    return true;
  }
  void reached(Time now) {
    if (!reached_) reached_ = now;
  }

  Duration interval_{};
  Time began_{};                 // the last poll
  Time regular_{}, due_{};       // regular_: when the next would be due if no connect had been refused
  bool failing_ = true;          // the last poll has failed; before the first nothing is known
  std::optional<Time> outage_;   // when the last one began
  std::optional<Time> refused_;  // when a connect was last refused
  std::optional<Time> reached_;  // since when polls have reached the API
  std::optional<Time> moved_;
};

}  // namespace spillway::upstream
