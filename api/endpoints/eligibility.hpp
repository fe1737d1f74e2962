#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/endpoints/date.hpp"

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

/// Every requirement that is not met, in words; none means eligible. Names compare without regard to ASCII case.
std::vector<std::string> unmet_requirements(const Requirements& requirements, const Profile& profile, Day today);

}  // namespace api
