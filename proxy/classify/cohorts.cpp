#include "proxy/classify/cohorts.hpp"

#include <cmath>

namespace spillway::classify {
namespace {

/// Makes a number of the seed's text. Any will do: what must stay secret is the seed.
constexpr std::uint64_t kSeedPoint = 0x5370696c6c776179U;

}  // namespace

Cohorts::Cohorts(const CohortConfig& config, int ipv6_prefix)
    : enabled_(config.key.source != ClientKey::Source::none),
      keys_(config.key, ipv6_prefix, ClientKeys::Nameless::by_address),
      hash_(KeyHash(kSeedPoint)(config.seed)),
      rotate_(config.rotate) {}

double Cohorts::place(const http::RequestHead& request, std::string_view address,
                      std::chrono::system_clock::time_point now, std::string_view certificate) const {
  const double own = static_cast<double>(keys_.of(request, address, hash_, certificate) >> 11) * 0x1p-53;
  const std::chrono::duration<double> time = now.time_since_epoch();
  return std::fmod(own + std::fmod(time / rotate_, 1), 1);
}

}  // namespace spillway::classify
