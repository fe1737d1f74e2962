#include "proxy/telemetry/labels.hpp"

#include <algorithm>

namespace spillway::telemetry {

std::string_view name(Protocol protocol) {
  constexpr std::array<std::string_view, kProtocols> kNames{"HTTP/1.0", "HTTP/1.1", "HTTP/2"};
  return kNames[static_cast<std::size_t>(protocol)];
}

std::size_t bad_request_index(int status) {
  const auto* found = std::find(kBadRequestCodes.begin(), kBadRequestCodes.end(), status);
  return found == kBadRequestCodes.end() ? 0 : static_cast<std::size_t>(found - kBadRequestCodes.begin());
}

std::optional<std::size_t> failure_cause(Outcome outcome, std::string_view reason) {
  if (outcome != Outcome::upstream_error && outcome != Outcome::timeout) return std::nullopt;
  if (reason.empty()) return 0;
  const auto* found = std::find(kFailureCauses.begin(), kFailureCauses.end(), reason);
  if (found == kFailureCauses.end()) return std::nullopt;  // a client that was too slow
  return static_cast<std::size_t>(found - kFailureCauses.begin());
}

}  // namespace spillway::telemetry
