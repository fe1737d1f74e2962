// The place of a client among the cohorts, and who the client is.
#include "proxy/classify/cohorts.hpp"

#include <array>
#include <string>

#include <doctest/doctest.h>

#include "proxy/classify/bearer.hpp"
#include "tests/unit/classify/sample.hpp"

namespace {

using namespace spillway;
using namespace std::chrono_literals;
using classify::bearer_identity;
using classify::Cohorts;
using classify::Sample;
using Source = ClientKey::Source;
using SystemTime = std::chrono::system_clock::time_point;

Cohorts cohorts_of(Source source, std::string name = {}, std::string seed = "s") {
  return Cohorts({.key = {source, std::move(name)}, .rotate = 10min, .seed = std::move(seed)}, 64);
}

double place(const Cohorts& cohorts, const std::string& fields, SystemTime now = SystemTime{},
             std::string_view peer = "192.0.2.1") {
  const Sample sample(fields);
  return cohorts.place(sample.head, peer, now);
}

TEST_CASE("instances with the same seed give a client the same place, others another one") {
  const std::string user = "X-User: a\r\n";
  const Cohorts one = cohorts_of(Source::header, "X-User"), same = cohorts_of(Source::header, "x-user");
  CHECK(place(one, user) == place(same, user));
  CHECK(place(one, user) != place(cohorts_of(Source::header, "X-User", "t"), user));
  CHECK(place(one, user) != place(one, "X-User: b\r\n"));
}

TEST_CASE("places are spread evenly") {
  const Cohorts cohorts = cohorts_of(Source::header, "X-User");
  std::array<int, 10> tenths{};
  for (int i = 0; i < 10'000; ++i) {
    const double at = place(cohorts, "X-User: user-" + std::to_string(i) + "\r\n");
    REQUIRE(at >= 0);
    REQUIRE(at < 1);
    ++tenths[static_cast<std::size_t>(at * 10)];
  }
  for (const int count : tenths) CHECK(count == doctest::Approx(1000).epsilon(0.15));
}

TEST_CASE("over a rotation every client is served for the same time, in one piece") {
  const Cohorts cohorts = cohorts_of(Source::header, "X-User");
  for (int user = 0; user < 20; ++user) {
    int served = 0, changes = 0;
    bool before = place(cohorts, "X-User: " + std::to_string(user) + "\r\n") < 0.3;
    for (int second = 1; second <= 600; ++second) {
      const bool now =
          place(cohorts, "X-User: " + std::to_string(user) + "\r\n", SystemTime(std::chrono::seconds(second))) < 0.3;
      served += now;
      changes += now != before;
      before = now;
    }
    CHECK(served == doctest::Approx(180).epsilon(0.01));
    CHECK(changes <= 2);
  }
}

TEST_CASE("a client without a name is told by its address") {
  for (const Cohorts& cohorts :
       {cohorts_of(Source::header, "X-User"), cohorts_of(Source::cookie, "id"), cohorts_of(Source::bearer)}) {
    CHECK(place(cohorts, "", {}, "192.0.2.1") != place(cohorts, "", {}, "192.0.2.2"));
    CHECK(place(cohorts, "", {}, "2001:db8::1") == place(cohorts, "", {}, "2001:db8::2"));
  }
}

TEST_CASE("a cookie is found among others, and told from those that only begin like it") {
  const Cohorts cohorts = cohorts_of(Source::cookie, "id");
  const double wanted = place(cohorts, "Cookie: id=7\r\n");
  CHECK(place(cohorts, "Cookie: a=b; id=7; c=d\r\n") == wanted);
  CHECK(place(cohorts, "Cookie: id2=8;id=7\r\n") == wanted);
  CHECK(place(cohorts, "Cookie: a=b\r\nCookie: id=7\r\n") == wanted);
  CHECK(place(cohorts, "Cookie: ID=7\r\n") != wanted);
  CHECK(place(cohorts, "Cookie: xid=7\r\n") != wanted);
}

TEST_CASE("the identity of a bearer token is its subject, else the token") {
  struct Row {
    const char* authorization;
    const char* identity;
  };
  // The claims: {"sub":"1234567890","name":"John Doe","iat":1516239022}
  const Row rows[] = {
      {"Bearer e30.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.x", "1234567890"},
      {"bearer  e30.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.y", "1234567890"},
      {"Bearer e30.eyJhIjp7InN1YiI6IngifSwic3ViIjoieSJ9.z", "y"},  // {"a":{"sub":"x"},"sub":"y"}
      {"Bearer e30.eyJhIjoic3ViIiwic3ViIjoieSJ9.z", "y"},          // {"a":"sub","sub":"y"}
      {"Bearer e30.eyJzdWIiOiJhXCJiIn0.z", "a\\\"b"},              // {"sub":"a\"b"}
      {"Bearer e30.eyJzdWIiOjd9.z", "e30.eyJzdWIiOjd9.z"},         // {"sub":7}
      {"Bearer e30.eyJzdWIiOls.z", "e30.eyJzdWIiOls.z"},           // {"sub":[
      {"Bearer e30.eyJzdWIiOiJ.z", "e30.eyJzdWIiOiJ.z"},           // {"sub":" cut
      {"Bearer e30.e!30.z", "e30.e!30.z"},
      {"Bearer opaque", "opaque"},
      {"Bearer a.b", "a.b"},
      {"Bearer ", ""},
      {"Bearer", ""},
      {"Basic dTpw", ""},
      {"", ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.authorization);
    CHECK(bearer_identity(row.authorization) == row.identity);
  }
}

TEST_CASE("the identity of a token with claims too long to decode is the token") {
  const std::string token = "e30." + std::string(4096, 'A') + ".x";
  CHECK(bearer_identity("Bearer " + token) == token);
}

}  // namespace
