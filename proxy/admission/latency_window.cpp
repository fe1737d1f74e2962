#include "proxy/admission/latency_window.hpp"

#include <algorithm>
#include <cmath>

namespace spillway::admission {
namespace {

constexpr double kGain = 0.2;       // of the averages over windows
constexpr double kShortest = 1e-6;  // seconds: the log of 0 is none

}  // namespace

void LatencyWindow::Average::learn(double sample) {
  value = value == 0 ? sample : value + kGain * (sample - value);
}

std::size_t LatencyWindow::place_of(int class_id) {
  return static_cast<std::size_t>(std::min(class_id, kClasses - 1));
}

void LatencyWindow::restore(const Learned& learned) {
  floor_seconds_ = learned.floor_seconds;
  log_variance_.value = learned.log_variance;
  variance_.value = learned.variance;
  turnover_.value = learned.turnover;
}

std::optional<double> LatencyWindow::floor(int class_id) const {
  const Class& c = classes_[place_of(class_id)];
  return c.known ? std::optional(c.floor) : std::nullopt;
}

void LatencyWindow::set_floor(int class_id, double floor) {
  Class& c = classes_[place_of(class_id)];
  c.known = true;
  c.floor = floor;
}

void LatencyWindow::begin(Time now) {
  begun_ = now;
  answers_ = 0;
  sum_ = squares_ = 0;
  for (Class& c : classes_) {
    c.answers = 0;
    c.logs = c.squares = 0;
  }
}

void LatencyWindow::add(int class_id, double seconds) {
  seconds = std::max(seconds, kShortest);
  const double log = std::log(seconds);
  Class& c = classes_[place_of(class_id)];
  ++c.answers;
  c.logs += log;
  c.squares += log * log;
  ++answers_;
  sum_ += seconds;
  squares_ += seconds * seconds;
}

LatencyWindow::Reading LatencyWindow::read(Time now) {
  Reading reading;
  if (answers_ == 0) return reading;
  double excess = 0, floors = 0, deviation = 0, work = 0;
  int compared = 0;
  for (const Class& c : classes_) {
    if (c.answers == 0) continue;
    deviation += c.squares - c.logs * c.mean();
    if (!c.known) continue;
    excess += c.logs - c.answers * c.floor;
    compared += c.answers;
  }
  if (compared > 0) reading.excess = excess / compared;
  for (Class& c : classes_) {
    if (c.answers == 0) continue;
    if (!c.known) c.floor = c.mean() - reading.excess;
    c.known = true;
    floors += c.answers * c.floor;
    work += c.answers * std::exp(c.floor);
  }
  const double elapsed = std::max(in_seconds(now - begun_), kShortest);
  reading.rate = std::log(work / elapsed);
  floor_seconds_ = std::exp(floors / answers_);
  log_variance_.learn(std::max(0.0, deviation / answers_));
  variance_.learn(std::max(0.0, squares_ * answers_ / (sum_ * sum_) - 1));
  turnover_.learn(squares_ / sum_);
  reading.answers = answers_;
  reading.error = spread() / std::sqrt(answers_);
  return reading;
}

double LatencyWindow::spread() const {
  return std::sqrt(log_variance_.value);
}

void LatencyWindow::raise_floors(double by) {
  for (Class& c : classes_) c.floor += by;
  floor_seconds_ *= std::exp(by);
}

void LatencyWindow::follow(double part) {
  for (Class& c : classes_) {
    if (c.answers > 0) c.floor += part * (c.mean() - c.floor);
  }
}

}  // namespace spillway::admission
