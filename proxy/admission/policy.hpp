#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/admission/breaker.hpp"
#include "proxy/admission/retry_after.hpp"
#include "proxy/net/clock.hpp"

namespace spillway::admission {

enum class Mode : std::uint8_t {
  enforce,
  shadow,  ///< decide and count, but admit
  off,     ///< admit everything
};

struct ClassPolicy {
  std::string name;       ///< a class is known by its name: it keeps its state across reloads
  double shed_at = 0.80;  ///< share of the limit at which the class is refused, 0 (always) to 1
  int reserve = 0;        ///< slots of `max_concurrent` that only this class may take while it needs them, whatever its
                          ///< share; all reserves together stay below `max_concurrent`
};

struct QueuePolicy {
  int max_length = 100;                                ///< 0: nobody waits
  Duration max_wait = std::chrono::seconds(1);         ///< 0: nobody waits
  Duration target = std::chrono::milliseconds(5);      ///< the wait that is no sign of overload
  Duration interval = std::chrono::milliseconds(100);  ///< how long waits stay above target before they are one
};

struct AdaptivePolicy {
  bool enabled = false;  ///< learn the limit, up to `max_concurrent`
  int min = 4;
};

/// What the operator wants: the part of the configuration that admission follows.
struct Policy {
  Mode mode = Mode::enforce;
  int max_concurrent = 100;  ///< requests in flight, at least 1
  /// At least one; `Request::class_index` counts here. Who has the greater share goes first; of equal share, in this
  /// order, but the first of all, which is the default class, behind the others.
  std::vector<ClassPolicy> classes;
  QueuePolicy queue;
  AdaptivePolicy adaptive;
  bool pool_aware = true;       ///< effective once the API reports a pool
  double fairness_share = 0.5;  ///< of the limit; effective for requests with a key
  RetryAfterPolicy retry_after;
  BreakerPolicy breaker{.enabled = false};
  Duration poll_interval{};  ///< of health polls, which end an opening; 0: nobody polls
};

std::string_view name(Mode mode);

/// The most requests that may be in flight for a class to be admitted still: floor(shed_at * limit), at least 1
/// unless `shed_at` is 0. Exact for decimal shares: 0.80 of 100 is 80, although 0.80 in binary is a little less.
int share_of(double shed_at, int limit);

/// What is left of a reserve when the limit is below `max_concurrent`: in proportion, at least 1.
int reserve_of(int reserve, int limit, int max_concurrent);

}  // namespace spillway::admission
