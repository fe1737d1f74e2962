#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/config/config.hpp"
#include "proxy/http/message.hpp"

namespace spillway::classify {

/// Hashes a text to a key. Without the seed a client cannot find two texts with the same key.
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

/// Gives each client a key, as the configuration says. Immutable.
class ClientKeys {
 public:
  /// Whose the requests are that have not the header, cookie, token or certificate.
  enum class Nameless : std::uint8_t { one_client, by_address };

  ClientKeys(const ClientKey& key, int ipv6_prefix, Nameless nameless = Nameless::one_client);

  /// The key of the request's client, whose `address` is as `client_address` finds it; 0 with `key: none`. All requests
  /// without an address count as one client's. All addresses of an IPv6 network are one client.
  /// `certificate`: the subject of the client's verified certificate; empty without one.
  std::uint64_t of(const http::RequestHead& request, std::string_view address, const KeyHash& hash,
                   std::string_view certificate = {}) const;

 private:
  std::string_view name(const http::RequestHead& request, std::string_view certificate) const;

  ClientKey::Source source_;
  std::string name_;  ///< of the header or cookie; a header's in lower case
  Nameless nameless_;
  int ipv6_prefix_;
};

/// The client's X-Request-Timeout in whole milliseconds, up to a day. Nothing if it is missing or invalid.
std::optional<std::chrono::milliseconds> request_timeout(const http::RequestHead& request);

}  // namespace spillway::classify
