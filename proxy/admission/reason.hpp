#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace spillway::admission {

/// Why a request was refused: the contract's `reason`, a metric label and a log field.
enum class Reason : std::uint8_t {
  capacity,       ///< the class's share of capacity is in use and queueing is off; or the API sheds the class itself
  queue_full,     ///< the queue is full; or evicted from it for a better class or a newer request
  queue_timeout,  ///< has waited for `queue.max_wait`
  pool,           ///< the API's database pool is used up to the class's share, on arrival or at the end of the wait
  fairness,       ///< its client has more than its share of the slots while no slot is free
  cohort,         ///< under standing overload, it is another client's turn
  streams,        ///< asks for a tunnel or an event stream, and `streams.max` of them are open
  deadline,       ///< cannot finish within the client's X-Request-Timeout
  breaker,        ///< circuit open
  maintenance,
  connections,  ///< limits.connections reached
  draining,
  upstream_connections,  ///< upstream.max_connections are open, and this worker has no idle one
};

/// In the order of the enumeration.
inline constexpr auto kReasonNames = std::to_array<std::string_view>(
    {"capacity", "queue_full", "queue_timeout", "pool", "fairness", "cohort", "streams", "deadline", "breaker",
     "maintenance", "connections", "draining", "upstream_connections"});
inline constexpr int kReasons = static_cast<int>(kReasonNames.size());
static_assert(kReasons == static_cast<int>(Reason::upstream_connections) + 1);

constexpr std::string_view name(Reason reason) {
  return kReasonNames[static_cast<std::size_t>(reason)];
}

}  // namespace spillway::admission
