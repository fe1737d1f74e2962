#include "proxy/admission/advice.hpp"

#include <cmath>
#include <cstdio>

namespace spillway::admission {
namespace {

/// Settings this close to the advice are right: the measurement is not better.
constexpr double kClose = 0.15;

std::string rounded(double value, int digits) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string milliseconds(double seconds) {
  return rounded(1e3 * seconds, seconds < 0.01 ? 1 : 0) + " ms";
}

bool close(double value, double wanted) {
  return std::abs(value - wanted) <= kClose * wanted;
}

std::string shown(const Advice& advice) {
  const std::string slots = std::to_string(advice.slots);
  switch (advice.kind) {
    case Advice::Kind::not_enough:
      return "The traffic does not show yet what the API can do: that takes answers at low and at high load.";
    case Advice::Kind::at_least:
      return "The API keeps up with " + slots + " requests in flight (" + milliseconds(advice.service) +
             " each); its limit has not been seen.";
    case Advice::Kind::found:
      break;
  }
  return "The API works at full speed with " + slots + " requests in flight: " + rounded(advice.throughput, 0) +
         " answers/s of " + milliseconds(advice.service) + " each; more in flight " +
         (advice.thrashes ? "make it slower." : "only wait inside it.");
}

std::string to_set(const Advice& advice, const Sizing& now) {
  const std::string current = std::to_string(now.max_concurrent);
  if (advice.kind == Advice::Kind::not_enough) return "Keep max_concurrent at " + current + " for now.";
  const int wanted = max_concurrent_for(advice.slots, now.shed_at);
  const std::string setting = "max_concurrent: " + std::to_string(wanted) + " with shed_at: " + rounded(now.shed_at, 2);
  if (advice.kind == Advice::Kind::found) {
    if (close(now.max_concurrent, wanted)) return "max_concurrent: " + current + " fits.";
    return "Set " + setting + ", which leaves " + std::to_string(advice.slots) + " slots to ordinary requests (now " +
           current + ").";
  }
  if (now.max_concurrent < wanted || close(now.max_concurrent, wanted)) {
    return "Raise max_concurrent (now " + current +
           ") under load, or watch with mode: shadow, until throughput stops growing.";
  }
  return "Not less than " + setting + " (now " + current + "); more load will show how much it holds.";
}

std::string of_pool(const Advice& advice, const Sizing& now) {
  if (now.pool_capacity == 0) return "The API reports no database pool.";
  const std::string pool = "The database pool of " + std::to_string(now.pool_capacity);
  if (advice.kind == Advice::Kind::not_enough) return pool + " cannot be judged yet.";
  const std::string slots = std::to_string(advice.slots);
  if (close(now.pool_capacity, advice.slots))
    return pool + " is as large as what the API does at a time: it may be what limits it.";
  if (now.pool_capacity < advice.slots)
    return pool + " is smaller than the " + slots + " requests in flight: enough if not all of them need it.";
  return pool + " is enough for " + slots + " requests in flight.";
}

}  // namespace

int max_concurrent_for(int slots, double shed_at) {
  return shed_at <= 0 ? slots : static_cast<int>(std::ceil(slots / shed_at - 1e-6));
}

std::array<std::string, 3> in_words(const Advice& advice, const Sizing& now) {
  return {shown(advice), to_set(advice, now), of_pool(advice, now)};
}

}  // namespace spillway::admission
