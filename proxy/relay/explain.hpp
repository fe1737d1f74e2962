#pragma once

#include "proxy/relay/gate.hpp"
#include "proxy/telemetry/log.hpp"

namespace spillway::relay {

/// Writes a refusal and the numbers that led to it as one line of the log. `log` outlives the result.
Gate::Explain log_refusals(telemetry::Log& log);

/// Writes what breakers do, and the numbers that led to it.
Gate::BreakerChanged log_breakers(telemetry::Log& log);

}  // namespace spillway::relay
