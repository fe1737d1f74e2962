#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace api::auth {

/// Seconds since 1970, as in a token.
using UnixTime = std::int64_t;

/// The claims of a token about its bearer.
struct Claims {
  std::string subject;
  std::int64_t user_id = 0;  ///< 0: the token has no such claim
  UnixTime expires = 0;
};

/// Signs and checks JSON Web Tokens, HS256 and nothing else. Thread-safe.
class Tokens {
 public:
  /// `secret`: at least 32 bytes. `lifetime` in seconds.
  Tokens(std::string secret, std::int64_t lifetime) : secret_(std::move(secret)), lifetime_(lifetime) {}

  std::int64_t lifetime() const { return lifetime_; }
  std::string issue(const std::string& subject, std::int64_t user_id, UnixTime now) const;
  /// False: the token is malformed, its signature is wrong, it has expired or is not valid yet, its `exp`, `nbf` or
  /// `uid` is not a whole number, or it has critical extensions (`crit`), of which none is supported.
  bool verify(const std::string& token, UnixTime now, Claims& claims) const;

 private:
  const std::string secret_;
  const std::int64_t lifetime_;
};

/// Remembers valid tokens, because a check costs more than a query. One for each worker, not thread-safe. Its size is
/// fixed: a new token replaces an older one.
class TokenCache {
 public:
  explicit TokenCache(const Tokens& tokens) : tokens_(tokens), places_(kPlaces) {}

  /// Null: the token is invalid. The result is valid until the next call.
  const Claims* verify(std::string_view token, UnixTime now);

 private:
  /// At some 300 bytes each, 300 KiB when full.
  static constexpr std::size_t kPlaces = 1024;
  struct Place {
    std::string token;
    Claims claims;
  };

  const Tokens& tokens_;
  std::vector<Place> places_;
};

}  // namespace api::auth
