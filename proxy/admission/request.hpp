#pragma once

#include <cstdint>

#include "proxy/admission/breaker.hpp"
#include "proxy/admission/reason.hpp"
#include "proxy/net/clock.hpp"

namespace spillway::admission {

/// A request as admission sees it. Lives in the driver's request state; its address must not change
/// while it waits. The first group is the driver's to fill, the second the controller's.
struct Request {
  int class_index = 0;          ///< in the current `Policy::classes`; out of range counts as the first class
  std::uint64_t key = 0;        ///< of the client, for fairness; see `KeyCounts`. 0: none
  Time deadline = Time::max();  ///< when the client stops waiting for the answer
  bool body_at_hand = true;     ///< its slot will not wait for the client's body
  Time sent{};                  ///< when the API had all of the request; not set: at its admission
  Time answered{};              ///< when the API had answered; not set: at `finish`

  enum class State : std::uint8_t { fresh, waiting, admitted, refused };
  State state = State::fresh;
  Reason reason = Reason::capacity;  ///< when refused
  bool shadow_refused = false;       ///< admitted only because the mode is `shadow`; `reason` says what would have been
  Time arrived{}, admitted{};
  int class_id = 0;                ///< the controller's own number for the class, the same across reloads
  bool counted = false;            ///< among its key's requests
  Breaker::Pass pass, reach_pass;  ///< of its class's breaker, and of that for all
  Request* next = nullptr;         ///< links of the list it is in: a class's line, or the decided
  Request* previous = nullptr;
};

/// How an admitted request ended, as far as admission may learn from it.
enum class Completion : std::uint8_t {
  success,          ///< the API answered; its latency counts
  ignore,           ///< says nothing about the API: client abort, no descriptor left, tunnel
  dropped,          ///< the API failed or timed out under this load
  shed,             ///< the API turned it away for load: 503 or 429 with `Retry-After`
  unreachable,      ///< nobody listens at the API's address, or no route leads there
  connect_timeout,  ///< the connect took too long: nobody is there, or the API's backlog is full
};

/// A list of requests through their own links: no allocation, removal from any place in constant time. Owns nothing.
class RequestList {
 public:
  bool empty() const { return first_ == nullptr; }
  Request* first() const { return first_; }
  Request* last() const { return last_; }

  void push_back(Request& request) {
    request.next = nullptr;
    request.previous = last_;
    (last_ ? last_->next : first_) = &request;
    last_ = &request;
  }

  void remove(Request& request) {
    (request.previous ? request.previous->next : first_) = request.next;
    (request.next ? request.next->previous : last_) = request.previous;
    request.next = request.previous = nullptr;
  }

 private:
  Request* first_ = nullptr;
  Request* last_ = nullptr;
};

}  // namespace spillway::admission
