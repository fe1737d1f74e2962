#pragma once

#include <iosfwd>
#include <string>

namespace spillway::admin {

/// Asks the admin listener at `address` (`host:port` or `unix:/path`) for /ready, for at most 2 s.
/// Returns the exit status of `spillway healthcheck`; says on `err` why it is not 0.
int healthcheck(const std::string& address, std::ostream& err);

}  // namespace spillway::admin
