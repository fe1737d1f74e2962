// For any path and any server: no request is admitted in a better class than the one it is served as.
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/classify/classify.hpp"

namespace {

using namespace spillway;

// Each function is one step that some server applies to a path.

int hex(char c) {
  return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

std::string decode(const std::string& path) {
  std::string result;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool escape = path[i] == '%' && i + 2 < path.size() && hex(path[i + 1]) >= 0 && hex(path[i + 2]) >= 0;
    result += escape ? static_cast<char>(hex(path[i + 1]) * 16 + hex(path[i + 2])) : path[i];
    if (escape) i += 2;
  }
  return result;
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string decode_overlong(const std::string& path) {
  return replace_all(replace_all(path, "\xC0\xAE", "."), "\xC0\xAF", "/");
}

std::string decode_dots(const std::string& path) {
  return replace_all(replace_all(path, "%2e", "."), "%2E", ".");
}

std::string backslashes(const std::string& path) {
  return replace_all(path, "\\", "/");
}

std::string merge(std::string path) {
  while (path.find("//") != std::string::npos) path = replace_all(path, "//", "/");
  return path;
}

std::string strip_parameters(const std::string& path) {
  std::string result;
  bool inside = false;
  for (const char c : path) {
    inside = c == '/' ? false : inside || c == ';';
    if (!inside) result += c;
  }
  return result;
}

std::string until_nul(const std::string& path) {
  return path.substr(0, path.find('\0'));
}

std::string until_query(const std::string& path) {
  return path.substr(0, path.find_first_of("?#"));
}

std::string trim_segments(const std::string& path) {
  std::string result;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    std::string segment = path.substr(begin, end - begin);
    if (segment != "." && segment != "..") segment.resize(segment.find_last_not_of(". ") + 1);
    result += segment;
    if (end < path.size()) result += '/';
    begin = end + 1;
  }
  return result;
}

/// RFC 3986, 5.2.4: an empty segment is a segment like any other.
std::string resolve(const std::string& path) {
  std::string result;
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string segment = path.substr(begin, end - begin);
    const bool last = end == path.size();
    if (segment == "..") result.resize(result.empty() ? 0 : result.rfind('/'));
    if (segment == "." || segment == "..") {
      if (last) result += '/';
    } else {
      result += '/' + segment;
    }
    begin = end + 1;
  }
  return result.empty() ? "/" : result;
}

std::string without_last_slash(const std::string& path) {
  return path.size() > 1 && path.back() == '/' ? path.substr(0, path.size() - 1) : path;
}

using Step = std::function<std::string(const std::string&)>;
const std::vector<std::vector<Step>> kServers = {
    {},                                                                 // Express, Gin: as written
    {resolve},                                                          // RFC 3986
    {decode_dots, resolve},                                             // WHATWG's URL
    {decode, merge, resolve},                                           // nginx
    {merge, resolve, decode},                                           // Apache
    {decode, resolve, decode, resolve},                                 // Apache 2.4.49
    {strip_parameters, decode, backslashes, merge, resolve},            // Tomcat, Jetty
    {decode, strip_parameters, merge, resolve},                         // Undertow, WebLogic
    {resolve, strip_parameters, decode, merge, resolve},                // a resolving proxy before Tomcat
    {strip_parameters, decode, decode, merge, resolve},                 // a rewriting filter before the servlet
    {decode, decode, backslashes, trim_segments, merge, resolve},       // IIS with double escaping
    {decode, decode_overlong, backslashes, merge, resolve},             // IIS of old
    {decode, until_nul, merge, resolve},                                // PHP of old
    {decode, until_query, resolve, without_last_slash},                 // a framework that parses the URL again
    {merge, decode, without_last_slash},                                // Rails, Django
    {decode, trim_segments, backslashes, resolve, without_last_slash},  // file servers on Windows
};

