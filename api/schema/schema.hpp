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

/// In ascending order.
std::span<const Migration> migrations();
extern const char* const kDemoScholarships;
extern const char* const kDemoUser;

// Both run blocking, for the command line. False: the reason was written to `err`.

/// Applies what is missing, all or nothing. Safe with several processes at once: they take turns.
bool migrate(const db::ConnectOptions& options, std::ostream& out, std::ostream& err);
/// Demo scholarships, unless there are any, and the user admin / admin123, unless there is one.
bool seed_demo(const db::ConnectOptions& options, int scholarships, std::ostream& out, std::ostream& err);

}  // namespace api::schema
