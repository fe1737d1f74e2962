#include "api/endpoints/database_check.hpp"

#include <spdlog/spdlog.h>

namespace api::endpoints {

namespace {

/// While the tables are missing or the database cannot be reached.
constexpr Duration kCheckInterval = std::chrono::milliseconds(250);

/// A pool larger than what the server admits fails only under load: warn at the start.
void warn_if_too_small(const ServerState& state, int capacity) {
  const int admitted = state.max_connections - state.reserved;
  if (capacity <= admitted) return;
  spdlog::warn("the pool may open {} connections, but the server admits {} ({} of max_connections = {} are reserved)",
               capacity, admitted, state.reserved, state.max_connections);
}

}  // namespace

net::Task<bool> check_database(Services& services, net::Executor executor, int last_migration) {
  Interrupt never;
  net::Timer pause(executor);
  int reported = 0;
  for (bool first = true;; first = false) {
    const QueryReply reply = co_await services.repository.server_state({0, never}, last_migration);
    if (reply.error == DbError::closing) co_return true;
    if (first && services.pool.refused()) {
      spdlog::error("the database refuses: {}", services.pool.last_error());
      co_return false;
    }
    // A database that is being set up has no table of migrations yet, or too few migrations. One that a newer program
    // has migrated has more, and is usable: migrations stay compatible with the program before.
    const ServerState state = reply.error == DbError::none ? Repository::server_state(reply) : ServerState();
    const bool answered = reply.error == DbError::none || reply.error == DbError::no_schema;
    if (answered && state.missing_migration == 0) {
      warn_if_too_small(state, services.pool.gauges().capacity);
      break;
    }
    if (answered && state.missing_migration != reported) {
      services.missing_migration = reported = state.missing_migration;
      spdlog::warn(
          "migration {} is missing, this program needs all up to {} (the tables are at version {}): run "
          "scholarship-api migrate",
          reported, last_migration, state.schema_version);
    }
    // The pool connects again by itself.
    do {
      pause.expires_after(kCheckInterval);
      co_await pause.async_wait(net::kAwait);
    } while (!services.pool.gauges().reachable);
  }
  services.checked = true;
  co_return true;
}

}  // namespace api::endpoints
