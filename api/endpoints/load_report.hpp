#pragma once

#include <string>

#include "api/db/pool_policy.hpp"

namespace api {

/// `Endpoint-Load-Metrics: TEXT …` with its line end: the ORCA text form that Envoy and gRPC use.
void append_load_report(std::string& head, const db::PoolGauges& gauges);

/// The body of `GET /health`.
void append_health(std::string& body, const db::PoolGauges& gauges);

}  // namespace api
