#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/load.hpp"
#include "proxy/config/config.hpp"

namespace spillway {

/// Names every field of the proxy's configuration, with its documentation and range.
void describe(config::Fields& f, ProxyConfig& c);
/// Checks the rules between fields.
void check(const ProxyConfig& c, config::Problems& problems);

inline constexpr config::Definition<ProxyConfig> kProxyDefinition{describe, check};

/// A number, or `auto`: then `value` is unset.
config::Scalar automatic_or(std::optional<int>& value, config::Range<int> range);

// Required by config::Fields of the proxy's own types; see `parsed` there.
bool parse(std::string_view text, ClientKey& value);
std::string to_text(const ClientKey& value);
std::string_view words_for(const ClientKey&);
std::string_view pattern_for(const ClientKey&);

}  // namespace spillway

// Found by argument-dependent lookup, so in the namespace of the type.
namespace spillway::admission {

bool parse(std::string_view text, RetryAfterPolicy& value);
std::string to_text(const RetryAfterPolicy& value);
std::string_view words_for(const RetryAfterPolicy&);
std::string_view pattern_for(const RetryAfterPolicy&);

}  // namespace spillway::admission
