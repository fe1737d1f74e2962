#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/net/clock.hpp"

/// What the operator asks of admission. The configuration fills these types directly. Their member initialisers are the
/// defaults; no other place repeats them.
namespace spillway::admission {

enum class Mode : std::uint8_t {
  enforce,
  shadow,  ///< decide and count, but admit
  off,     ///< admit everything
};
std::string_view name(Mode mode);

/// `least` to `most`, drawn for each refusal; the same for all if they are equal. Rounded up to whole seconds where it
/// is sent. `automatic`: from how fast requests finish at the moment, see `RetryAfter`.
struct RetryAfterPolicy {
  bool automatic = false;
  Duration least = std::chrono::seconds(5);
  Duration most = std::chrono::seconds(5);

  bool operator==(const RetryAfterPolicy&) const = default;
};

struct QueuePolicy {
  /// Unset (`auto`): what the API can serve within `max_wait`. 0: nobody waits.
  std::optional<int> max_length = std::nullopt;
  Duration max_wait = std::chrono::seconds(1);         ///< 0: nobody waits
  Duration patience = std::chrono::milliseconds(500);  ///< more may arrive than is served for so long, as a burst
  Duration target = std::chrono::milliseconds(50);     ///< a wait below this is no overload; 0: none ever is
  Duration interval = std::chrono::milliseconds(100);  ///< over which arrivals are counted

  /// However fast the API is: by default no more clients can be connected.
  static constexpr int kMost = 10'000;
  int most() const { return max_length.value_or(kMost); }
};

struct AdaptivePolicy {
  bool enabled = false;  ///< learn the limit, up to `max_concurrent`
  int min = 4;           ///< the learned limit never goes below it
};

struct StreamsPolicy {
  /// Tunnels and event streams at a time, beside `max_concurrent`. 0: requests that ask for one are refused.
  int max = 1000;
};

struct FairnessPolicy {
  double share = 0.5;  ///< of the limit, for one client; effective for requests with a key
};

struct BreakerPolicy {
  bool enabled = true;
  Duration window = std::chrono::seconds(10);
  int min_requests = 20;                         ///< with fewer in the window it does not open
  double failure_ratio = 0.5;                    ///< of the window's requests
  Duration slow_call = std::chrono::seconds(5);  ///< 0: no call is slow
  double slow_ratio = 0.8;
  Duration open_for = std::chrono::seconds(5);  ///< doubles on each failed trial, up to `max_open`
  Duration max_open = std::chrono::seconds(60);
  int trial_requests = 5;                   ///< at a time while half-open, and successes until it closes
  Duration ramp = std::chrono::seconds(5);  ///< longest time until everything is admitted again
};

/// The class of a request that no rule matches.
inline constexpr std::string_view kDefaultClass = "normal";

struct ClassPolicy {
  std::string name;        ///< a class is known by its name: it keeps its state across reloads
  double shed_at = 0.80;   ///< share of the limit at which the class is refused, 0 (always) to 1
  int reserve = 0;         ///< slots of `max_concurrent` that only this class may take while it needs them, even above
                           ///< its share; all reserves together are less than `max_concurrent`
  int max_concurrent = 0;  ///< requests of the class in flight at most; 0: no cap of its own
  bool pool_aware = true;  ///< false: its requests do not need the database; true: what is learned counts
  int rules = 1;           ///< that lead to the class, each to other endpoints of the API; at least 1
};

struct Policy {
  Mode mode = Mode::enforce;
  int max_concurrent = 100;  ///< requests in flight, at least 1
  /// At least one, the default class; `Request::class_index` counts here. The class with the greater share goes first;
  /// of equal share, in this order, but the default class behind the others.
  std::vector<ClassPolicy> classes = {{.name = std::string(kDefaultClass)}};
  RetryAfterPolicy retry_after;
  QueuePolicy queue;
  StreamsPolicy streams;
  AdaptivePolicy adaptive;
  bool pool_aware = true;  ///< effective once the API reports a pool
  FairnessPolicy fairness;
  bool cohorts = false;  ///< under standing overload refuse by `Request::place`; effective if requests may wait
  BreakerPolicy breaker;
  Duration poll_interval{};  ///< of health polls, which end an opening of the breaker; 0: no polling
};

/// At so many requests in flight a class is refused: floor(shed_at * limit), but at least 1 unless `shed_at` is 0.
/// Exact for decimal shares: 0.80 of 100 is 80, although 0.80 in binary is a little less.
int share_of(double shed_at, int limit);

/// A reserve under a limit below `max_concurrent`: reduced in proportion, but at least 1.
int reserve_of(int reserve, int limit, int max_concurrent);

}  // namespace spillway::admission
