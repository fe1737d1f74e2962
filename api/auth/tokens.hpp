#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace api::auth {

/// Seconds since 1970, as in a token.
using UnixTime = std::int64_t;

/// What a token says about its bearer.
struct Claims {
  std::string subject;
  std::int64_t user_id = 0;  ///< 0: it does not say
  UnixTime expires = 0;
};

/// Signs and checks JSON Web Tokens, HS256 and nothing else. Thread-safe.
class Tokens {
 public:
  /// `secret`: at least 32 bytes. `lifetime` in seconds.
  Tokens(std::string secret, std::int64_t lifetime) : secret_(std::move(secret)), lifetime_(lifetime) {}

  std::int64_t lifetime() const { return lifetime_; }
  std::string issue(const std::string& subject, std::int64_t user_id, UnixTime now) const;
  /// False: malformed, signed otherwise, expired or not good yet, with an `exp`, `nbf` or `uid` that is no whole
  /// number, or with extensions that must be understood (`crit`): none are.
  bool verify(const std::string& token, UnixTime now, Claims& claims) const;

 private:
  const std::string secret_;
  const std::int64_t lifetime_;
};

/// Remembers tokens that were found good, because checking one costs more than a lookup in the database. One per
/// worker, not thread-safe; of fixed size, a newcomer takes the place of what stood there.
class TokenCache {
 public:
  explicit TokenCache(const Tokens& tokens) : tokens_(tokens), places_(kPlaces) {}

  /// Null: not good. Valid until the next call.
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
