#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/db/list_filter.hpp"
#include "api/db/rows.hpp"
#include "api/endpoints/eligibility_rules.hpp"
#include "api/endpoints/field.hpp"

/// Parses what clients send into values that the rest of the program may trust. Pure and bounded; every fault names its
/// field. Text in the result is valid UTF-8 without control characters and not longer than its limit.
namespace api {

inline constexpr int kMaxLimit = 100;  ///< items of a page
inline constexpr int kDefaultLimit = 20;

template <class T>
struct Input {
  T value{};
  FieldErrors errors;      ///< every fault that was found
  bool malformed = false;  ///< the body is not JSON, or not a form
  bool ok() const { return errors.empty(); }
};

struct Search {
  std::string words;
  int limit = kDefaultLimit;
  bool include_past = false;  ///< also those whose deadline has passed
  // Where the page goes on: one of the three, or none on the first page.
  std::optional<RankedAfter> after_rank;
  std::optional<PartAfter> after_part;
  std::optional<DeadlineAfter> after_deadline;
};

/// The text of a cursor that `parse_search` reads.
std::string to_cursor(RankedAfter after);
std::string to_cursor(PartAfter after);
std::string to_cursor(DeadlineAfter after);

struct Credentials {
  std::string username;
  std::string password;
};

struct EligibilityCheck {
  std::int64_t scholarship_id = 0;
  Profile profile;
};

/// `query`: of the target, still percent-encoded.
Input<Search> parse_search(std::string_view query);
Input<ListFilter> parse_list(std::string_view query);
/// A path segment.
Input<std::int64_t> parse_id(std::string_view text);
Input<Credentials> parse_credentials(std::string_view content_type, std::string_view body);
Input<EligibilityCheck> parse_eligibility(std::string_view body);

}  // namespace api
