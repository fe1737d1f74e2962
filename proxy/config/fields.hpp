#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "config/load.hpp"
#include "proxy/config/config.hpp"
#include "proxy/http/grammar.hpp"

namespace spillway {

/// Names every field of the proxy's configuration, with its documentation and range.
void describe(config::Fields& f, ProxyConfig& c);
/// Checks the rules between fields.
void check(const ProxyConfig& c, config::Problems& problems);

inline constexpr config::Definition<ProxyConfig> kProxyDefinition{describe, check};

/// Names the fields of a class's rule.
void describe_match(config::Fields& f, MatchRule& c);
/// Names the fields of TLS to the API.
void describe_tls(config::Fields& f, UpstreamTls& c);

/// Forms of texts that several sections have.
inline constexpr config::TextForm kPath = {
    "a path that begins with /, of visible ASCII characters without # and ?", "^/[!-\"$->@-~]*$",
    [](std::string_view text) {
      const auto fits = [](char c) { return c > ' ' && c < 0x7F && c != '#' && c != '?'; };
      return text.starts_with('/') && std::all_of(text.begin(), text.end(), fits);
    }};

inline constexpr config::TextForm kFieldName = {"the name of a header field", "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
                                                http::is_token};

inline constexpr config::TextForm kHost = {"a host of visible ASCII characters, at most 255, or nothing",
                                           "^[!-~]{0,255}$", [](std::string_view text) {
                                             const auto fits = [](char c) { return c > ' ' && c < 0x7F; };
                                             return text.size() <= 255 && std::all_of(text.begin(), text.end(), fits);
                                           }};

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
std::string hint_for(std::string_view text, const RetryAfterPolicy&);
std::string doubt_for(std::string_view text, const RetryAfterPolicy&);

}  // namespace spillway::admission
