#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/db/date.hpp"

namespace api {

/// What a scholarship asks for. An empty list or optional asks for nothing.
struct Requirements {
  std::optional<int> min_gpa_hundredths;
  std::vector<std::string_view> majors;
  std::vector<std::string_view> residencies;
  std::vector<std::string_view> education_levels;
  Day deadline = 0;  ///< the last day on which it can be applied for
};

/// A student. Views live as long as the request.
struct Profile {
  double gpa = 0;  ///< 0 to 4
  std::string major;
  std::optional<std::string> residency;
  std::optional<std::string> education_level;
};

/// Whether the list of a requirement holds what the profile says. The database compares, as it does for the list of
/// scholarships, so that both say the same of every letter.
struct Listed {
  bool major = false;
  bool residency = false;
  bool education_level = false;
};

/// Every requirement that is not met, in words; none means eligible.
std::vector<std::string> unmet_requirements(const Requirements& requirements, const Profile& profile,
                                            const Listed& listed, Day today);

}  // namespace api