const std::vector<std::string_view> kPieces = {
    "/",           "/",          "/",           "/",        "//",      "health",       "api/v1/auth/",
    "api/v1/auth", "api",        "v1",          "auth",     "reports", "reports/",     "x",
    "..",          ".",          "...",         ";",        ";a=b",    "..;",          "%2e",
    "%2E%2e",      "%252e%252e", "%252f",       "%2f",      "%2F",     "%5c",          "%255c",
    "%3b",         "%253b",      "%3f",         "%23",      "%00",     "%c0%ae%c0%ae", "%c0%af",
    "%20",         "%61uth",     "%2572eports", "h%65alth", "%25",     "%2",
};

std::vector<ClassConfig> make_classes() {
  const auto rule = [](const char* path, const char* prefix) {
    MatchRule match;
    if (*path) match.path = path;
    if (*prefix) match.path_prefix = prefix;
    return match;
  };
  std::vector<ClassConfig> result(4);
  result[0] = {{"first", 0.9}, {rule("/x", ""), rule("", "/api/v1/x")}};
  result[1] = {{"critical", 1.0}, {rule("/health", ""), rule("", "/api/v1/auth/")}};
  result[2] = {{"background", 0.5}, {rule("", "/reports/"), rule("/auth", "")}};
  result[3] = {{"never", 0.0}, {rule("", "/v1/"), rule("/reports", "")}};
  return result;
}

/// Made once: under a sanitizer it would be most of the test's time.
const std::vector<ClassConfig>& classes() {
  static const std::vector<ClassConfig> made = make_classes();
  return made;
}

double shed_at(int class_index) {
  return class_index == 0 ? 0.8 : classes()[static_cast<std::size_t>(class_index - 1)].shed_at;
}

/// The naive way to find a class.
int plain_class_of(const std::string& path) {
  int index = 0;
  for (const ClassConfig& c : classes()) {
    ++index;
    for (const MatchRule& rule : c.match) {
      if (rule.path ? path == *rule.path : path.starts_with(*rule.path_prefix)) return index;
    }
  }
  return 0;
}

/// The same rules as expressions.
std::vector<ClassConfig> as_expressions() {
  std::vector<ClassConfig> result = classes();
  for (ClassConfig& c : result) {
    for (MatchRule& rule : c.match) {
      rule.path_regex = rule.path ? *rule.path : *rule.path_prefix + ".*";
      rule.path.reset();
      rule.path_prefix.reset();
    }
  }
  return result;
}

void check_all_servers(const classify::Classifier& classifier);

TEST_CASE("no server serves a request as a worse class than it was admitted in") {
  check_all_servers(classify::Classifier(classes(), 0.8));
}

TEST_CASE("nor where the rules are expressions") {
  check_all_servers(classify::Classifier(as_expressions(), 0.8));
}

void check_all_servers(const classify::Classifier& classifier) {
  std::mt19937 random(20240607);
  int better = 0, worse = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string path = "/";
    for (std::size_t pieces = 1 + random() % 8; pieces > 0; --pieces) path += kPieces[random() % kPieces.size()];
    http::RequestHead head;
    head.method = "GET";
    head.target = head.path = path;
    const int admitted = classifier.classify(head).class_index;
    better += shed_at(admitted) > 0.8;
    worse += shed_at(admitted) < 0.8;
    for (std::size_t server = 0; server < kServers.size(); ++server) {
      std::string served = path;
      for (const Step& step : kServers[server]) served = step(served);
      if (shed_at(plain_class_of(served)) >= shed_at(admitted)) continue;
      // A server that removes the last slash also serves a prefix that ends in a slash.
      if (shed_at(plain_class_of(served + '/')) >= shed_at(admitted)) continue;
      CAPTURE(path);
      CAPTURE(served);
      CAPTURE(server);
      FAIL("admitted as " << admitted << ", served as " << plain_class_of(served));
    }
    if (classify::is_plain(path) && !path.ends_with('/') && plain_class_of(path + '/') == plain_class_of(path)) {
      CAPTURE(path);
      REQUIRE(admitted == plain_class_of(path));
    }
  }
  CHECK(better > 1000);
  CHECK(worse > 1000);
}

}  // namespace
