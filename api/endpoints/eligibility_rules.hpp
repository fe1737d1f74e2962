#pragma once

#include <string>
#include <vector>

#include "api/db/rows.hpp"

namespace api {

/// Every requirement that is not met, in words; none means eligible.
std::vector<std::string> unmet_requirements(const Requirements& requirements, const Profile& profile,
                                            const Listed& listed, Day today);

}  // namespace api
