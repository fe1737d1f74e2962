// The key of a client for fairness, and which parts of it a client cannot forge.
#include "proxy/classify/client_key.hpp"

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "config/forwarded.hpp"
#include "proxy/classify/client_address.hpp"
#include "tests/unit/classify/sample.hpp"

namespace {

using namespace spillway;
using namespace std::chrono_literals;
using classify::ClientKeys;
using classify::KeyHash;
using classify::request_timeout;
using classify::Sample;
using Source = ClientKey::Source;

/// Keys behind trusted proxies of 10.0.0.0/8 and fd00::/8.
struct Keys {
  ClientKeys keys;
  std::vector<config::Cidr> trusted;

  std::uint64_t of(const http::RequestHead& head, std::string_view peer, const KeyHash& hash) const {
    return keys.of(head, classify::client_address(head, peer, config::trusts(trusted, peer), trusted).address, hash);
  }
};

Keys keys_of(Source source, std::string header = {}, int ipv6_prefix = 64) {
  Keys keys{ClientKeys({source, std::move(header)}, ipv6_prefix), {}};
  for (const std::string_view block : {"10.0.0.0/8", "fd00::/8"}) {
    REQUIRE(config::parse(block, keys.trusted.emplace_back()));
  }
  return keys;
}

const KeyHash kHash(12345);

TEST_CASE("with `key: none` clients have no key") {
  CHECK(keys_of(Source::none).of(Sample("X-Forwarded-For: 1.2.3.4\r\n").head, "1.2.3.4", kHash) == 0);
}

TEST_CASE("with `client_ip` the key is the peer's address, or the right-most untrusted one of X-Forwarded-For") {
  const Keys keys = keys_of(Source::client_ip);
  const Sample plain("");
  const auto key_of = [&](const char* address) { return keys.of(plain.head, address, kHash); };
  struct Row {
    const char* peer;
    const char* fields;
    const char* client;
  };
  const Row rows[] = {
      {"192.0.2.1", "", "192.0.2.1"},
      {"192.0.2.1", "X-Forwarded-For: 198.51.100.7\r\n", "192.0.2.1"},
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7\r\n", "198.51.100.7"},
      {"10.0.0.1", "X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\n", "198.51.100.7"},
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7, 10.0.0.2 ,fd00::3\r\n", "198.51.100.7"},
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 10.0.0.2\r\n", "198.51.100.7"},
      {"10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3"},
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7, ,\r\n", "198.51.100.7"},
      {"10.0.0.1", "", "10.0.0.1"},
      // With ports and brackets, as some proxies write them: the same client, and the same trusted proxies.
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7:40001\r\n", "198.51.100.7"},
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7:40001, 10.0.0.2:1, [fd00::3]:65535\r\n", "198.51.100.7"},
      {"10.0.0.1", "X-Forwarded-For: [2001:db8::7]:40001\r\n", "2001:db8::7"},
      {"10.0.0.1", "X-Forwarded-For: [2001:db8::7]\r\n", "2001:db8::7"},
      {"10.0.0.1", "X-Forwarded-For: fe80::7%eth0\r\n", "fe80::7"},
      {"fe80::7%eth0", "", "fe80::7"},
      // An unreadable entry hides the client; entries left of it can be forged.
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7, unknown\r\n", "10.0.0.1"},
      {"10.0.0.1", "X-Forwarded-For: 198.51.100.7, 10.0.0.2:x\r\n", "10.0.0.1"},
      // An IPv6 client is a /64; an IPv4 client behind NAT64 is its IPv4 address.
      {"2001:db8::1", "", "2001:db8::ffff:1:2:3"},
      {"::ffff:198.51.100.7", "", "198.51.100.7"},
      {"64:ff9b::198.51.100.7", "", "198.51.100.7"},
      {"::ffff:192.0.2.1", "", "192.0.2.1"},
      {"2001:db8::1", "", "2001:db8:0:0::1"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.peer);
    CAPTURE(row.fields);
    const std::uint64_t key = keys.of(Sample(row.fields).head, row.peer, kHash);
    CHECK(key != 0);
    CHECK(key == key_of(row.client));
  }
  CHECK(key_of("192.0.2.1") != key_of("192.0.2.2"));
  CHECK(key_of("::ffff:192.0.2.1") != key_of("::ffff:192.0.2.2"));
  CHECK(key_of("2001:db8::1") != key_of("2001:db8:0:1::1"));
  CHECK(key_of("") != 0);  // peers of a unix socket have no address and are one client
  const Keys host_by_host = keys_of(Source::client_ip, "", 128), site = keys_of(Source::client_ip, "", 48);
  CHECK(host_by_host.of(plain.head, "2001:db8::1", kHash) != host_by_host.of(plain.head, "2001:db8::2", kHash));
  CHECK(site.of(plain.head, "2001:db8::1", kHash) == site.of(plain.head, "2001:db8:0:1::1", kHash));
}

TEST_CASE("with `header:NAME` the key is the value of the header") {
  const Keys keys = keys_of(Source::header, "X-Tenant");
  const auto key_of = [&](const char* fields) { return keys.of(Sample(fields).head, "1.2.3.4", kHash); };
  CHECK(key_of("") != 0);  // all requests without the header are one client's
  CHECK(key_of("X-Tenant:\r\n") == key_of(""));
  CHECK(key_of("X-Tenant: a\r\n") != key_of(""));
  CHECK(key_of("X-Tenant: a\r\n") != 0);
  CHECK(key_of("x-tenant: a\r\n") == key_of("X-TENANT: a\r\n"));
  CHECK(key_of("X-Tenant: a\r\n") != key_of("X-Tenant: b\r\n"));
}

TEST_CASE("with `client_certificate` the key is the subject, and requests without one are one client's") {
  const ClientKeys keys = keys_of(Source::certificate).keys;
  const Sample plain(""), forged("X-Client-Cert-Subject: CN=a\r\n");
  CHECK(keys.of(plain.head, "1.1.1.1", kHash, "CN=a") == keys.of(plain.head, "2.2.2.2", kHash, "CN=a"));
  CHECK(keys.of(plain.head, "1.1.1.1", kHash, "CN=a") != keys.of(plain.head, "1.1.1.1", kHash, "CN=b"));
  CHECK(keys.of(forged.head, "1.1.1.1", kHash) == keys.of(plain.head, "2.2.2.2", kHash));
}

TEST_CASE("the hash spreads its values, and depends on its seed") {
  std::set<std::uint64_t> low;
  constexpr int kTexts = 100'000, kPlaces = 1 << 18;
  for (int i = 0; i < kTexts; ++i) low.insert(kHash(std::to_string(i)) % kPlaces);
  // As many places as so many random numbers occupy: 2^18 (1 - e^(-100000 / 2^18)) = 83,130.
  CHECK(low.size() > 82'500);
  CHECK(low.size() < 83'800);
  CHECK(kHash("a") != KeyHash(54321)("a"));
  CHECK(KeyHash()("a") != KeyHash()("a"));
  CHECK(kHash("") != kHash(std::string_view("\0", 1)));
  CHECK(kHash(std::string_view("\0", 1)) != kHash(std::string_view("\0\0", 2)));
}

TEST_CASE("X-Request-Timeout is whole milliseconds up to a day, and anything else is ignored") {
  const auto timeout_of = [](const char* value) {
    return request_timeout(Sample("X-Request-Timeout: " + std::string(value) + "\r\n").head);
  };
  CHECK_FALSE(request_timeout(Sample("").head));
  CHECK(timeout_of("0") == 0ms);
  CHECK(timeout_of("250") == 250ms);
  CHECK(timeout_of("86400000") == 24h);
  for (const char* value : {"", "86400001", "4294967296", "-1", "+1", "1.5", "1s", "0x10", "1 2", "soon"}) {
    CAPTURE(value);
    CHECK_FALSE(timeout_of(value));
  }
}

}  // namespace
