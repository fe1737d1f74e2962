#pragma once

#include <string>

#include "api/db/pool_policy.hpp"

namespace api {

/// Appends the field `Endpoint-Load-Metrics: TEXT …` with its line end: the ORCA text form that Envoy and gRPC read.
/// `needed_database`: this request did. While the pool is full, the proxy admits requests of the kinds that do not.
void append_load_report(std::string& head, const db::PoolGauges& gauges, bool needed_database);

/// Appends the body of `GET /health`.
void append_health(std::string& body, const db::PoolGauges& gauges);

}  // namespace api
