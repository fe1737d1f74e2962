#include <cstdlib>

#include <doctest/doctest.h>
#include <jwt.h>

#include "api/auth/check_lines.hpp"
#include "api/auth/login_limit.hpp"
#include "api/auth/passwords.hpp"
#include "api/auth/tokens.hpp"
#include "api/auth/users.hpp"

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

TEST_CASE("A token is valid until it expires") {
  Tokens tokens({{"", kSecret}}, 3600);
  const std::string token = tokens.issue({"admin", 7, 0, 3}, kNow);
  Claims claims;
  CHECK(tokens.verify(token, kNow, claims));
  CHECK(claims.subject == "admin");
  CHECK(claims.user_id == 7);
  CHECK(claims.generation == 3);
  CHECK(claims.expires == kNow + 3600);
  CHECK(tokens.verify(token, kNow + 3599, claims));
  CHECK_FALSE(tokens.verify(token, kNow + 3600, claims));
}

TEST_CASE("A token with another key or algorithm is refused") {
  Tokens tokens({{"", kSecret}}, 3600);
  Claims claims;
  CHECK(tokens.verify(forge(JWT_ALG_HS256, kSecret, kNow + 9), kNow, claims));

  CHECK_FALSE(tokens.verify(forge(JWT_ALG_HS256, "another secret that is long enough", kNow + 9), kNow, claims));
  CHECK_FALSE(tokens.verify(forge(JWT_ALG_HS384, kSecret, kNow + 9), kNow, claims));
  CHECK_FALSE(tokens.verify(forge(JWT_ALG_HS512, kSecret, kNow + 9), kNow, claims));
  CHECK_FALSE(tokens.verify(forge(JWT_ALG_NONE, "", kNow + 9), kNow, claims));
  CHECK_FALSE(tokens.verify(forge(JWT_ALG_HS256, kSecret, kNow + 9, false), kNow, claims));
  CHECK_FALSE(tokens.verify(forge(JWT_ALG_HS256, kSecret, 0), kNow, claims));

  std::string token = tokens.issue({"admin", 7, 0, 3}, kNow);
  for (std::size_t i = 0; i < token.size(); i += 7) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    // The last character of a segment has unused bits. These changes do not touch them.
    CAPTURE(i);
    CHECK_FALSE(tokens.verify(changed, kNow, claims));
  }
  for (const char* text : {"", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30."})
    CHECK_FALSE(tokens.verify(text, kNow, claims));
  CHECK_FALSE(tokens.verify(token + std::string(2000, 'x'), kNow, claims));
}

/// A token that is signed correctly, with any header and claims. Each is a JSON value, or empty for none.
std::string with(const char* header, const char* value, const char* claims) {
  jwt_t* token = nullptr;
  jwt_new(&token);
  jwt_add_grant(token, "sub", "admin");
  jwt_add_grant_int(token, "exp", kNow + 9);
  if (*claims) REQUIRE(jwt_add_grants_json(token, claims) == 0);
  if (*header) REQUIRE(jwt_add_headers_json(token, (std::string("{\"") + header + "\":" + value + "}").c_str()) == 0);
  jwt_set_alg(token, JWT_ALG_HS256, reinterpret_cast<const unsigned char*>(kSecret.data()),
              static_cast<int>(kSecret.size()));
  char* text = jwt_encode_str(token);
  std::string result = text;
  std::free(text);
  jwt_free(token);
  return result;
}

TEST_CASE("A token is refused before its time, and with critical extensions") {
  Tokens tokens({{"", kSecret}}, 3600);
  Claims claims;
  const auto good = [&](const char* more, UnixTime now = kNow) {
    return tokens.verify(with("", "", more), now, claims);
  };
  CHECK(good(""));
  CHECK(good(R"({"nbf":1700000000})"));
  CHECK_FALSE(good(R"({"nbf":1700000001})"));
  CHECK(good(R"({"nbf":1700000001})", kNow + 1));
  for (const char* name : {"exp", "nbf", "uid", "gen"}) {
    for (const char* odd : {"1.5", "1800000000.0", "1e9", "\"1\"", "\"\"", "null", "true", "false", "{}", "{\"a\":1}",
                            "[]", "[1]", "1e300"}) {
      const std::string claim = std::string("{\"") + name + "\":" + odd + "}";
      CAPTURE(claim);
      CHECK_FALSE(good(claim.c_str()));
    }
  }
  CHECK(good(R"({"nbf":-1})"));
  CHECK_FALSE(good(R"({"nbf":9223372036854775807})"));
  for (const char* crit : {R"(["b64"])", R"(["exp"])", "[]", "null", "\"b64\""}) {
    CAPTURE(crit);
    CHECK_FALSE(tokens.verify(with("crit", crit, ""), kNow, claims));
  }
  // A secret without a name is alone: whatever name a token has, it can only be of this one.
  CHECK(tokens.verify(with("kid", "\"x\"", ""), kNow, claims));
}

TEST_CASE("A user is looked up every few seconds, by one request while the others go on") {
  UserCache users;
  const Claims admin{"admin", 7, kNow + 60};
  Time now{1h};
  CHECK(users.standing(admin, now) == Standing::unknown);
  CHECK(users.standing(admin, now) == Standing::unknown);  // nothing is known: everybody has to ask
  users.note("admin", 7, 0, now);
  for (int i = 0; i < 4; ++i, now += 999ms) CHECK(users.standing(admin, now) == Standing::active);
  now += 4ms;
  CHECK(users.standing(admin, now) == Standing::unknown);  // old: one asks
  CHECK(users.standing(admin, now) == Standing::active);
  CHECK(users.standing(admin, now + 999ms) == Standing::active);
  CHECK(users.standing(admin, now + 1s) == Standing::unknown);  // he has not come back with an answer
  users.note("admin", 0, 0, now + 1s);
  CHECK(users.standing(admin, now + 2s) == Standing::gone);
  CHECK(users.standing({"eve", 8, kNow + 60}, now + 2s) == Standing::unknown);
}

TEST_CASE("A token ends with its user, even if another user gets the name") {
  UserCache users;
  const Time now{1h};
  users.note("admin", 7, 0, now);
  CHECK(users.standing({"admin", 6, kNow + 60}, now) == Standing::gone);
  CHECK(users.standing({"admin", 7, kNow + 60}, now) == Standing::active);
  CHECK(users.standing({"admin", 0, kNow + 60}, now) == Standing::active);  // of a version that did not say
}

TEST_CASE("A token ends when its user's generation has gone on") {
  UserCache users;
  const Time now{1h};
  users.note("admin", 7, 2, now);
  CHECK(users.standing({"admin", 7, kNow + 60, 1}, now) == Standing::gone);
  CHECK(users.standing({"admin", 7, kNow + 60, 2}, now) == Standing::active);
  CHECK(users.standing({"admin", 7, kNow + 60, 3}, now) == Standing::gone);
  CHECK(users.standing({"admin", 7, kNow + 60, 0}, now) == Standing::gone);  // of a version without generations
}

/// The head of a token as text.
std::string kid_of(const std::string& token) {
  jwt_t* read = nullptr;
  REQUIRE(jwt_decode(&read, token.c_str(), reinterpret_cast<const unsigned char*>(kSecret.data()),
                     static_cast<int>(kSecret.size())) == 0);
  const char* kid = jwt_get_header(read, "kid");
  const std::string result = kid ? kid : "";
  jwt_free(read);
  return result;
}

TEST_CASE("The first secret signs and names itself, all verify, and a token stands for the secret that it names") {
  const std::string other = "another secret that is long enough!";
  const Claims admin{"admin", 7, 0, 0};
  Claims claims;
  Tokens alone({{"", kSecret}}, 60), first({{"k1", kSecret}}, 60);
  const std::string nameless = alone.issue(admin, kNow), named = first.issue(admin, kNow);
  CHECK(kid_of(nameless).empty());
  CHECK(kid_of(named) == "k1");

  Tokens both({{"k2", other}, {"k1", kSecret}}, 60);
  CHECK(both.verify(nameless, kNow, claims));
  CHECK(both.verify(named, kNow, claims));
  CHECK(both.verify(both.issue(admin, kNow), kNow, claims));
  CHECK_FALSE(first.verify(both.issue(admin, kNow), kNow, claims));  // signed by k2
  CHECK(alone.verify(named, kNow, claims));                          // back to a single secret
  // The right key under another name, also one that there is.
  for (const char* kid : {R"("k2")", R"("x")", R"("K1")", R"("")"}) {
    CAPTURE(kid);
    CHECK_FALSE(both.verify(with("kid", kid, ""), kNow, claims));
  }
  CHECK(both.verify(with("kid", R"("k1")", ""), kNow, claims));
  CHECK_FALSE(Tokens({{"k3", kSecret}}, 60).verify(named, kNow, claims));
  CHECK(Tokens({{"k3", kSecret}}, 60).verify(nameless, kNow, claims));
}

TEST_CASE("A secret that is removed ends its tokens, also those that were remembered") {
  const std::string other = "another secret that is long enough!";
  Tokens tokens({{"k1", kSecret}}, 60);
  TokenCache cache(tokens);
  const std::string old = tokens.issue({"admin", 7, 0, 0}, kNow);
  CHECK(cache.verify(old, kNow));
  CHECK_FALSE(tokens.replace({{"k1", kSecret}}));
  CHECK(tokens.replace({{"k2", other}, {"k1", kSecret}}));
  CHECK(cache.verify(old, kNow));
  const std::string fresh = tokens.issue({"admin", 7, 0, 0}, kNow);
  CHECK(cache.verify(fresh, kNow));
  CHECK(tokens.replace({{"k2", other}}));
  CHECK_FALSE(cache.verify(old, kNow));
  CHECK(cache.verify(fresh, kNow));
}

TEST_CASE("A new secret is long enough, and never the same") {
  CHECK(make_secret().size() == 44);
  CHECK(make_secret() != make_secret());
}

TEST_CASE("The cache remembers valid tokens with their expiry only") {
  Tokens tokens({{"", kSecret}}, 60);
  TokenCache cache(tokens);
  const std::string token = tokens.issue({"admin", 7, 0, 3}, kNow);
  CHECK(cache.verify(token, kNow));
  CHECK(cache.verify(token, kNow + 59));
  CHECK_FALSE(cache.verify(token, kNow + 60));
  CHECK_FALSE(cache.verify(token.substr(0, token.size() - 1), kNow));
  CHECK_FALSE(cache.verify("", kNow));
  // More tokens than the cache holds: they replace each other, and all stay valid.
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3000; i += 7)
      REQUIRE(cache.verify(tokens.issue({"user" + std::to_string(i), i, 0, 0}, kNow), kNow));
  }
}

