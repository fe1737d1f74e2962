#pragma once

#include <iosfwd>
#include <span>
#include <string>

#include "api/db/connect_options.hpp"

namespace api::schema {

/// A numbered SQL file of this folder, embedded when the program is built.
struct Migration {
  int version;       ///< the number in the file's name
  const char* name;  ///< the rest of it
  const char* sql;
};

/// In ascending order, from 1, without a gap.
std::span<const Migration> migrations();
extern const char* const kDemoScholarships;
extern const char* const kDemoUser;

/// Which version is missing, in words; empty when they run from 1 without a gap.
std::string gap_in(std::span<const int> applied);

// Both run blocking, for the command line. False: the reason was written to `err`.

/// Applies what is missing, each in a transaction of its own. Safe with several processes at once: they take turns.
/// A lock that others hold is waited for in short turns, for about a minute, so that no search queues up behind it.
bool migrate(const db::ConnectOptions& options, std::ostream& out, std::ostream& err);
/// Demo scholarships, unless there are any, and the user admin / admin123, unless there is one.
bool seed_demo(const db::ConnectOptions& options, int scholarships, std::ostream& out, std::ostream& err);

}  // namespace api::schema
