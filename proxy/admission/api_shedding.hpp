#pragma once

#include <algorithm>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// What the API itself sheds of a class: answers 503 or 429 with `Retry-After`. While it does, the proxy sends that
/// class at a pace a little above what the API takes, and refuses the rest: a storm that the API turns away costs it
/// hardly any work, and takes no slot from others.
///
/// Source: client-side adaptive throttling (Beyer et al., "Site Reliability Engineering", 2016, chapter 21): no more is
/// sent than `kMore` times what was taken of late. Their factor is 2; 1.5 finds a new capacity nearly as fast and
/// wastes half as much. Paced, where they draw: an API without a queue would shed the second of two that come together.
/// Bounded: one a second goes on in any case, and the whole ends `kEnd` after the last shed answer.
class ApiShedding {
 public:
  static constexpr double kMore = 1.5;
  static constexpr double kProbes = 1;                          ///< a second, so that a class shed whole is found again
  static constexpr Duration kWindow = std::chrono::seconds(1);  ///< over which what is taken is counted
  static constexpr Duration kEnd = std::chrono::seconds(5);     ///< as long as `Retry-After` is by default
  static constexpr double kBurst = 0.020;                       ///< seconds of the pace that may come together

  /// A request of the class is sent.
  void sent(Time now) {
    if (!active(now)) return;
    tokens_ = std::max(0.0, tokens(now) - 1);
    filled_ = now;
  }
  /// The API took one: it answered, or failed.
  void taken(Time now) {
    if (const auto windows = (now - begin_) / kWindow; windows >= 1) {
      previous_ = windows == 1 ? current_ : 0;
      current_ = 0;
      begin_ += windows * kWindow;
    }
    ++current_;
  }
  /// It shed one.
  void shed(Time now) {
    if (!active(now)) {
      tokens_ = 0;
      filled_ = now;
    }
    ever_ = true;
    last_shed_ = now;
  }

  /// Whether the API sheds this class at the moment.
  bool active(Time now) const { return ever_ && now - last_shed_ < kEnd; }
  /// Whether it has been sent all that it takes.
  bool enough(Time now) const { return active(now) && tokens(now) < 1; }

 private:
  static double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

  /// Taken a second: in this window, and as much of the one before as the sliding window still covers.
  double taken_rate(Time now) const {
    const Duration in_window = now - begin_;
    if (in_window >= 2 * kWindow) return 0;
    const double part = seconds(in_window) / seconds(kWindow);
    return (part < 1 ? current_ + (1 - part) * previous_ : (2 - part) * current_) / seconds(kWindow);
  }
  double tokens(Time now) const {
    const double pace = kMore * taken_rate(now) + kProbes;
    return std::min(tokens_ + pace * seconds(now - filled_), std::max(1.0, pace * kBurst));
  }

  bool ever_ = false;
  double current_ = 0, previous_ = 0;  // taken in the window that began at `begin_`, and in the one before
  Time begin_{}, last_shed_{};
  double tokens_ = 0;  // as of `filled_`
  Time filled_{};
};

}  // namespace spillway::admission
