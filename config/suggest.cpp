#include "config/suggest.hpp"

#include <algorithm>
#include <cstddef>

namespace config {
namespace {

/// No key is longer; a longer word is not compared, so that the work stays bounded.
constexpr std::size_t kMaxCompared = 64;

/// Optimal string alignment distance: insert, delete, replace, swap of neighbours. Three rows are enough.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> previous(b.size() + 1);
  std::vector<std::size_t> current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) current[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(previous);
    previous.swap(current);
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({replaced, previous[j] + 1, current[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
  }
  return current[b.size()];
}

}  // namespace

std::string nearest(std::string_view written, const std::vector<std::string>& names) {
  if (written.size() > kMaxCompared) return {};
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, written.size() / 3) + 1;
  for (const std::string& name : names) {
    const std::size_t candidate = distance(written, name);
    if (candidate < best_distance) {
      best = name;
      best_distance = candidate;
    }
  }
  return best;
}

}  // namespace config
