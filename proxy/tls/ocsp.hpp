#pragma once

#include <string>

#include "proxy/tls/certificate.hpp"

namespace tls {

/// Checks an OCSP response in DER that is to be stapled: it is a successful one about `leaf`, which it calls good, and
/// is valid `now`; `expires` is when it ends. Clients check its signature. Without `issuer` only the serial number is
/// compared. Returns what is wrong, or nothing.
std::string check_ocsp(const std::string& der, const X509* leaf, const X509* issuer, WallTime now, WallTime& expires);

}  // namespace tls
