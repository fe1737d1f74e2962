#pragma once

#include <iosfwd>
#include <string>

namespace spillway::admin {

/// Asks the admin listener at `address` (`host:port` or `unix:/path`) for /ready, for at most 2 s.
/// Returns the exit status of `spillway healthcheck`. If it is not 0, `err` gets the reason.
int healthcheck(const std::string& address, std::ostream& err);

}  // namespace spillway::admin
