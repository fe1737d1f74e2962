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
using classify::normalised;

/// A parsed request as far as a classifier looks at it.
http::RequestHead request(std::string_view path, std::string_view method = "GET",
                          std::vector<http::Field> fields = {}) {
  http::RequestHead head;
  head.method = method;
  head.target = head.path = path;
  head.fields = std::move(fields);
  return head;
}

/// A rule of a configuration: what is left out is not asked for.
struct Match {
  std::optional<std::string> path = {}, path_prefix = {}, method = {}, header = {}, value = {};
};

ClassConfig a_class(std::string name, const std::vector<Match>& rules) {
  ClassConfig c;
  c.name = std::move(name);
  for (const Match& rule : rules) {
    c.match.push_back({rule.path, rule.path_prefix, rule.method, rule.header, rule.value});
  }
  return c;
}

/// The contract's example, and a class for each kind of rule behind it.
std::vector<ClassConfig> sample() {
  return {
      a_class("critical", {{.path = "/health"}, {.path_prefix = "/api/v1/auth/"}}),
      a_class("background", {{.header = "X-Priority", .value = "background"}}),
      a_class("reports", {{.path_prefix = "/reports", .method = "GET", .header = "X-Batch"}}),
      a_class("writes", {{.method = "POST"}, {.method = "PUT"}}),
      a_class("late", {{.path = "/health"}, {.path = "/late"}}),
  };
}

TEST_CASE("a request belongs to the first class with a rule that holds, in all its parts") {
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
    CHECK(names[static_cast<std::size_t>(classifier.classify(row.head))] == row.expected);
  }
}

TEST_CASE("without classes everything is normal; the default class has index 0 and the others follow in order") {
  CHECK(Classifier({}).classify(request("/health")) == kDefaultClassIndex);
  CHECK(classify::class_names({}) == std::vector<std::string>{"normal"});
  CHECK(classify::class_names(sample()) ==
        std::vector<std::string>{"normal", "critical", "background", "reports", "writes", "late"});
}

TEST_CASE("a class without rules matches nothing") {
  const Classifier classifier({a_class("empty", {}), a_class("all", {{.path_prefix = "/"}})});
  CHECK(classifier.classify(request("/")) == 2);
}

TEST_CASE("an empty value to match is a value, not the header's mere presence") {
  const Classifier classifier({a_class("blank", {{.header = "X-Tag", .value = ""}})});
  CHECK(classifier.classify(request("/", "GET", {{"X-Tag", ""}})) == 1);
  CHECK(classifier.classify(request("/", "GET", {{"X-Tag", "x"}})) == kDefaultClassIndex);
}

TEST_CASE("paths are read as a server resolves them") {
  struct Row {
    std::string_view path;
    std::string_view expected;
  };
  const Row rows[] = {
      {"/", "/"},
      {"/a/b", "/a/b"},
      {"/a/", "/a/"},
      // Dot segments (RFC 3986, section 5.2.4).
      {"/.", "/"},
      {"/./", "/"},
      {"/..", "/"},
      {"/../", "/"},
      {"/../../a", "/a"},
      {"/a/.", "/a/"},
      {"/a/./b", "/a/b"},
      {"/a/..", "/"},
      {"/a/../", "/"},
      {"/a/../b", "/b"},
      {"/a/b/..", "/a/"},
      {"/a/b/../..", "/"},
      {"/a/b/c/./../../g", "/a/g"},
      {"/a/../../../b", "/b"},
      // What only looks like one.
      {"/...", "/..."},
      {"/.a", "/.a"},
      {"/a.", "/a."},
      {"/..a/b..", "/..a/b.."},
      {"/.well-known/x", "/.well-known/x"},
      // Percent-escapes of unreserved characters (section 6.2.2.2).
      {"/%61%75th", "/auth"},
      {"/%41%5A%7A%30%39%2D%2E%5F%7E", "/AZz09-._~"},
      {"/%2e%2E/a", "/a"},
      {"/a/%2e%2e/b", "/b"},
      {"/a/.%2e/b", "/b"},
      {"/a/%2e/b", "/a/b"},
      {"/%61", "/a"},
      // Everything else stays data, and an escape is decoded once.
      {"/a%2Fb", "/a%2Fb"},
      {"/a/..%2Fb", "/a/..%2Fb"},
      {"/a%2F..%2Fb", "/a%2F..%2Fb"},
      {"/%2561", "/%2561"},
      {"/%252e%252e/a", "/%252e%252e/a"},
      {"/a%3Fb%23c%20d", "/a%3Fb%23c%20d"},
      {"/%C3%A4", "/%C3%A4"},
      {"/%00", "/%00"},
      // Upper and lower case within an escape mean the same (section 6.2.2.1).
      {"/a%2fb", "/a%2Fb"},
      {"/%c3%a4", "/%C3%A4"},
      // Empty segments.
      {"//", "/"},
      {"///", "/"},
      {"//a//b//", "/a/b/"},
      {"/a//", "/a/"},
      {"/a//b", "/a/b"},
      {"/a//../b", "/b"},
      {"//../a", "/a"},
      // Escapes that are none.
      {"/%", "/%"},
      {"/%6", "/%6"},
      {"/%6g/%zz", "/%6g/%zz"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    CHECK(normalised(row.path) == row.expected);
    CHECK(normalised(normalised(row.path)) == row.expected);  // normal already
  }
}

TEST_CASE("nobody reaches a better class by spelling, and no spelling of a path leaves its class") {
  const Classifier classifier(sample());
  for (const std::string_view path : {
           "/api/v1/auth/../search",
           "/api/v1/auth/..//search",
           "/api/v1/auth/./../search",
           "/api/v1/auth/%2e%2e/search",
           "/api/v1/auth/.%2E/search",
           "/api/v1/auth/x/../../search",
           "/api/v1//auth/../search",
           "/api/v1/auth%2Flogin",
           "/api/v1/auth%2flogin",
           "/api/v1%2Fauth/login",
           "/api/v1/auth/..",
           "/health/../api",
           "/health%2F..",
           "/health/..",
           "/health%00",
           "/%2568ealth",
       }) {
    CAPTURE(path);
    CHECK(classifier.classify(request(path)) == kDefaultClassIndex);
  }
  for (const std::string_view path : {
           "/api/v1/auth/login",
           "/api/v1/auth//login",
           "//api/v1/auth/login",
           "/api/./v1/auth/login",
           "/api/v1/x/../auth/login",
           "/api/v1/%61uth/login",
           "/%61%70%69/v1/auth/",
           "/../api/v1/auth/login",
           "/api/v1/auth/.",
           "/health",
           "/%68ealth",
           "//health",
           "/./health",
           "/x/../health",
       }) {
    CAPTURE(path);
    CHECK(classifier.classify(request(path)) == 1);
  }
}

TEST_CASE("a rule's own path may be spelt with escapes, too") {
  const Classifier classifier({a_class("file", {{.path = "/a%2fb"}, {.path_prefix = "/%74ree%2f"}})});
  for (const std::string_view path : {"/a%2fb", "/a%2Fb", "/%61%2Fb", "/tree%2Fx", "/tree%2fx"}) {
    CAPTURE(path);
    CHECK(classifier.classify(request(path)) == 1);
  }
  CHECK(classifier.classify(request("/a/b")) == kDefaultClassIndex);
}

}  // namespace
