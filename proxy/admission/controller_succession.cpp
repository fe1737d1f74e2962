// What passes from a process to its successor, and how both keep to one limit meanwhile.
#include <algorithm>

#include "proxy/admission/controller.hpp"

namespace spillway::admission {

Learned Controller::learned(Time now) const {
  Learned all{.limit = limit_.learned(),
              .reach = reach_.learned(now),
              .service = service_time_.learned(now),
              .retry_after = retry_after_.level(),
              .need_reported = need_reported_,
              .curve = advisor_.learned(),
              .classes = {}};
  for (const int id : class_ids_) {
    const Class& c = class_of(id);
    const std::optional<double> floor = limit_.floor(id);
    all.classes.push_back({.name = c.policy.name,
                           .floor_known = floor.has_value(),
                           .floor = floor.value_or(0),
                           .service = c.service_time.learned(now),
                           .p90 = c.service_time.learned_p90(),
                           .breaker = c.breaker.learned(now),
                           .database = c.database.learned(),
                           .queue = queue_.learned(id, now)});
  }
  return all;
}

void Controller::restore(const Learned& learned, Time now) {
  limit_.restore(learned.limit, now);
  reach_.restore(learned.reach, now);
  service_time_.restore(learned.service, now);
  retry_after_.restore(learned.retry_after, now);
  need_reported_ = learned.need_reported;
  advisor_.restore(learned.curve);
  for (const Learned::Class& each : learned.classes) {
    const auto known = std::find_if(class_ids_.begin(), class_ids_.end(),
                                    [&](int id) { return class_of(id).policy.name == each.name; });
    if (known == class_ids_.end()) continue;
    Class& c = class_of(*known);
    if (each.floor_known) limit_.set_floor(*known, each.floor);
    c.service_time.restore(each.service, each.p90, now);
    c.breaker.restore(each.breaker, now);
    c.database.restore(each.database);
    queue_.restore(*known, each.queue, now);
  }
  classes_ramp_ = true;
  update_limit(now);
}

void Controller::set_elsewhere(int requests, int streams, Time now) {
  const bool was_alone = alone();
  advisor_.passed(was_alone ? in_flight_ : 0, now);
  elsewhere_ = std::max(0, requests);
  streams_elsewhere_ = std::max(0, streams);
  if (!was_alone && alone()) limit_.begin_anew(now);
  serve_waiting(now);
}

void Controller::set_ceiling(int requests, Time now) {
  ceiling_ = std::max(0, requests);
  serve_waiting(now);
}

}  // namespace spillway::admission
