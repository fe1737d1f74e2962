#pragma once

#include <array>
#include <optional>

#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// The answers of one stretch of time, and what they tell about how full the API is. Classes are compared with their
/// own latency only: each has a floor, its mean log latency while nothing queues inside the API.
///
/// Mean logs (geometric means) are steadier than means where latencies differ much: with 1 % of calls 100 times slower,
/// an error of 5 % takes 85 answers instead of 10 000. No quantile is used: one that lies between two kinds of calls
/// jumps from one to the other. Pure, allocates nothing.
class LatencyWindow {
 public:
  struct Reading {
    double excess = 0;  ///< mean log of latency over the class's floor: 0 unloaded, 0.69 twice that
    double rate = 0;    ///< log of the work done per second: answers, weighted with their classes' floors
    double error = 0;   ///< standard error of `excess`
    int answers = 0;    ///< in the window
  };

  void begin(Time now);
  /// An answer of a class after so many seconds.
  void add(int class_id, double seconds);

  Time begun() const { return begun_; }
  int answers() const { return answers_; }

  /// Reads the window. The first answers of a class set its floor: as high above it as the other classes are now.
  Reading read(Time now);
  /// The unloaded latency of every class is higher than assumed by this log (lower if negative).
  void raise_floors(double by);
  /// Moves the floor of every class by this part of the way to what the window shows.
  void follow(double part);

  /// How unlike each other the latencies of a class are: the standard deviation of their logs. 0.03 for a fixed time,
  /// 1.3 for exponential ones. 0 while unknown, as are the next two.
  double spread() const;
  /// Relative variance of the latencies: throughput is as noisy as they are.
  double variance() const { return variance_.value; }
  /// How long a busy slot stays busy with the same call, in seconds: long calls hold more slots than short ones.
  double turnover() const { return turnover_.value; }
  /// Geometric mean of the floors of the window's answers, in seconds; 0 while unknown.
  double floor_seconds() const { return floor_seconds_; }

  /// What outlasts a window, beside the floors of the classes.
  struct Learned {
    double floor_seconds = 0, log_variance = 0, variance = 0, turnover = 0;
  };
  Learned learned() const { return {floor_seconds_, log_variance_.value, variance_.value, turnover_.value}; }
  void restore(const Learned& learned);
  /// The floor of a class: log of seconds; nothing while unknown.
  std::optional<double> floor(int class_id) const;
  void set_floor(int class_id, double floor);

 private:
  static constexpr int kClasses = 64;  // later ones share the last place
  struct Class {
    bool known = false;
    double floor = 0;  // log of seconds
    int answers = 0;
    double logs = 0, squares = 0;  // of this window: sum of the logs, and of their squares
    double mean() const { return logs / answers; }
  };
  struct Average {
    double value = 0;
    void learn(double sample);
  };

  static std::size_t place_of(int class_id);

  std::array<Class, kClasses> classes_{};
  Time begun_{};
  int answers_ = 0;
  double sum_ = 0, squares_ = 0;  // of the latencies
  double floor_seconds_ = 0;
  Average log_variance_, variance_, turnover_;
};

}  // namespace spillway::admission
