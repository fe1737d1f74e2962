#pragma once

#include <string>

#include "api/db/pool_policy.hpp"

namespace api {

/// Appends the field `Endpoint-Load-Metrics: TEXT …` with its line end: the ORCA text form that Envoy and gRPC read.
void append_load_report(std::string& head, const db::PoolGauges& gauges);

/// Appends the body of `GET /health`.
void append_health(std::string& body, const db::PoolGauges& gauges);

}  // namespace api
