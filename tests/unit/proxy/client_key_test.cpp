// Whose request it is: what tells clients apart for fairness, and what cannot be made up.
#include "proxy/classify/client_key.hpp"

#include <set>
#include <string>

#include <doctest/doctest.h>

#include "proxy/http1/parse.hpp"

namespace {

using namespace spillway;
using namespace std::chrono_literals;
using relay::client_key;
using relay::KeyHash;
using relay::request_timeout;
using Source = FairnessKey::Source;

/// A parsed request with these fields, and the bytes it points into.
struct Sample {
  explicit Sample(const std::string& fields) : bytes("GET / HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n") {
    REQUIRE_FALSE(http::parse_request(bytes, {}, head));
  }
  std::string bytes;
  http::RequestHead head;
};

relay::Settings settings_of(Source source, std::string header = {}) {
  ProxyConfig config;
  config.admission.fairness.key = {source, std::move(header)};
  for (const std::string_view block : {"10.0.0.0/8", "fd00::/8"}) {
    REQUIRE(config::parse(block, config.trusted_proxies.emplace_back()));
  }
  return relay::Settings(config);
}

const KeyHash kHash(12345);

TEST_CASE("without a key nobody is told apart") {
  CHECK(client_key(settings_of(Source::none), Sample("X-Forwarded-For: 1.2.3.4\r\n").head, "1.2.3.4", kHash) == 0);
}

TEST_CASE("a client is its address: the peer's, or the last one that no trusted proxy appended") {
  const relay::Settings settings = settings_of(Source::client_ip);
  const Sample plain("");
  const auto key_of = [&](const char* address) { return client_key(settings, plain.head, address, kHash); };
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
      {"::ffff:192.0.2.1", "", "192.0.2.1"},
      {"2001:db8::1", "", "2001:db8:0:0::1"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.peer);
    CAPTURE(row.fields);
    const std::uint64_t key = client_key(settings, Sample(row.fields).head, row.peer, kHash);
    CHECK(key != 0);
    CHECK(key == key_of(row.client));
  }
  CHECK(key_of("192.0.2.1") != key_of("192.0.2.2"));
  CHECK(key_of("") == 0);  // a unix socket's peer has no address
}

TEST_CASE("or what a header says") {
  const relay::Settings settings = settings_of(Source::header, "X-Tenant");
  const auto key_of = [&](const char* fields) { return client_key(settings, Sample(fields).head, "1.2.3.4", kHash); };
  CHECK(key_of("") == 0);
  CHECK(key_of("X-Tenant:\r\n") == 0);
  CHECK(key_of("X-Tenant: a\r\n") != 0);
  CHECK(key_of("x-tenant: a\r\n") == key_of("X-TENANT: a\r\n"));
  CHECK(key_of("X-Tenant: a\r\n") != key_of("X-Tenant: b\r\n"));
}

TEST_CASE("the hash spreads, and depends on its seed") {
  std::set<std::uint64_t> low;
  constexpr int kTexts = 100'000, kPlaces = 1 << 18;
  for (int i = 0; i < kTexts; ++i) low.insert(kHash(std::to_string(i)) % kPlaces);
  // As many places as so many random numbers would take: 2^18 (1 - e^(-100000 / 2^18)) = 83,130.
  CHECK(low.size() > 82'500);
  CHECK(low.size() < 83'800);
  CHECK(kHash("a") != KeyHash(54321)("a"));
  CHECK(KeyHash()("a") != KeyHash()("a"));
  CHECK(kHash("") != kHash(std::string_view("\0", 1)));
  CHECK(kHash(std::string_view("\0", 1)) != kHash(std::string_view("\0\0", 2)));
}

TEST_CASE("X-Request-Timeout is whole milliseconds up to a day, or says nothing") {
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
