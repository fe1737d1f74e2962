#pragma once

#include <algorithm>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// Follows what the API itself sheds of a class: answers 503 with `Retry-After`. While it sheds most of what it is
/// sent, the proxy throttles the class: it sends requests at a rate a little above what the API accepts, and refuses
/// the rest. Then a flood that the API sheds costs the API hardly any work, and takes no slots from other classes.
///
/// Source: client-side adaptive throttling (Beyer et al., "Site Reliability Engineering", 2016, chapter 21): no more is
/// sent than `kMore` times what was accepted lately. Their factor is 2; 1.5 finds a new capacity nearly as fast and
/// wastes half as much. They admit at random; this paces requests, since an API without a queue would shed the second
/// of two that arrive together.
///
/// When to throttle is ours. An API that accepts most requests is not throttled: one endpoint or one client may cause
/// what it sheds, and all others would pay. What the proxy refuses says nothing of the API, and a pace that follows
/// what was accepted could keep itself low. So a throttle lasts `kWindow`, and longer only while the API sheds half of
/// the few requests that it is still sent; at least up to `kLong` if the last one ended too early. `kSurely` accepted
/// in a row end it at once. Bounded: one request a second is sent in any case.
class ApiShedding {
 public:
  static constexpr double kMore = 1.5;
  static constexpr double kProbes = 1;   ///< requests a second, to notice that a class is accepted again
  static constexpr double kFurther = 5;  ///< the same once some are accepted: a few answers tell within a second
  static constexpr Duration kWindow = std::chrono::seconds(1);  ///< over which answers are counted
  static constexpr Duration kLong = std::chrono::seconds(4);
  static constexpr int kSurely = 20;
  static constexpr double kRemembered = 128;                 ///< answers that are judged by at once,
  static constexpr double kFew = 16;                         ///< and while the class is throttled, since it gets few
  static constexpr double kFlood = 10;                       ///< shed requests: fewer in a window or two are no flood
  static constexpr double kMost = 1.5;                       ///< so many shed ones for each accepted one are most
  static constexpr double kSome = 0.1;                       ///< this share of the answers is more than chance
  static constexpr Duration kEnd = std::chrono::seconds(5);  ///< a throttle ends so long after the last shed answer
  static constexpr double kBurst = 0.020;  ///< seconds; what the rate allows in this time may be sent at once

  /// A request of the class is being sent.
  void sent(Time now) {
    if (!active(now)) return;
    tokens_ = std::max(0.0, tokens(now) - 1);
    filled_ = now;
  }
  /// A request that was sent has got an answer that says nothing of load.
  void discount(Time now) {
    if (!active(now)) return;
    tokens_ = tokens(now) + 1;
    filled_ = now;
  }
  /// The API accepted a request that was sent at `sent`: it answered or failed.
  void taken(Time sent, Time now) {
    turn(now);
    ++current_.taken;
    if (sent < changed_) return;
    judge(judged_.taken);
    ++in_a_row_;
    if (!active(now)) return;
    const bool over = now - changed_ >= lasts_ && judged_.taken > judged_.shed;
    if (over || in_a_row_ >= kSurely) change(false, now);
  }
  /// The API shed a request that was sent at `sent`.
  void shed(Time sent, Time now) {
    turn(now);
    ++current_.shed;
    throttles_ = active(now);
    last_shed_ = now;
    if (sent < changed_) return;
    judge(judged_.shed);
    in_a_row_ = 0;
    if (throttles_ || judged_.shed < std::max(kFlood, kMost * judged_.taken)) return;
    lasts_ = now - changed_ < kWindow ? std::min(2 * lasts_, kLong) : kWindow;
    change(true, now);
  }

  /// Whether the proxy throttles this class.
  bool active(Time now) const { return throttles_ && now - last_shed_ < kEnd; }
  /// Whether the API has been sent all that it accepts at the moment.
  bool enough(Time now) const { return active(now) && tokens(now) < 1; }
  /// Whether the API sheds some of the class, throttled or not.
  bool some(Time now) const {
    const double shed = lately(now, &Answers::shed);
    return shed > 0 && shed >= kSome * (shed + lately(now, &Answers::taken));
  }

 private:
  struct Answers {
    double taken = 0, shed = 0;
  };

  void judge(double& count) {
    const double most = throttles_ ? kFew : kRemembered;
    if (judged_.taken + judged_.shed >= most) judged_ = {.taken = judged_.taken / 2, .shed = judged_.shed / 2};
    ++count;
  }
  void change(bool throttles, Time now) {
    throttles_ = throttles;
    changed_ = filled_ = now;
    tokens_ = 0;
    judged_ = {};
    in_a_row_ = 0;
  }
  /// Begins the window that `now` lies in.
  void turn(Time now) {
    const auto windows = (now - begin_) / kWindow;
    if (windows < 1) return;
    previous_ = windows == 1 ? current_ : Answers();
    current_ = {};
    begin_ += windows * kWindow;
    // What is judged goes back a little further: a throttled API answers seldom.
    const double kept = windows == 1 ? 0.5 : 0;
    judged_ = {.taken = kept * judged_.taken, .shed = kept * judged_.shed};
  }
  /// Of the last second: of this window, and of the part of the previous one that the sliding window covers.
  double lately(Time now, double Answers::*count) const {
    const Duration in_window = now - begin_;
    if (in_window >= 2 * kWindow) return 0;
    const double part = in_seconds(in_window) / in_seconds(kWindow);
    return part < 1 ? current_.*count + (1 - part) * previous_.*count : (2 - part) * current_.*count;
  }
  double tokens(Time now) const {
    const double taken = lately(now, &Answers::taken) / in_seconds(kWindow);
    const double pace = kMore * taken + (taken > 0 ? kFurther : kProbes);
    return std::min(tokens_ + pace * in_seconds(now - filled_), std::max(1.0, pace * kBurst));
  }

  bool throttles_ = false;
  Answers current_, previous_;  // in the window that began at `begin_`, and in the previous one
  Answers judged_;              // to requests sent since `changed_`, older ones weighing less
  Time begin_{}, last_shed_{};
  int in_a_row_ = 0;          // accepted
  Time changed_{};            // when the throttle began or ended
  Duration lasts_ = kWindow;  // the throttle, at least
  double tokens_ = 0;         // as of `filled_`
  Time filled_{};
};

}  // namespace spillway::admission
