#pragma once

#include <optional>

#include "config/fields.hpp"
#include "proxy/config/config.hpp"

namespace spillway {

/// The keys of `admission` but for the classes. `connections`: `upstream.max_connections`, which has been read.
void describe_admission(config::Fields& f, admission::Policy& c, ClientKeyConfig& client_key, CohortConfig& cohorts,
                        std::optional<int> connections);
/// The keys of `breaker`.
void describe_breaker(config::Fields& f, admission::BreakerPolicy& c);

}  // namespace spillway
