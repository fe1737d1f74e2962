#pragma once

#include <array>
#include <string>

#include "proxy/admission/advisor.hpp"

namespace spillway::admission {

/// What is configured and reported now.
struct Sizing {
  int max_concurrent = 0;
  double shed_at = 0;     ///< of the default class
  int pool_capacity = 0;  ///< of the API's database pool; 0: not reported
};

/// `max_concurrent` that leaves `slots` to the default class.
int max_concurrent_for(int slots, double shed_at);

/// What the traffic says, and the settings to compare it with.
struct SizedAdvice {
  Advice advice;
  Sizing now;
};

/// The advice in three lines: what the traffic shows, what to set, and whether the database pool fits.
std::array<std::string, 3> in_words(const Advice& advice, const Sizing& now);

}  // namespace spillway::admission
