#pragma once

#include <iosfwd>
#include <string>

namespace spillway::admin {

/// Asks the admin listener at `address` (`host:port` or `unix:/path`) for /advice, for at most 5 s, and writes the
/// answer to `out`. Returns the exit status of `spillway advise`. If it is not 0, `err` gets the reason.
int advise(const std::string& address, std::ostream& out, std::ostream& err);

}  // namespace spillway::admin
