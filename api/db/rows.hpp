#pragma once

#include <cstdint>
#include <limits>
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

/// Rows that a search ranks at most. If more match, it is listed by deadline instead.
inline constexpr int kRankedMost = 4000;
/// Under pressure they are ranked in parts of so many, one part for each page or more.
inline constexpr int kPart = 500;
/// Rows that one query by deadline reads at most: some 10 ms, whatever it looks for.
inline constexpr int kWindow = 4000;

/// Where a ranked page goes on: behind this rank, and behind this id of the same rank.
struct RankedAfter {
  int score = std::numeric_limits<int>::max();  ///< in billionths
  std::int64_t id = 0;
};

/// Where a page of a search that began under pressure goes on.
struct PartAfter {
  int part = 0;  ///< from 0, in the order in which the matches are stored; less than kParts
  RankedAfter rank;
};
inline constexpr int kParts = kRankedMost / kPart;

/// Where a page by deadline goes on.
struct DeadlineAfter {
  Day deadline = 0;
  std::int64_t id = 0;
};

/// The place of a ranked row, and how many rows match: kRankedMost + 1 stands for any number above kRankedMost. In a
/// part `total` is how many the part has.
struct Scored {
  std::int64_t id = 0;
  int score = 0;
  std::int64_t total = 0;
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
