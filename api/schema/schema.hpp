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

/// A sentence about the version that is missing; empty: the versions run from 1 without a gap.
std::string gap_in(std::span<const int> applied);

// Both block; they are for the command line. False: `err` has the reason.

/// Applies the missing migrations, each in its own transaction. Several processes may call it at once: a lock
/// serialises them. It waits for locks of others in short turns, for about a minute, so that no search queues up behind
/// it.
bool migrate(const db::ConnectOptions& options, std::ostream& out, std::ostream& err);
/// Adds demo scholarships if there are none, and the user admin / admin123 if it does not exist.
bool seed_demo(const db::ConnectOptions& options, int scholarships, std::ostream& out, std::ostream& err);

}  // namespace api::schema
