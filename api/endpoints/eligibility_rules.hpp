#pragma once

#include <string>
#include <vector>

#include "api/db/rows.hpp"

namespace api {

/// A sentence for each requirement that is not met; empty: the student is eligible.
std::vector<std::string> unmet_requirements(const Requirements& requirements, const Profile& profile,
                                            const Listed& listed, Day today);

}  // namespace api
