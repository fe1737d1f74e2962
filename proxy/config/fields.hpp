#pragma once

#include "config/load.hpp"
#include "proxy/config/config.hpp"

namespace spillway {

/// Names every field of the proxy's configuration once, with its documentation and range.
void describe(config::Fields& f, ProxyConfig& c);
/// The rules between fields.
void check(const ProxyConfig& c, config::Problems& problems);

inline constexpr config::Definition<ProxyConfig> kProxyDefinition{describe, check};

}  // namespace spillway
