#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/db/day.hpp"

/// The rows that the repository reads, and what it compares them with. Views live as long as the result that they were
/// read from.
namespace api {

/// What a scholarship requires of a student. An empty list or optional requires nothing.
struct Requirements {
  std::optional<int> min_gpa_hundredths;
  std::vector<std::string_view> majors;
  std::vector<std::string_view> residencies;
  std::vector<std::string_view> education_levels;
  Day deadline = 0;  ///< the last day to apply
};

/// What a student says about himself or herself.
struct Profile {
  double gpa = 0;  ///< 0 to 4
  std::string major;
  std::optional<std::string> residency;
  std::optional<std::string> education_level;
};

/// Which names of a profile are in the lists of the requirements. The database compares them, as it does for the list
/// of scholarships, so that both treat every letter alike.
struct Listed {
  bool major = false;
  bool residency = false;
  bool education_level = false;
};

struct Summary {
  std::int64_t id = 0;
  std::string_view name;
  std::string_view provider;
  int amount = 0;
  Requirements requirements;
};

struct Details {
  Summary summary;
  std::string_view description;
};

/// The requirements of a scholarship, compared with a profile.
struct Asked {
  Requirements requirements;
  Listed listed;
};

/// Whose tokens are valid, and of which generation.
struct UserId {
  std::int64_t id = 0;  ///< 0: there is no such user
  std::int64_t token_generation = 0;
};

struct User {
  UserId id;
  std::string_view password_hash;
};

struct ServerState {
  int max_connections = 0;
  int reserved = 0;           ///< of them, for superusers
  int schema_version = 0;     ///< number of the last migration; may be later than any that this program knows
  int missing_migration = 1;  ///< the first one up to `last_migration` that was not applied; 0: none
};

}  // namespace api
