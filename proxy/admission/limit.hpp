#pragma once

#include <optional>

#include "proxy/admission/knee.hpp"
#include "proxy/admission/latency_window.hpp"
#include "proxy/admission/policy.hpp"

namespace spillway::admission {

/// How many requests may be in flight: fixed, or learned from latency and throughput. It computes the limit; the
/// controller enforces it.
/// Pure: events come with `now`, nothing is allocated. Not thread-safe.
///
/// The limit to find is the knee: below it, throughput grows with the limit and latency does not; above it, latency
/// grows and throughput does not (or falls). By Little's law these are two views of one fact, in flight = throughput *
/// latency, so that each checks the other. Windows of answers are read one after another, see LatencyWindow:
///  - *start*: the limit doubles until throughput surely grows less than it. In doubt it doubles once more: a limit
///    that is too high costs a little latency, one that is too low costs answers.
///  - *hold*: the limit follows the excess of latency over the unloaded one towards a small target.
///  - *dip*: from time to time one window has a limit a fifth lower. Its latency is the unloaded one, or shows that the
///    limit is still too high. Without dips the unloaded latency of a busy API stays unknown. If it was assumed far too
///    low, because short calls end first, and windows take a second or more, the start begins again from the dip.
///  - *trial*: if latency jumps although the limit did not rise, the API has fewer slots or takes longer for each call.
///    One window with a limit a third lower tells: if latency falls with the limit, the calls queue; if throughput
///    does, they do not, and the higher latency is the new unloaded one. The same comparison ends a descent of the
///    limit. Where windows take a second or more, any two windows in a row end it, and a climb with which throughput
///    grew in proportion goes on as a start: it doubles.
/// The limit moves only while most arrivals wait because of it: an unused limit teaches nothing and must not grow, and
/// no request is refused in order to learn while the API keeps up. All factors are of the limit, so that the part of
/// the slots that the API does not see (uploads, connects) scales with it.
///
/// Sources: TCP Vegas (Brakmo and Peterson, 1995) holds latency a little above the unloaded one, as do Netflix'
/// concurrency-limits and Envoy's adaptive concurrency, which lowers its limit to measure it, too. TCP BBR (Cardwell et
/// al., 2016) takes the product of most throughput and least latency, and drains at intervals. Cinnamon (Uber, 2023)
/// compares throughput with concurrency. To compare mean logs per class, to let their spread set the target, and to
/// weigh both views of a change by their noise is ours.
///
/// An API that sheds requests itself (503 with `Retry-After`) says more than its latency: a window in which a
/// tenth of the answers were shed lowers the limit by a tenth (Chiu and Jain, 1989).
///
/// Edges. Before the first answer the limit grows with demand: an API that takes 2 s is not starved for as long. At
/// the minimum nothing queues by definition: the latency is the unloaded one. A window never spans an idle time.
class Limit {
 public:
  /// The limit is `max`, or is learned up to `max` if `policy` is enabled.
  Limit(const AdaptivePolicy& policy, int max);
  /// Keeps what was learned, within the new bounds.
  void configure(const AdaptivePolicy& policy, int max);

  int value() const { return limit_; }
  /// An arrival found no free slot because of the limit.
  void kept_waiting(Time now);
  /// The API has answered a request of a class, `latency` after it had the whole request. Not for failures, aborts and
  /// health polls.
  void learn(int class_id, Duration latency, Time now);
  /// The API has shed a request. Its latency is of no use.
  void shed(Time now);

  /// Geometric mean of the latency of an unloaded API, in seconds; 0 while unknown.
  double baseline() const { return window_.floor_seconds(); }
  /// The same of the latency now, smoothed; 0 while unknown.
  double latency() const;

  /// What a successor goes on with, beside the floors of the classes.
  struct Learned {
    bool enabled = false;  ///< else nothing has been learned
    double level = 0;      ///< the limit before rounding, and outside dips
    bool found = false;    ///< the start is over
    bool smooth_known = false;
    double smooth = 0, noise = 0;
    int held = 0, rises = 0, until_dip = 1, dip_period = 1;
    LatencyWindow::Learned window;
  };
  Learned learned() const;
  /// Within the bounds of the policy. Nothing changes if one of both does not learn.
  void restore(const Learned& learned, Time now);
  std::optional<double> floor(int class_id) const { return window_.floor(class_id); }
  void set_floor(int class_id, double floor) { window_.set_floor(class_id, floor); }
  /// Something else has had part of the API until now: what was seen meanwhile says nothing.
  void begin_anew(Time now);

 private:
  enum class Phase { start, hold, dip, trial };

  static constexpr double kChanged = 0.05;    // a limit that moves by less of itself needs no time to settle
  static constexpr double kLong = 1;          // seconds after which a window ends with two answers for each slot
  static constexpr double kMuchFaster = 0.6;  // gain towards a floor that is lower than thought by
  static constexpr double kSignificant = 2;   // standard errors
  static constexpr int kDipPeriod = 20;       // windows between dips once they show nothing new

  void close_if_complete(Time now);
  double answers_wanted(double elapsed) const;
  bool slow(Time now) const;
  double target() const;
  void start(Point now_at, Time now);
  void hold(const Point& now_at, Time now);
  void end_dip(const Point& now_at, Time now);
  bool jumped(const Point& now_at) const;
  void smooth(const LatencyWindow::Reading& reading, Time now);
  double step(Time now);
  void climb_back(double level, double excess, Time now);
  void forget();
  double between(const Point& low, const Point& high);
  void raise_floors(double by);
  void restart_window(Time now);
  void move(double level, Phase phase, Time now);

  AdaptivePolicy policy_;
  int max_;
  int limit_;     // in force
  double level_;  // the limit before rounding, and outside dips
  Phase phase_ = Phase::start;

  LatencyWindow window_;
  int shed_ = 0, kept_waiting_ = 0;       // in this window
  int settling_ = 0;                      // so many answers to go until the window begins: the last limit's
  bool filling_ = false;                  // nobody has waited since the limit rose: it is not reached yet
  bool answered_ = false, read_ = false;  // there has been an answer; a window
  Time last_answer_{}, hungry_since_{};

  Point before_;  // the start: the highest limit at which surely nothing queues; later: before the last dip or trial
  bool smooth_known_ = false;
  double smooth_ = 0;                   // excess, smoothed over windows outside dips
  double noise_ = 0;                    // mean distance of the excess from it
  int held_ = 0;                        // limit of the last window outside dips
  Point anchor_, foot_;                 // where a descent of the limit began; where a climb did
  int rises_ = 0;                       // windows in a row in which the limit rose
  int until_dip_ = 1, dip_period_ = 1;  // windows
};

}  // namespace spillway::admission
