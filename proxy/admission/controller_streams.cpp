// Requests whose answers last: tunnels and event streams. They leave the slots, and are counted by themselves.
#include <cassert>

#include "proxy/admission/controller.hpp"

namespace spillway::admission {

bool Controller::begin_stream(Request& request, Time now) {
  assert(request.state == Request::State::admitted);
  if (policy_.mode != Mode::off && streams_full()) {
    serve_waiting(now);
    return false;
  }
  request.state = Request::State::streaming;
  ++streams_;
  release(request, Completion::stream, now);
  return true;
}

}  // namespace spillway::admission
