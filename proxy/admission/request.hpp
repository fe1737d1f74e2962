#pragma once

#include <cstdint>
#include <optional>

#include "proxy/admission/breaker.hpp"
#include "proxy/admission/reason.hpp"
#include "proxy/net/clock.hpp"
#include "proxy/text/intrusive_list.hpp"

namespace spillway::admission {

/// A request as admission sees it. The driver owns it; its address must not change while it waits: then it is in the
/// list of its class's line, later in that of the decided ones.
struct Request : text::Linked<Request> {
  // The driver fills these in.
  int class_index = 0;           ///< in the current `Policy::classes`; out of range counts as the first class
  int rule = 0;                  ///< of the class, that matched the request; out of range counts as the last
  std::uint64_t key = 0;         ///< of the client, for fairness; see `ClientUsage`. 0: none
  double place = 0;              ///< of the client among the cohorts, 0 to 1; see `CohortThreshold`. 0: always served
  Time deadline = Time::max();   ///< when the client stops waiting for the answer
  bool asks_for_stream = false;  ///< for a tunnel or an event stream
  bool body_at_hand = true;      ///< the whole body has arrived: the slot will not wait for the client
  Time sent{};                   ///< when the API had received the whole request; not set: at its admission
  Time answered{};               ///< when the API had sent its whole answer, of a stream the head; not set: at `finish`
  std::optional<bool> used_database;  ///< as the API reported; not set: unknown
  bool client_error = false;          ///< it reported that with a 4xx, for which it may not have come to the database

  // The controller fills these in.
  enum class State : std::uint8_t { fresh, waiting, admitted, refused, streaming };
  State state = State::fresh;
  Reason reason = Reason::capacity;  ///< when refused
  bool shadow_refused = false;       ///< admitted only because the mode is `shadow`; `reason` says what would have been
  Time arrived{}, admitted{};
  int class_id = 0;                ///< the controller's own number for the class, the same across reloads
  bool counted = false;            ///< in `ClientUsage`
  Breaker::Pass pass, reach_pass;  ///< of the class's breaker, and of the breaker for all classes
};

/// How an admitted request ended, as far as admission may learn from it.
enum class Completion : std::uint8_t {
  success,          ///< the API answered; its latency counts
  stream,           ///< the API answered with a tunnel or an event stream: how long it takes says nothing
  ignore,           ///< says nothing about the API: the client left, the proxy has no descriptor left
  dropped,          ///< the API failed or timed out under this load
  shed,             ///< the API refused it for load: 503 with `Retry-After`
  rate_limited,     ///< the API refused it because of its client's rate (429): reached, but nothing is said of load
  unreachable,      ///< nobody listens at the API's address, or no route leads there
  connect_timeout,  ///< the connect took too long: the API's host is down, or its backlog is full
};

}  // namespace spillway::admission
