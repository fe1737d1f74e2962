// Rules by host, query, cookie, expression, certificate, and negated ones.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/classify/classify.hpp"

namespace {

using namespace spillway;
using classify::Classifier;

/// What a request is, as far as these rules look at it.
struct Ask {
  std::string_view target = "/";
  std::string_view host = "test";
  std::vector<http::Field> fields = {};
  std::string_view certificate = {};
};

http::RequestHead head_of(const Ask& ask) {
  http::RequestHead head;
  head.method = "GET";
  head.target = ask.target;
  head.path = ask.target.substr(0, ask.target.find('?'));
  if (head.path.size() < ask.target.size()) head.query = ask.target.substr(head.path.size() + 1);
  head.authority = ask.host;
  head.fields = ask.fields;
  return head;
}

template <class Fill>
ClassConfig class_of(std::string name, double shed_at, Fill fill) {
  ClassConfig c;
  c.name = std::move(name);
  c.shed_at = shed_at;
  fill(c.match.emplace_back());
  return c;
}

/// In which class requests are: `better` if the rule holds, `normal` if it does not. What only some servers take for a
/// match is normal, too.
template <class Fill>
Classifier better_if(Fill fill) {
  return Classifier({class_of("better", 1.0, fill)}, 0.8);
}
/// The same with `worse`: what some servers take for a match is worse.
template <class Fill>
Classifier worse_if(Fill fill) {
  return Classifier({class_of("worse", 0.5, fill)}, 0.8);
}

enum class Holds { yes, no, maybe };

/// Checks both classifiers: a doubtful request is never in the class that is refused later.
template <class Fill>
void check(Fill fill, const Ask& ask, Holds expected) {
  const std::string target(ask.target);
  CAPTURE(target);
  CAPTURE(ask.host);
  CAPTURE(ask.certificate);
  for (const http::Field& field : ask.fields) CAPTURE(field.value);
  CHECK((better_if(fill).classify(head_of(ask), ask.certificate).class_index == 1) == (expected == Holds::yes));
  CHECK((worse_if(fill).classify(head_of(ask), ask.certificate).class_index == 1) == (expected != Holds::no));
}

TEST_CASE("a host is compared without case, port and last dot") {
  const auto exact = [](MatchRule& rule) { rule.host = "API.Example.org"; };
  for (const std::string_view host :
       {"api.example.org", "api.example.org:80", "Api.EXAMPLE.org:8080", "api.example.org.", "api.example.org.:80"}) {
    check(exact, {.host = host}, Holds::yes);
  }
  for (const std::string_view host : {"example.org", "xapi.example.org", "x.api.example.org", "api.example.org.evil",
                                      "api.example.com", "", "api.example.orgx"}) {
    check(exact, {.host = host}, Holds::no);
  }
  check(exact, {.host = "%61pi.example.org"}, Holds::maybe);

  const auto below = [](MatchRule& rule) { rule.host = "*.example.org"; };
  for (const std::string_view host : {"a.example.org", "a.b.Example.org:1", "a.example.org."}) {
    check(below, {.host = host}, Holds::yes);
  }
  for (const std::string_view host : {"example.org", ".example.org", "aexample.org", "a.example.org.uk", ""}) {
    check(below, {.host = host}, Holds::no);
  }

  const auto v6 = [](MatchRule& rule) { rule.host = "[2001:db8::1]"; };
  for (const std::string_view host : {"[2001:db8::1]", "[2001:DB8:0:0::1]:8080", "[2001:db8::0.0.0.1]"}) {
    check(v6, {.host = host}, Holds::yes);
  }
  check(v6, {.host = "[2001:db8::2]"}, Holds::no);
}

TEST_CASE("a parameter of the query is compared decoded; what only some servers see is doubtful") {
  const auto present = [](MatchRule& rule) { rule.query = "full text"; };
  for (const std::string_view target :
       {"/?full%20text", "/?full+text=", "/?a=b&%66ull+text=1&c", "/?full+text&full+text=2"}) {
    check(present, {.target = target}, Holds::yes);
  }
  for (const std::string_view target :
       {"/", "/?", "/?full", "/?x=full+text", "/?fulltext", "/full+text", "/?xfull+text"}) {
    check(present, {.target = target}, Holds::no);
  }
  for (const std::string_view target : {"/?a;full+text", "/?FULL+text", "/?full%2520text", "/?full+text[]=1",
                                        "/?full_text", "/?full.text=1", "/?full+text%00x=1", "/?+full+text"}) {
    check(present, {.target = target}, Holds::maybe);
  }

  const auto equal = [](MatchRule& rule) {
    rule.query = "export";
    rule.value = "a b";
  };
  for (const std::string_view target : {"/?export=a+b", "/?export=%61%20b", "/?x&export=a+b&export=a%20b"}) {
    check(equal, {.target = target}, Holds::yes);
  }
  for (const std::string_view target : {"/?export", "/?export=", "/?export=a", "/?export=A+b", "/?other=a+b"}) {
    check(equal, {.target = target}, Holds::no);
  }
  for (const std::string_view target :
       {"/?export=1&export=a+b", "/?export=a+b&export=1", "/?export=a%2520b", "/?x;export=a+b", "/?%2565xport=a+b",
        "/?export=a+b&EXPORT=1", "/?export=a+b&x;export=1"}) {
    check(equal, {.target = target}, Holds::maybe);
  }
}

TEST_CASE("a cookie has the name and the value; several of one name with different values are doubtful") {
  const auto present = [](MatchRule& rule) { rule.cookie = "session"; };
  check(present, {.fields = {{"cookie", "session=1"}}}, Holds::yes);
  check(present, {.fields = {{"Cookie", "a=b"}, {"COOKIE", "c; session="}}}, Holds::yes);
  check(present, {.fields = {{"Cookie", "xsession=1; sessions=2; a=session"}}}, Holds::no);
  check(present, {.fields = {{"Set-Cookie", "session=1"}}}, Holds::no);
  check(present, {.fields = {{"Cookie", "a=b, session=1"}}}, Holds::maybe);
  check(present, {.fields = {{"Cookie", "%73ession=1"}}}, Holds::maybe);

  const auto equal = [](MatchRule& rule) {
    rule.cookie = "tier";
    rule.value = "gold";
  };
  check(equal, {.fields = {{"Cookie", "a=b; tier=gold; c=d"}}}, Holds::yes);
  check(equal, {.fields = {{"Cookie", "tier=gold; tier=gold"}}}, Holds::yes);
  check(equal, {.fields = {{"Cookie", "tier=silver"}}}, Holds::no);
  check(equal, {.fields = {{"Cookie", "tier=\"gold\""}}}, Holds::maybe);
  check(equal, {.fields = {{"Cookie", "tier=gold"}, {"Cookie", "tier=silver"}}}, Holds::maybe);
  check(equal, {.fields = {{"Cookie", "tier=silver; tier=gold"}}}, Holds::maybe);
}

TEST_CASE("a header field that is repeated with another value is doubtful") {
  const auto equal = [](MatchRule& rule) {
    rule.header = "X-Tier";
    rule.value = "gold";
  };
  check(equal, {.fields = {{"x-tier", "gold"}, {"X-Tier", "gold"}}}, Holds::yes);
  check(equal, {.fields = {{"X-Tier", "gold"}, {"X-Tier", "free"}}}, Holds::maybe);
  check(equal, {.fields = {{"X-Tier", "free"}, {"X-Tier", "gold"}}}, Holds::maybe);
}

TEST_CASE("an expression matches whole paths, as every server reads them") {
  const auto items = [](MatchRule& rule) { rule.path_regex = "/api/v[12]/items/[0-9]+"; };
  check(items, {.target = "/api/v1/items/17"}, Holds::yes);
  check(items, {.target = "/api/v2/items/1?x=/y"}, Holds::yes);
  for (const std::string_view target : {"/api/v3/items/17", "/x/api/v1/items/17", "/api/v1/items/17/parts",
                                        "/api/v1/items/", "/api/v1/items/17x", "/?/api/v1/items/17", "*"}) {
    check(items, {.target = target}, Holds::no);
  }
  for (const std::string_view target :
       {"/api/v1/items/17/", "/api/v1/items/%31%37", "/api//v1/items/17", "/api/v1/./items/17", "/x/../api/v1/items/17",
        "/api/v1/items;x/17", "/api/v1%2fitems/17", "/api/v1/items/17%2f..%2f..", "/api/v1/items/17;x",
        "/api/v1/items/17.", "/api/v1/items/17%00", "/%2561pi/v1/items/17", "/api/v1/items/%c0%ae"}) {
    check(items, {.target = target}, Holds::maybe);
  }
  const auto escaped = [](MatchRule& rule) { rule.path_regex = "/files/.*"; };
  check(escaped, {.target = "/files/caf%C3%A9"}, Holds::yes);
  check(escaped, {.target = "/files/a%2Fb%FF"}, Holds::yes);
  check(escaped, {.target = "/files/a/../../secret"}, Holds::maybe);
  check(escaped, {.target = "/other/caf%C3%A9"}, Holds::no);
}

TEST_CASE("no expression takes more than linear time") {
  const auto evil = [](MatchRule& rule) { rule.path_regex = "/(a+)+(a|aa)+(.*a){20}"; };
  const Classifier classifier = better_if(evil);
  std::string path = "/";
  path.append(8000, 'a').append("!");
  const auto began = std::chrono::steady_clock::now();
  CHECK(classifier.classify(head_of({.target = path})).class_index == 0);
  // A backtracking engine would take longer than the universe has existed.
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
}

TEST_CASE("a certificate has all attributes that the rule names; without TLS there is none") {
  const auto batch = [](MatchRule& rule) { rule.client_certificate = "O=Example\\, Inc., CN=batch"; };
  check(batch, {.certificate = "CN=batch,O=Example\\, Inc.,C=DE"}, Holds::yes);
  check(batch, {.certificate = "O=Example\\, Inc.,CN=batch"}, Holds::yes);
  for (const std::string_view subject : {"", "CN=batch", "CN=batch,O=Example\\, Inc", "CN=batch2,O=Example\\, Inc.",
                                         "CN=x\\,CN=batch,O=Example\\, Inc.", "cn=batch,O=Example\\, Inc."}) {
    check(batch, {.certificate = subject}, Holds::no);
  }
}

TEST_CASE("a negated rule holds if not all of its keys do, and doubt stays doubt") {
  const auto outside = [](MatchRule& rule) {
    rule.path_prefix = "/api/";
    rule.except.path_prefix = "/api/internal/";
    rule.except.method = "GET";
  };
  check(outside, {.target = "/api/x"}, Holds::yes);
  check(outside, {.target = "/api/internal/x"}, Holds::no);
  check(outside, {.target = "/other"}, Holds::no);
  check(outside, {.target = "/api/%69nternal/x"}, Holds::maybe);
  check(outside, {.target = "/api/x/../internal/x"}, Holds::maybe);

  const auto nameless = [](MatchRule& rule) { rule.except.cookie = "session"; };
  check(nameless, {}, Holds::yes);
  check(nameless, {.fields = {{"Cookie", "session=1"}}}, Holds::no);

  const auto not_gold = [](MatchRule& rule) {
    rule.except.header = "X-Tier";
    rule.except.value = "gold";
  };
  check(not_gold, {}, Holds::yes);
  check(not_gold, {.fields = {{"X-Tier", "gold"}}}, Holds::no);
  check(not_gold, {.fields = {{"X-Tier", "gold"}, {"X-Tier", "free"}}}, Holds::maybe);

  const auto unverified = [](MatchRule& rule) { rule.except.client_certificate = "O=Example"; };
  check(unverified, {}, Holds::yes);
  check(unverified, {.certificate = "CN=a,O=Example"}, Holds::no);
}

TEST_CASE("all keys of a rule must hold, and one rule of a class is enough") {
  const Classifier classifier({[] {
                                ClassConfig c = class_of("better", 1.0, [](MatchRule& rule) {
                                  rule.host = "a.example";
                                  rule.query = "q";
                                  rule.path_regex = "/[a-z]+";
                                });
                                c.match.emplace_back().host = "b.example";
                                return c;
                              }()},
                              0.8);
  const auto class_of_request = [&](const Ask& ask) { return classifier.classify(head_of(ask)).class_index; };
  CHECK(class_of_request({.target = "/x?q", .host = "a.example"}) == 1);
  CHECK(class_of_request({.target = "/x?r", .host = "a.example"}) == 0);
  CHECK(class_of_request({.target = "/1?q", .host = "a.example"}) == 0);
  CHECK(class_of_request({.target = "/x?q", .host = "c.example"}) == 0);
  CHECK(class_of_request({.target = "/1", .host = "b.example"}) == 1);
}

}  // namespace
