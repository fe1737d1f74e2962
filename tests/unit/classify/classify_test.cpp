#include "proxy/classify/classify.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

namespace {

using namespace spillway;
using classify::Classifier;
using classify::kDefaultClassIndex;

/// A parsed request, as far as a classifier uses it.
http::RequestHead request(std::string_view path, std::string_view method = "GET",
                          std::vector<http::Field> fields = {}) {
  http::RequestHead head;
  head.method = method;
  head.target = head.path = path;
  head.fields = std::move(fields);
  return head;
}

/// A rule of a configuration; a part that is left out matches anything.
struct Match {
  std::optional<std::string> path = {}, path_prefix = {}, method = {}, header = {}, value = {};
};

ClassConfig a_class(std::string name, double shed_at, const std::vector<Match>& rules) {
  ClassConfig c;
  c.name = std::move(name);
  c.shed_at = shed_at;
  for (const Match& rule : rules) {
    MatchRule& match = c.match.emplace_back();
    match.path = rule.path;
    match.path_prefix = rule.path_prefix;
    match.method = rule.method;
    match.header = rule.header;
    match.value = rule.value;
  }
  return c;
}

/// The documented example, and behind it a class for each kind of rule.
std::vector<ClassConfig> sample() {
  return {
      a_class("critical", 1.0, {{.path = "/health"}, {.path_prefix = "/api/v1/auth/"}}),
      a_class("background", 0.6, {{.header = "X-Priority", .value = "background"}}),
      a_class("reports", 0.8, {{.path_prefix = "/reports", .method = "GET", .header = "X-Batch"}}),
      a_class("writes", 0.8, {{.method = "POST"}, {.method = "PUT"}}),
      a_class("late", 0.8, {{.path = "/health"}, {.path = "/late"}}),
  };
}

TEST_CASE("a request belongs to the first class with a rule whose parts all hold") {
  const Classifier classifier(sample());
  const std::vector<std::string> names = classify::class_names(sample());
  struct Row {
    std::string_view why;
    http::RequestHead head;
    std::string_view expected;
  };
  const Row rows[] = {
      {"no rule holds", request("/api/v1/search"), "normal"},
      {"exact path", request("/health"), "critical"},
      {"the first class wins, not the last", request("/health", "GET"), "critical"},
      {"a later rule of a class is as good as its first", request("/late"), "late"},
      {"a class wins over a later one whatever rule of it holds", request("/health", "POST"), "critical"},
      {"path is no prefix", request("/health/live"), "normal"},
      {"path is compared whole", request("/healt"), "normal"},
      {"paths know upper and lower case", request("/Health"), "normal"},
      {"a trailing slash is another path", request("/health/"), "normal"},
      {"prefix", request("/api/v1/auth/login"), "critical"},
      {"the prefix itself", request("/api/v1/auth/"), "critical"},
      {"less than the prefix", request("/api/v1/auth"), "normal"},
      {"the prefix further in", request("/x/api/v1/auth/"), "normal"},
      {"header with its value", request("/x", "GET", {{"X-Priority", "background"}}), "background"},
      {"field names know no case", request("/x", "GET", {{"x-pRIORITY", "background"}}), "background"},
      {"values do", request("/x", "GET", {{"X-Priority", "Background"}}), "normal"},
      {"another value", request("/x", "GET", {{"X-Priority", "background "}}), "normal"},
      {"part of the name", request("/x", "GET", {{"X-Priorit", "background"}}), "normal"},
      {"one of several fields", request("/x", "GET", {{"X-Priority", "high"}, {"x-priority", "background"}}),
       "background"},
      {"value in another field", request("/x", "GET", {{"X-Other", "background"}, {"X-Priority", "high"}}), "normal"},
      {"prefix, method and presence of a header", request("/reports/1", "GET", {{"X-Batch", ""}}), "reports"},
      {"whatever its value", request("/reports", "GET", {{"x-batch", "17"}}), "reports"},
      {"... without the header", request("/reports/1"), "normal"},
      {"... another method", request("/reports/1", "HEAD", {{"X-Batch", ""}}), "normal"},
      {"... another path", request("/report", "GET", {{"X-Batch", ""}}), "normal"},
      {"method alone", request("/x", "POST"), "writes"},
      {"its other rule", request("/x", "PUT"), "writes"},
      {"methods know upper and lower case", request("/x", "post"), "normal"},
      {"part of a method", request("/x", "POSTS"), "normal"},
      {"an earlier class wins by header over a later one by method",
       request("/x", "POST", {{"X-Priority", "background"}}), "background"},
      {"the server as a whole", request("*", "OPTIONS"), "normal"},
  };
  for (const Row& row : rows) {
    INFO(row.why);
    CHECK(names[static_cast<std::size_t>(classifier.classify(row.head).class_index)] == row.expected);
  }
}

TEST_CASE("without classes everything is normal; the default class has index 0 and the others follow in order") {
  CHECK(Classifier({}).classify(request("/health")).class_index == kDefaultClassIndex);
  CHECK(classify::class_names({}) == std::vector<std::string>{"normal"});
  CHECK(classify::class_names(sample()) ==
        std::vector<std::string>{"normal", "critical", "background", "reports", "writes", "late"});
}

TEST_CASE("an additional or missing slash at the end does not reach a better class") {
  const Classifier classifier({a_class("better", 1.0, {{.path = "/a"}, {.path = "/b/"}, {.path_prefix = "/c/"}}),
                               a_class("worse", 0.5, {{.path = "/d"}, {.path = "/e/"}, {.path_prefix = "/f/"}})});
  for (const std::string_view path : {"/a/", "/b", "/c", "/d//x", "/dx", "/f"}) {
    CAPTURE(path);
    CHECK(classifier.classify(request(path)).class_index == (path == "/f" ? 2 : kDefaultClassIndex));
  }
  for (const std::string_view path : {"/d", "/d/", "/e", "/e/", "/f/", "/f/x"}) {
    CAPTURE(path);
    CHECK(classifier.classify(request(path)).class_index == 2);
  }
}

TEST_CASE("a class without rules matches nothing") {
  const Classifier classifier({a_class("empty", 0.8, {}), a_class("all", 0.8, {{.path_prefix = "/"}})});
  CHECK(classifier.classify(request("/")).class_index == 2);
}

TEST_CASE("an empty value in a rule matches only an empty header value") {
  const Classifier classifier({a_class("blank", 0.8, {{.header = "X-Tag", .value = ""}})});
  CHECK(classifier.classify(request("/", "GET", {{"X-Tag", ""}})).class_index == 1);
  CHECK(classifier.classify(request("/", "GET", {{"X-Tag", "x"}})).class_index == kDefaultClassIndex);
}

TEST_CASE("no spelling of a path reaches a better class") {
  const Classifier classifier(sample());
  for (const std::string_view path : {
           // Dot segments, plain and escaped, once and more than once.
           "/api/v1/auth/../search",
           "/api/v1/auth/..//search",
           "/api/v1/auth/./../search",
           "/api/v1/auth/x/../../search",
           "/api/v1/auth/..",
           "/api/v1/auth/%2e%2e/search",
           "/api/v1/auth/.%2E/search",
           "/api/v1/auth/%2E%2e/search",
           "/api/v1/auth/%252e%252e/search",
           "/api/v1/auth/%25252e%25252e/search",
           "/api/v1/auth/%%32%65%%32%65/search",
           "/api/v1/auth/%2e%252e/search",
           // With parameters, and slashes that are none to everybody.
           "/api/v1/auth/..;/search",
           "/api/v1/auth/..;a=b/search",
           "/api/v1/auth/.;/..;/search",
           "/api/v1/auth/..%3b/search",
           "/api/v1/auth/..%3Ba=b/search",
           "/api/v1/auth/..%253b/search",
           "/api/v1/auth/%2e%2e;/search",
           "/api/v1/auth/;/../search",
           "/api/v1/auth/;%2f../search",
           "/api/v1/auth/..%2fsearch",
           "/api/v1/auth/..%2Fsearch",
           "/api/v1/auth/..%252fsearch",
           "/api/v1/auth/%2e%2e%2fsearch",
           "/api/v1/auth%2f..%2fsearch",
           "/api/v1/auth/..%5csearch",
           "/api/v1/auth/..%5Csearch",
           "/api/v1/auth/..%255csearch",
           "/api/v1/auth/%5c../search",
           "/api/v1/auth//../search",
           "/api/v1/auth//..//search",
           "/api/v1//auth/../search",
           // Dots and spaces that Windows drops, and what C reads to the first NUL.
           "/api/v1/auth/...",
           "/api/v1/auth/..%20/search",
           "/api/v1/auth/.../search",
           "/api/v1/auth/..%2e/search",
           "/api/v1/auth/%00/../search",
           "/api/v1/auth/..%00/search",
           "/api/v1/auth/%00",
           "/api/v1/auth/.%09./search",
           "/api/v1/auth/..%0d%0a/search",
           "/api/v1/auth/..%3f/search",
           "/api/v1/auth/..%23/search",
           // Overlong UTF-8, %u, and look-alikes.
           "/api/v1/auth/%c0%ae%c0%ae/search",
           "/api/v1/auth/..%c0%afsearch",
           "/api/v1/auth/..%c1%9csearch",
           "/api/v1/auth/%e0%80%ae%e0%80%ae/search",
           "/api/v1/auth/%f0%80%80%ae./search",
           "/api/v1/auth/%u002e%u002e/search",
           "/api/v1/auth/..%u2215search",
           "/api/v1/auth/%ef%bc%8e%ef%bc%8e/search",
           "/api/v1/auth/..%ef%bc%8fsearch",
           "/api/v1/auth/%e2%80%a5/search",
           // The way into the class, where not all servers would go it.
           "/api/v1/auth%2Flogin",
           "/api/v1/auth%2flogin",
           "/api/v1/auth%252flogin",
           "/api/v1%2Fauth/login",
           "/api/v1/auth;/login",
           "/api/v1/auth%5clogin",
           "/api/v1/auth./login",
           "//api/v1/auth/login",
           "/api//v1/auth/login",
           "/api/./v1/auth/login",
           "/api/v1/x/../auth/login",
           "/../api/v1/auth/login",
           "/api/v1/%61uth/login",
           "/%61%70%69/v1/auth/",
           "/health/../api",
           "/health/..",
           "/health%2F..",
           "/health%00",
           "/health;x",
           "/health%3fx",
           "/health.",
           "/health%20",
           "/%68ealth",
           "/%2568ealth",
           "//health",
           "/./health",
           "/x/../health",
       }) {
    CAPTURE(path);
    CHECK(classifier.classify(request(path)).class_index == kDefaultClassIndex);
  }
}

TEST_CASE("a path that every server reads alike keeps its class, whatever else is in it") {
  const Classifier classifier(sample());
  for (const std::string_view path : {
           "/api/v1/auth/login",
           "/api/v1/auth//login",
           "/api/v1/auth/.",
           "/api/v1/auth/./login",
           "/api/v1/auth/x/../login",
           "/api/v1/auth/.well-known/x",
           "/api/v1/auth/a..b/c.txt",
           "/api/v1/auth/login;jsessionid=1",
           "/api/v1/auth/a%20b",
           "/api/v1/auth/caf%C3%A9",
           "/api/v1/auth/%E4%BD%A0%E5%A5%BD",
           "/api/v1/auth/caf%e9",
           "/api/v1/auth/group%2Fproject",
           "/api/v1/auth/what%3F",
           "/api/v1/auth/100%25",
           "/health",
       }) {
    CAPTURE(path);
    CHECK(classifier.classify(request(path)).class_index == 1);
  }
}

TEST_CASE("no spelling of a path leaves a worse class") {
  const Classifier classifier(
      {a_class("worse", 0.5, {{.path_prefix = "/reports/"}, {.path = "/export", .method = "GET"}}),
       a_class("never", 0.0, {{.header = "X-Never"}})});
  for (const std::string_view path : {
           "/reports/1",
           "/%72eports/1",
           "//reports/1",
           "/./reports/1",
           "/x/../reports/1",
           "/x/..;/reports/1",
           "/x/..%2freports/1",
           "/x/%252e%252e/reports/1",
           "/reports%2f1",
           "/reports%252f1",
           "/reports;a=b/1",
           "/reports./1",
           "/reports%20/1",
           "/;/reports/1",
           "/;%3f/reports/1",
           "/%5creports/1",
           "/export",
           "/export/",
           "/export;x",
           "/export.",
           "/export%3fx",
           "/export%00",
           "/x/%c0%ae%c0%ae/export",
           "/%2565xport",
       }) {
    CAPTURE(path);
    CHECK(classifier.classify(request(path)).class_index == 1);
  }
  // The parts of a rule that are not about the path hold or do not: they have one reading.
  CHECK(classifier.classify(request("/x/..;/y", "GET")).class_index == 1);
  for (const std::string_view path :
       {"/caf%C3%A9", "/assets//x.png", "/assets/./x.png", "/a/../b", "/~user", "/%7Euser/"}) {
    CAPTURE(path);
    CHECK(classifier.classify(request(path)).class_index == kDefaultClassIndex);
  }
}

TEST_CASE("the path of a rule may have escapes, too") {
  const Classifier classifier({a_class("file", 1.0, {{.path = "/a%2fb"}, {.path_prefix = "/%74ree%2f"}})});
  for (const std::string_view path : {"/a%2fb", "/a%2Fb", "/tree%2Fx", "/tree%2fx"}) {
    CAPTURE(path);
    CHECK(classifier.classify(request(path)).class_index == 1);
  }
  for (const std::string_view path : {"/a/b", "/%61%2Fb", "/tree/x"}) {
    CAPTURE(path);
    CHECK(classifier.classify(request(path)).class_index == kDefaultClassIndex);
  }
}

TEST_CASE("an ambiguous path gets the class that is refused earliest, then the one with the smaller reserve") {
  std::vector<ClassConfig> classes = {a_class("critical", 0.8, {{.path = "/a"}}),
                                      a_class("other", 0.8, {{.path = "/b"}})};
  CHECK(Classifier(classes, 0.8).classify(request("/%61")).class_index ==
        kDefaultClassIndex);  // maintenance refuses it
  CHECK(Classifier(classes, 0.9).classify(request("/%61")).class_index == 1);
  classes[1].reserve = 5;
  CHECK(Classifier(classes, 0.9).classify(request("/..;/x")).class_index == 1);
  classes[0].reserve = 9;
  CHECK(Classifier(classes, 0.9).classify(request("/..;/x")).class_index == 2);
}

}  // namespace
