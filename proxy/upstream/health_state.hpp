#pragma once

#include <algorithm>

#include "proxy/config/config.hpp"

namespace spillway::upstream {

/// Whether the API counts as up: down after `fall` failed polls in a row, up after `rise` good ones. The first poll
/// decides alone. Pure.
class HealthState {
 public:
  struct Verdict {
    bool up = false;
    bool changed = false;  ///< up or down is news
    int in_row = 0;        ///< polls like this one in a row; at most `needed`
    int needed = 0;        ///< so many make the API up or down
  };

  /// `good`: the poll was good, or a request has been answered since the last poll.
  Verdict polled(bool good, const HealthConfig& config) {
    in_row_ = good == last_good_ ? in_row_ + 1 : 1;
    last_good_ = good;
    const int needed = good ? config.rise : config.fall;
    const bool first = !known_;
    const bool was = up_;
    if (first || in_row_ >= needed) up_ = good;
    known_ = true;
    in_row_ = std::min(in_row_, needed);
    return {up_, first || up_ != was, in_row_, needed};
  }

 private:
  bool known_ = false, up_ = false, last_good_ = false;
  int in_row_ = 0;
};

}  // namespace spillway::upstream
