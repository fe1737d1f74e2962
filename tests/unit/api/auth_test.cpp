#include <cstdlib>

#include <doctest/doctest.h>
#include <jwt.h>

#include "api/auth/login_limit.hpp"
#include "api/auth/tokens.hpp"

namespace api::auth {
namespace {

using namespace std::chrono_literals;

const std::string kSecret = "0123456789abcdef0123456789abcdef";
constexpr UnixTime kNow = 1'700'000'000;

std::string forge(jwt_alg_t algorithm, const std::string& key, long expires, bool with_subject = true) {
  jwt_t* token = nullptr;
  jwt_new(&token);
  if (with_subject) jwt_add_grant(token, "sub", "admin");
  jwt_add_grant_int(token, "exp", expires);
  jwt_set_alg(token, algorithm, reinterpret_cast<const unsigned char*>(key.data()), static_cast<int>(key.size()));
  char* text = jwt_encode_str(token);
  std::string result = text;
  std::free(text);
  jwt_free(token);
  return result;
}

TEST_CASE("A token is good until it expires") {
  Tokens tokens(kSecret, 3600);
  const std::string token = tokens.issue("admin", kNow);
  Claims claims;
  CHECK(tokens.verify(token, kNow, claims));
  CHECK(claims.subject == "admin");
  CHECK(claims.expires == kNow + 3600);
  CHECK(tokens.verify(token, kNow + 3599, claims));
  CHECK_FALSE(tokens.verify(token, kNow + 3600, claims));
}

TEST_CASE("What was not signed by us, with our algorithm, is refused") {
  Tokens tokens(kSecret, 3600);
  Claims claims;
  CHECK(tokens.verify(forge(JWT_ALG_HS256, kSecret, kNow + 9), kNow, claims));

  CHECK_FALSE(tokens.verify(forge(JWT_ALG_HS256, "another secret that is long enough", kNow + 9), kNow, claims));
  CHECK_FALSE(tokens.verify(forge(JWT_ALG_HS384, kSecret, kNow + 9), kNow, claims));
  CHECK_FALSE(tokens.verify(forge(JWT_ALG_HS512, kSecret, kNow + 9), kNow, claims));
  CHECK_FALSE(tokens.verify(forge(JWT_ALG_NONE, "", kNow + 9), kNow, claims));
  CHECK_FALSE(tokens.verify(forge(JWT_ALG_HS256, kSecret, kNow + 9, false), kNow, claims));
  CHECK_FALSE(tokens.verify(forge(JWT_ALG_HS256, kSecret, 0), kNow, claims));

  std::string token = tokens.issue("admin", kNow);
  for (std::size_t i = 0; i < token.size(); i += 7) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    // The last character of a segment has bits that do not count; none of these is one.
    CAPTURE(i);
    CHECK_FALSE(tokens.verify(changed, kNow, claims));
  }
  for (const char* text : {"", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30."})
    CHECK_FALSE(tokens.verify(text, kNow, claims));
  CHECK_FALSE(tokens.verify(token + std::string(2000, 'x'), kNow, claims));
}

TEST_CASE("The cache remembers good tokens and their expiry, and nothing else") {
  Tokens tokens(kSecret, 60);
  TokenCache cache(tokens);
  const std::string token = tokens.issue("admin", kNow);
  CHECK(cache.verify(token, kNow));
  CHECK(cache.verify(token, kNow + 59));
  CHECK_FALSE(cache.verify(token, kNow + 60));
  CHECK_FALSE(cache.verify(token.substr(0, token.size() - 1), kNow));
  CHECK_FALSE(cache.verify("", kNow));
  // More tokens than places: they push each other out, and all stay good.
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3000; i += 7) CHECK(cache.verify(tokens.issue("user" + std::to_string(i), kNow), kNow));
  }
}

TEST_CASE("Failed logins of a user from an address are limited, others are not") {
  LoginLimit limit(3, 60s);
  Time now{1h};
  for (int i = 0; i < 3; ++i) CHECK(limit.attempt("eve", "10.0.0.1", now) == 0s);
  now += 10s;
  CHECK(limit.attempt("eve", "10.0.0.1", now) == 50s);
  CHECK(limit.attempt("bob", "10.0.0.1", now) == 0s);
  CHECK(limit.attempt("eve", "10.0.0.2", now) == 0s);
  now += 50s;
  CHECK(limit.attempt("eve", "10.0.0.1", now) == 0s);
}

TEST_CASE("A success is no failure") {
  LoginLimit limit(3, 60s);
  Time now{1h};
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(limit.attempt("bob", "10.0.0.1", now) == 0s);
    limit.forgive("bob", "10.0.0.1");
  }
  CHECK(limit.tracked() == 0);
}

TEST_CASE("An address that tries many users is limited as a whole") {
  LoginLimit limit(3, 60s);
  Time now{1h};
  for (int i = 0; i < 30; ++i) CHECK(limit.attempt("user" + std::to_string(i), "10.0.0.1", now) == 0s);
  CHECK(limit.attempt("user99", "10.0.0.1", now) == 60s);
  CHECK(limit.attempt("user99", "10.0.0.2", now) == 0s);
}

TEST_CASE("The books stay small whatever comes") {
  LoginLimit limit(3, 60s);
  Time now{1h};
  for (int i = 0; i < 100'000; ++i) limit.attempt("u", std::to_string(i), now);
  CHECK(limit.tracked() <= 20'000);
}

TEST_CASE("Zero switches the limit off") {
  LoginLimit limit(0, 60s);
  for (int i = 0; i < 1000; ++i) REQUIRE(limit.attempt("eve", "10.0.0.1", Time{}) == 0s);
}

}  // namespace
}  // namespace api::auth
