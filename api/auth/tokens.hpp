#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
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
  std::int64_t generation = 0;  ///< of the user's tokens; 0 also if the token has no such claim
};

/// A key that tokens are signed with.
struct Secret {
  std::string kid;  ///< its name in the head of a token; empty: tokens name none
  std::string key;  ///< at least 32 bytes

  bool operator==(const Secret&) const = default;
};

/// Signs and checks JSON Web Tokens, HS256 and nothing else. The first secret signs, and all verify, so that a secret
/// can be replaced without a log-out: a token that names its secret is checked with that one, any other with each.
/// Thread-safe.
class Tokens {
 public:
  /// `secrets`: at least one. `lifetime` in seconds.
  Tokens(std::vector<Secret> secrets, std::int64_t lifetime);

  /// From now on these secrets count. False: they are the same as before.
  bool replace(std::vector<Secret> secrets);
  /// Changes with each replacement: what was valid before may not be any more.
  std::uint64_t edition() const { return edition_.load(std::memory_order_acquire); }

  std::int64_t lifetime() const { return lifetime_; }
  std::string issue(const Claims& claims, UnixTime now) const;  ///< `claims.expires` does not count
  /// False: the token is malformed, its signature is wrong, it has expired or is not valid yet, its `exp`, `nbf`,
  /// `uid` or `gen` is not a whole number, or it has critical extensions (`crit`), of which none is supported.
  bool verify(const std::string& token, UnixTime now, Claims& claims) const;

 private:
  using Secrets = std::shared_ptr<const std::vector<Secret>>;
  Secrets secrets() const;

  mutable std::mutex mutex_;
  Secrets secrets_;  // guarded by mutex_
  std::atomic<std::uint64_t> edition_{0};
  const std::int64_t lifetime_;
};

/// Remembers valid tokens, because a check costs more than a query. One for each worker, not thread-safe. Its size is
/// fixed: a new token replaces an older one.
class TokenCache {
 public:
  explicit TokenCache(const Tokens& tokens) : tokens_(tokens), edition_(tokens.edition()), places_(kPlaces) {}

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
  std::uint64_t edition_ = 0;  ///< of the secrets that the places were checked with
  std::vector<Place> places_;
};

}  // namespace api::auth
