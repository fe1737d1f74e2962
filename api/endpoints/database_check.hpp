#pragma once

#include "api/endpoints/services.hpp"
#include "proxy/net/io.hpp"

namespace api::endpoints {

/// Asks the database until it has all migrations up to `last_migration`, then sets `services.checked`: /ready answers
/// 503 until then. Ends early when the pool is closed. False: the server has refused the user, the password or the
/// database at the first attempt, and would refuse them again.
net::Task<bool> check_database(Services& services, net::Executor executor, int last_migration);

}  // namespace api::endpoints
