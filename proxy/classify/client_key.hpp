#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/http/message.hpp"
#include "proxy/relay/settings.hpp"

namespace spillway::relay {

/// Turns a text into a number that nobody can choose: without the seed, two texts that collide cannot be found.
/// Source: polynomial hashing modulo the prime 2^61 - 1 with a secret point (Carter and Wegman 1979); texts of n bytes
/// collide with a probability below n / 2^62.
class KeyHash {
 public:
  KeyHash();  ///< with a random seed
  explicit KeyHash(std::uint64_t seed);
  /// Never 0.
  std::uint64_t operator()(std::string_view text) const;

 private:
  std::uint64_t point_;
};

/// Whose request it is, as `admission.fairness.key` tells clients apart; 0: nobody's in particular.
/// The address is that of `peer`, or behind trusted proxies the last in X-Forwarded-For that is none of theirs.
std::uint64_t client_key(const Settings& settings, const http::RequestHead& request, std::string_view peer,
                         const KeyHash& hash);

/// The client's X-Request-Timeout: whole milliseconds up to a day. Nothing without a sane one.
std::optional<std::chrono::milliseconds> request_timeout(const http::RequestHead& request);

}  // namespace spillway::relay
