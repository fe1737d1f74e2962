#include "proxy/admission/policy.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace spillway::admission {

std::string_view name(Mode mode) {
  constexpr std::array<std::string_view, 3> kNames{"enforce", "shadow", "off"};
  return kNames[static_cast<std::size_t>(mode)];
}

int share_of(double shed_at, int limit) {
  if (shed_at <= 0) return 0;
  constexpr double kRounding = 1e-6;  // more than any binary rounding of share * limit, less than any share written
  const int share = static_cast<int>(std::floor(shed_at * limit + kRounding));
  return std::min(std::max(share, 1), limit);  // 0 of a limit of 0, which std::clamp must not be asked for
}

int reserve_of(int reserve, int limit, int max_concurrent) {
  if (reserve <= 0) return 0;
  return std::max(1, static_cast<int>(std::int64_t{reserve} * limit / max_concurrent));
}

}  // namespace spillway::admission
