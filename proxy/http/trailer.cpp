#include "proxy/http/trailer.hpp"

#include <algorithm>
#include <iterator>

#include "proxy/http/message.hpp"

namespace spillway::http {

namespace {

constexpr const char* kFraming = "framing field in a trailer";
constexpr const char* kRouting = "routing field in a trailer";
constexpr const char* kAuthentication = "authentication field in a trailer";

struct Refused {
  std::string_view name;
  const char* why;
};

/// Fields that only responses have are not here: a trailer may carry `Authentication-Info` (RFC 9110, section 11.6.3).
constexpr Refused kRefused[] = {
    {"connection", kFraming},
    {"content-length", kFraming},
    {"http2-settings", kFraming},
    {"keep-alive", kFraming},
    {"proxy-connection", kFraming},
    {"te", kFraming},
    {"trailer", kFraming},
    {"transfer-encoding", kFraming},
    {"upgrade", kFraming},

    {"forwarded", kRouting},
    {"host", kRouting},
    {"max-forwards", kRouting},
    {"via", kRouting},
    {"x-forwarded-for", kRouting},
    {"x-forwarded-host", kRouting},
    {"x-forwarded-port", kRouting},
    {"x-forwarded-prefix", kRouting},
    {"x-forwarded-proto", kRouting},
    {"x-forwarded-server", kRouting},
    {"x-original-url", kRouting},
    {"x-real-ip", kRouting},
    {"x-rewrite-url", kRouting},

    {"authorization", kAuthentication},
    {"cookie", kAuthentication},
    {"proxy-authorization", kAuthentication},
    {"x-client-cert-fingerprint", kAuthentication},
    {"x-client-cert-subject", kAuthentication},
};

constexpr auto size_of(const Refused& each) {
  return each.name.size();
}
static_assert(std::ranges::max(kRefused, {}, size_of).name.size() == kTrailerFaultMax);

}  // namespace

const char* trailer_fault(std::string_view name) {
  const auto* const found =
      std::ranges::find_if(kRefused, [&](const Refused& r) { return equals_lower(name, r.name); });
  return found == std::end(kRefused) ? nullptr : found->why;
}

}  // namespace spillway::http