TEST_CASE("Failed logins are limited per user and address") {
  LoginLimit limit(3, 60s);
  const Login eve{"eve", "10.0.0.1"};
  Time now{1h};
  for (int i = 0; i < 3; ++i) {
    CHECK(limit.refused_for(eve, now) == 0s);
    limit.failed(eve, now);
  }
  now += 10s;
  CHECK(limit.refused_for(eve, now) == 50s);
  CHECK(limit.refused_for({"bob", "10.0.0.1"}, now) == 0s);
  CHECK(limit.refused_for({"eve", "10.0.0.2"}, now) == 0s);
  now += 50s;
  CHECK(limit.refused_for(eve, now) == 0s);
}

TEST_CASE("Logins that run or succeed do not count as failures") {
  LoginLimit limit(3, 60s);
  const Login bob{"bob", "10.0.0.1"};
  Time now{1h};
  for (int i = 0; i < 1000; ++i) REQUIRE(limit.refused_for(bob, now) == 0s);
  for (int i = 0; i < 1000; ++i) limit.succeeded(bob, now);
  CHECK(limit.refused_for(bob, now) == 0s);
  CHECK(limit.tracked() == 0);
}

TEST_CASE("An address that tries many users is limited, except for users who have logged in from it") {
  LoginLimit limit(3, 60s);
  Time now{1h};
  limit.succeeded({"bob", "10.0.0.1"}, now);
  for (int i = 0; i < 30; ++i) {
    const Login login{"user" + std::to_string(i), "10.0.0.1"};
    CHECK(limit.refused_for(login, now) == 0s);
    limit.failed(login, now);
  }
  CHECK(limit.refused_for({"user99", "10.0.0.1"}, now) == 60s);
  CHECK(limit.refused_for({"user99", "10.0.0.2"}, now) == 0s);
  CHECK(limit.refused_for({"bob", "10.0.0.1"}, now) == 0s);
  for (int i = 0; i < 3; ++i) limit.failed({"bob", "10.0.0.1"}, now);
  CHECK(limit.refused_for({"bob", "10.0.0.1"}, now) == 60s);
}

