#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/config.hpp"
#include "proxy/http/message.hpp"

namespace spillway::classify {

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

/// Tells clients apart as `admission.fairness.key` says. Immutable.
class ClientKeys {
 public:
  ClientKeys(const ClientKeyConfig& config, const std::vector<config::Cidr>& trusted_proxies);

  /// Whose request it is; 0 if clients are not told apart. Requests that do not say are one client's: those without
  /// the header, or through a unix socket without X-Forwarded-For. The address is that of `peer`, or behind trusted
  /// proxies the right-most in X-Forwarded-For that is none of theirs; an IPv6 client is its network.
  std::uint64_t of(const http::RequestHead& request, std::string_view peer, const KeyHash& hash) const;

 private:
  std::string_view address(const http::RequestHead& request, std::string_view peer) const;

  FairnessKey::Source source_;
  std::string header_;  ///< in lower case
  int ipv6_prefix_;
  std::vector<config::Cidr> trusted_proxies_;
};

/// The client's X-Request-Timeout: whole milliseconds up to a day. Nothing without a sane one.
std::optional<std::chrono::milliseconds> request_timeout(const http::RequestHead& request);

}  // namespace spillway::classify
