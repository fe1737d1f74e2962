#include "proxy/relay/gate.hpp"

#include <boost/asio/post.hpp>

namespace spillway::relay {

using admission::Request;

Request::State Gate::arrive(Ticket& ticket, Time now) {
  Request* decided;
  Request::State state;
  {
    const std::lock_guard lock(mutex_);
    state = controller_.arrive(ticket, now);
    ticket.in_flight = controller_.in_flight();
    decided = take_decided();  // a full queue may have given up somebody else
  }
  resume(decided);
  return state;
}

bool Gate::abandon(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  if (ticket.state != Request::State::waiting) return false;
  controller_.abandon(ticket);
  return true;
}

void Gate::tick(Time now) {
  Request* decided;
  {
    const std::lock_guard lock(mutex_);
    controller_.tick(now);
    decided = take_decided();
  }
  resume(decided);
}

void Gate::configure(admission::Policy policy, Time now) {
  Request* decided;
  {
    const std::lock_guard lock(mutex_);
    capacity_ = policy.max_concurrent;
    controller_.configure(std::move(policy), now);
    decided = take_decided();
  }
  resume(decided);
}

void Gate::refuse_waiting(admission::Reason reason) {
  Request* decided;
  {
    const std::lock_guard lock(mutex_);
    controller_.refuse_waiting(reason);
    decided = take_decided();
  }
  resume(decided);
}

void Gate::finish(Ticket& ticket, admission::Completion completion, const std::optional<upstream::LoadReport>& report,
                  Time now) {
  Request* decided;
  {
    const std::lock_guard lock(mutex_);
    if (report) {
      load_ = *report;
      load_at_ = now;
    }
    controller_.finish(ticket, completion, now);
    decided = take_decided();
  }
  resume(decided);
}

void Gate::observe(const upstream::LoadReport& report, Time now) {
  const std::lock_guard lock(mutex_);
  load_ = report;
  load_at_ = now;
}

telemetry::AdmissionState Gate::state() const {
  const std::lock_guard lock(mutex_);
  return {controller_.in_flight(), controller_.queue_length(), controller_.limit(), capacity_, load_, load_at_};
}

Request* Gate::take_decided() {
  Request* first = nullptr;
  Request** link = &first;
  while (Request* request = controller_.next_decided()) {
    static_cast<Ticket*>(request)->in_flight = controller_.in_flight();
    *link = request;
    link = &request->next;
  }
  *link = nullptr;
  return first;
}

void Gate::resume(Request* decided) {
  while (decided) {
    auto* ticket = static_cast<Ticket*>(decided);
    decided = decided->next;  // the ticket may be gone as soon as it is resumed
    net::asio::post(ticket->executor, [ticket] { ticket->parking.resume(); });
  }
}

}  // namespace spillway::relay