TEST_CASE("A user who has logged in is familiar, and so are others of the network while it has few failures") {
  LoginLimit limit(3, 60s);
  Time now{1h};
  const Login bob{"bob", "10.0.0.1"}, neighbour{"eve", "10.0.0.1"};
  CHECK_FALSE(limit.familiar(bob, now));
  limit.succeeded(bob, now);
  CHECK(limit.familiar(bob, now));
  CHECK(limit.familiar(neighbour, now));
  CHECK_FALSE(limit.familiar({"bob", "10.0.0.2"}, now));
  for (int i = 0; i < 3; ++i) limit.failed({"x" + std::to_string(i), "10.0.0.1"}, now);
  CHECK_FALSE(limit.familiar(neighbour, now));
  CHECK(limit.familiar(bob, now));
  // A flood of wrong passwords does not evict familiar users.
  for (int i = 0; i < 100'000; ++i) limit.failed({"u", std::to_string(i)}, now);
  CHECK(limit.familiar(bob, now + 24h * 7));
  CHECK_FALSE(limit.familiar(bob, now + 24h * 30));
}

TEST_CASE("The memory of recent texts is bounded and always holds the younger generation") {
  Recent recent(100, 60s);
  Time now{1h};
  for (int i = 0; i < 1000; ++i) recent.add(std::to_string(i), now);
  CHECK(recent.size() <= 200);
  for (int i = 900; i < 1000; ++i) CHECK(recent.contains(std::to_string(i), now));
  CHECK(recent.contains("999", now + 59s));
  CHECK_FALSE(recent.contains("999", now + 120s));
  CHECK(recent.size() == 0);
}

TEST_CASE("Every second check is a familiar one, and each queue has its own length") {
  CheckLines lines(3);
  std::string made;
  const auto join = [&](Line line, char name) { return lines.join(line, [&made, name] { made += name; }); };
  for (const char name : {'a', 'b', 'c'}) CHECK(join(Line::strangers, name));
  CHECK(lines.full(Line::strangers));
  CHECK_FALSE(join(Line::strangers, 'd'));
  CHECK_FALSE(lines.full(Line::familiar));
  for (const char name : {'X', 'Y'}) CHECK(join(Line::familiar, name));
  for (int i = 0; i < 5; ++i) lines.next()();
  CHECK(made == "XaYbc");
  CHECK_FALSE(join(Line::strangers, 'd'));  // a check that is being made keeps its place
  lines.done(Line::strangers);
  CHECK(join(Line::strangers, 'd'));
}

TEST_CASE("The memory of the login limit stays bounded") {
  LoginLimit limit(3, 60s);
  Time now{1h};
  for (int i = 0; i < 100'000; ++i) limit.failed({"u", std::to_string(i)}, now);
  CHECK(limit.tracked() <= 20'000);
}

TEST_CASE(
    "A flood of failures from many addresses unblocks neither an address that goes on guessing nor one that failed "
    "lately") {
  LoginLimit limit(3, 60s);
  Time now{1h};
  const Login guesser{"eve", "10.0.0.1"}, other{"bob", "10.0.0.2"}, forgotten{"eve", "10.0.0.3"};
  for (const Login& login : {guesser, forgotten}) {
    for (int i = 0; i < 3; ++i) limit.failed(login, now);
  }
  for (int i = 0; i < 50'000; ++i) {
    limit.failed({"u", std::to_string(i)}, now);
    if (i == 45'000) {
      for (int n = 0; n < 3; ++n) limit.failed(other, now);
    }
    REQUIRE(limit.refused_for(guesser, now) == 60s);
  }
  CHECK(limit.refused_for(other, now) == 60s);
  CHECK(limit.refused_for(forgotten, now) == 0s);
  CHECK(limit.tracked() == 20'000);
  now += 60s;
  CHECK(limit.refused_for(guesser, now) == 0s);
}

TEST_CASE("A limit of zero is no limit") {
  LoginLimit limit(0, 60s);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(limit.refused_for({"eve", "10.0.0.1"}, Time{}) == 0s);
    limit.failed({"eve", "10.0.0.1"}, Time{});
  }
}

}  // namespace
}  // namespace api::auth
