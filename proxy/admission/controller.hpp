#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proxy/admission/reason.hpp"
#include "proxy/clock.hpp"

namespace spillway::admission {

enum class Mode : std::uint8_t { enforce, shadow, off };

struct ClassPolicy {
  std::string name;
  double shed_at = 0.80;  ///< share of the limit at which the class is refused, 0 (always) to 1
};

struct QueuePolicy {
  int max_length = 100;                         ///< 0: nobody waits
  Duration max_wait = std::chrono::seconds(1);  ///< 0: nobody waits
};

struct Policy {
  Mode mode = Mode::enforce;
  int max_concurrent = 100;          ///< requests in flight, at least 1
  std::vector<ClassPolicy> classes;  ///< `Request::class_index` counts here
  QueuePolicy queue;
};

/// A request as admission sees it. Lives in the driver's request state; its address must not change
/// while it waits. The first group is the driver's to fill, the second the controller's.
struct Request {
  int class_index = 0;

  enum class State : std::uint8_t { fresh, waiting, admitted, refused };
  State state = State::fresh;
  Reason reason = Reason::capacity;         ///< when refused
  bool shadow_refused = false;              ///< admitted only because the mode is `shadow`; `reason` says what would have been
  Time arrived{};
  Request* next = nullptr;                  ///< link of the queue or of the decided list
  Request* previous = nullptr;
};

/// How an admitted request ended, as far as a limit may learn from it.
enum class Completion : std::uint8_t {
  success,  ///< the API answered; its latency counts
  ignore,   ///< says nothing about the API: client abort, connect race, health check
  dropped,  ///< the API failed or timed out under this load
};

/// Decides who may go on to the API. Pure: no I/O, no clock, no lock. Events come with `now`;
/// the requests whose wait they end are handed out by `next_decided`. Not thread-safe: the driver serialises calls.
///
/// Invariants, whatever the order of events:
///  - in `enforce`, requests in flight never exceed the limit, nor a class's share of it at admission;
///  - no free slot stands beside a waiting request that may take it;
///  - every admitted request is finished exactly once.
class Controller {
 public:
  explicit Controller(Policy policy);

  /// Decides on a fresh request: admitted, waiting or refused, also left in `request.state`.
  Request::State arrive(Request& request, Time now);
  /// Gives back the slot of an admitted request. May end the wait of others.
  void finish(Request& request, Completion completion, Time now);
  /// A waiting request goes away (client closed). It is in no list afterwards.
  void abandon(Request& request);
  /// Refuses whoever has waited too long. Call at least every 10 ms while anybody waits.
  void tick(Time now);
  /// A new policy keeps all state; waiting requests are looked at again.
  void configure(Policy policy, Time now);
  /// Refuses every waiting request (drain).
  void refuse_waiting(Reason reason);

  /// The next request whose wait has ended (admitted or refused), or null. In order of decision.
  Request* next_decided();

  int in_flight() const;
  int queue_length() const;
  int limit() const;
};

}  // namespace spillway::admission
