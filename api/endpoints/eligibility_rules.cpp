#include "api/endpoints/eligibility_rules.hpp"

#include <cmath>
#include <cstdio>
#include <string_view>

#include "api/endpoints/date.hpp"

namespace api {

namespace {

std::string join(const std::vector<std::string_view>& items) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += i + 1 == items.size() ? " or " : ", ";
    text += items[i];
  }
  return text;
}

std::string hundredths(int value) {
  char text[16];
  std::snprintf(text, sizeof(text), "%d.%02d", value / 100, value % 100);
  return text;
}

void require_one_of(const std::vector<std::string_view>& allowed, const std::optional<std::string>& given, bool listed,
                    std::string_view what, std::vector<std::string>& unmet) {
  if (allowed.empty()) return;
  if (!given) {
    unmet.push_back(std::string(what) + " must be " + join(allowed) + ", but is not given");
  } else if (!listed) {
    unmet.push_back(std::string(what) + " must be " + join(allowed) + ", not " + *given);
  }
}

}  // namespace

std::vector<std::string> unmet_requirements(const Requirements& requirements, const Profile& profile,
                                            const Listed& listed, Day today) {
  std::vector<std::string> unmet;
  // Round down: 3.499 is below 3.50. The addition corrects the binary fraction, which is a little below 3.70.
  const int gpa = static_cast<int>(std::floor(profile.gpa * 100 + 1e-6));
  if (requirements.min_gpa_hundredths && gpa < *requirements.min_gpa_hundredths) {
    unmet.push_back("gpa " + hundredths(gpa) + " is below the minimum of " +
                    hundredths(*requirements.min_gpa_hundredths));
  }
  require_one_of(requirements.majors, profile.major, listed.major, "major", unmet);
  require_one_of(requirements.residencies, profile.residency, listed.residency, "residency", unmet);
  require_one_of(requirements.education_levels, profile.education_level, listed.education_level, "education_level",
                 unmet);
  if (today > requirements.deadline) unmet.push_back("the deadline was " + to_text(requirements.deadline));
  return unmet;
}

}  // namespace api
