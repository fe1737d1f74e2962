#pragma once

#include <cstdint>
#include <string_view>

namespace spillway::admission {

/// Why a request was refused: the contract's `reason`, a metric label and a log field.
enum class Reason : std::uint8_t {
  capacity,       ///< the class's share of capacity is in use, and waiting is off; or the API sheds the class itself
  queue_full,     ///< no place left in the queue, or given up for a better class or a newer request
  queue_timeout,  ///< waited `queue.max_wait`
  pool,           ///< the API's database pool is used up to the class's share, at the arrival or to the end of the wait
  fairness,       ///< its client holds more than its share while others are refused
  deadline,       ///< could not finish within the client's X-Request-Timeout
  breaker,        ///< circuit open
  maintenance,
  connections,  ///< limits.connections reached
  draining,
  upstream_connections,  ///< upstream.max_connections are open, none idle here
};
inline constexpr int kReasons = 11;

std::string_view name(Reason reason);

}  // namespace spillway::admission
