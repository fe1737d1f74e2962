// What the controller learns from requests that have ended.
#include <algorithm>

#include "proxy/admission/controller.hpp"

namespace spillway::admission {
namespace {

/// The API serves a class if it has answered a request of it within this time.
constexpr Duration kServedLately = std::chrono::seconds(1);

}  // namespace

void Controller::learn(const Request& request, Completion completion, Time now) {
  using Result = Breaker::Result;
  Class& c = class_of(request.class_id);
  const Time begin = request.sent == Time{} ? request.admitted : request.sent;
  const Duration latency = (request.answered == Time{} ? now : request.answered) - begin;
  if (completion == Completion::success) {
    if (alone()) limit_.learn(request.class_id, latency, now);
    service_time_.learn(latency, now);
    c.service_time.learn(latency, now);
    c.served = now;
  }
  if (completion == Completion::stream) c.served = now;
  if (completion == Completion::success || completion == Completion::dropped) {
    const bool well = completion == Completion::success && c.breaker.usual(latency, now);
    c.breaker.proved(well, request.admitted, now);
    reach_.proved(well, request.admitted, now);
  }
  if (request.used_database) {
    c.database.learn(*request.used_database, request.client_error);
    need_reported_ = true;
  }
  learn_of_load(request, completion, now);

  Result reach = Result::success, result = Result::ignored;
  switch (completion) {
    case Completion::success:
    case Completion::stream:
      result = Result::success;
      break;
    case Completion::dropped:
      result = Result::failure;
      break;
    case Completion::shed:
    case Completion::rate_limited:
      break;
    case Completion::ignore:
      reach = Result::ignored;
      break;
    case Completion::unreachable:
      reach = Result::unreachable;
      break;
    case Completion::connect_timeout:
      reach = Result::failure;
      break;
  }
  reach_.ended(request.reach_pass, reach, Duration::zero(), now);
  c.breaker.ended(request.pass, result, latency, now);
  note(reach_);
  note(c.breaker);
  if (reach_.state() == Breaker::State::open) refuse_waiting(Reason::breaker);
  if (c.breaker.state() == Breaker::State::open) refuse_waiting(request.class_id, Reason::breaker);
}

/// A request that the API shed is a sign of load: of its class alone while the API serves other classes, else of the
/// API as a whole, and then the limit learns from it, too.
void Controller::learn_of_load(const Request& request, Completion completion, Time now) {
  ApiShedding& shedding = shedding_of(class_of(request.class_id), request);
  switch (completion) {
    case Completion::success:
    case Completion::stream:
    case Completion::dropped:
      shedding.taken(request.admitted, now);
      break;
    case Completion::shed:
      shedding.shed(request.admitted, now);
      if (sheds_all(now) && alone()) limit_.shed(now);
      break;
    case Completion::rate_limited:
      if (!request.shadow_refused) shedding.discount(now);
      break;
    case Completion::ignore:
    case Completion::unreachable:
    case Completion::connect_timeout:
      break;
  }
}

/// Whether the API serves no class but those that it partly sheds.
bool Controller::sheds_all(Time now) const {
  const auto some = [now](const ApiShedding& shedding) { return shedding.some(now); };
  return std::none_of(classes_.begin(), classes_.end(), [&](const Class& c) {
    return now - c.served < kServedLately && std::ranges::none_of(c.shedding, some);
  });
}

}  // namespace spillway::admission
