#include "proxy/admission/reason.hpp"

namespace spillway::admission {

std::string_view name(Reason reason) {
  switch (reason) {
    case Reason::capacity:
      return "capacity";
    case Reason::queue_full:
      return "queue_full";
    case Reason::queue_timeout:
      return "queue_timeout";
    case Reason::pool:
      return "pool";
    case Reason::fairness:
      return "fairness";
    case Reason::deadline:
      return "deadline";
    case Reason::breaker:
      return "breaker";
    case Reason::maintenance:
      return "maintenance";
    case Reason::connections:
      return "connections";
    case Reason::draining:
      return "draining";
    case Reason::upstream_connections:
      return "upstream_connections";
  }
  return "unknown";
}

}  // namespace spillway::admission
