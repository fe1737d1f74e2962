#pragma once

#include <algorithm>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// Follows what the API itself sheds of a class: answers 503 or 429 with `Retry-After`. While it sheds, the proxy sends
/// requests of that class at a rate a little above what the API accepts, and refuses the rest. Then a flood that the
/// API sheds costs the API hardly any work, and takes no slots from other classes.
///
/// Source: client-side adaptive throttling (Beyer et al., "Site Reliability Engineering", 2016, chapter 21): no more is
/// sent than `kMore` times what was accepted lately. Their factor is 2; 1.5 finds a new capacity nearly as fast and
/// wastes half as much. They admit at random; this paces requests, since an API without a queue would shed the second
/// of two that arrive together. Bounded: one request a second is sent in any case, and the pacing ends `kEnd` after the
/// last shed answer.
class ApiShedding {
 public:
  static constexpr double kMore = 1.5;
  static constexpr double kProbes = 1;  ///< requests a second, to notice that a class is accepted again
  static constexpr Duration kWindow = std::chrono::seconds(1);  ///< over which accepted requests are counted
  static constexpr Duration kEnd = std::chrono::seconds(5);     ///< as long as `Retry-After` is by default
  static constexpr double kBurst = 0.020;  ///< seconds; what the rate allows in this time may be sent at once

  /// A request of the class is being sent.
  void sent(Time now) {
    if (!active(now)) return;
    tokens_ = std::max(0.0, tokens(now) - 1);
    filled_ = now;
  }
  /// The API accepted a request: it answered or failed.
  void taken(Time now) {
    if (const auto windows = (now - begin_) / kWindow; windows >= 1) {
      previous_ = windows == 1 ? current_ : 0;
      current_ = 0;
      begin_ += windows * kWindow;
    }
    ++current_;
  }
  /// The API shed a request.
  void shed(Time now) {
    if (!active(now)) {
      tokens_ = 0;
      filled_ = now;
    }
    ever_ = true;
    last_shed_ = now;
  }

  /// Whether the API is shedding this class.
  bool active(Time now) const { return ever_ && now - last_shed_ < kEnd; }
  /// Whether the API has been sent all that it accepts at the moment.
  bool enough(Time now) const { return active(now) && tokens(now) < 1; }

 private:
  /// Accepted requests a second: of this window, and of the part of the previous one that the sliding window covers.
  double taken_rate(Time now) const {
    const Duration in_window = now - begin_;
    if (in_window >= 2 * kWindow) return 0;
    const double part = in_seconds(in_window) / in_seconds(kWindow);
    return (part < 1 ? current_ + (1 - part) * previous_ : (2 - part) * current_) / in_seconds(kWindow);
  }
  double tokens(Time now) const {
    const double pace = kMore * taken_rate(now) + kProbes;
    return std::min(tokens_ + pace * in_seconds(now - filled_), std::max(1.0, pace * kBurst));
  }

  bool ever_ = false;
  double current_ = 0, previous_ = 0;  // accepted in the window that began at `begin_`, and in the previous one
  Time begin_{}, last_shed_{};
  double tokens_ = 0;  // as of `filled_`
  Time filled_{};
};

}  // namespace spillway::admission
