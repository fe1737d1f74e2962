#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "config/restart.hpp"
#include "config/write.hpp"
#include "proxy/config/fields.hpp"
#include "tests/unit/config/generated.hpp"
#include "tests/unit/config/proxy_document.hpp"

namespace {

using namespace spillway;
using namespace proxy_document;

TEST_CASE("the body of a refusal is read with the configuration, and must be a template of known names") {
  const std::string path = std::filesystem::temp_directory_path() / ("spillway_body_" + std::to_string(::getpid()));
  const auto with = [&](const std::string& text) {
    std::ofstream(path) << text;
    return load("refusals: {default: {format: file, file: " + path + "}}");
  };
  const auto good = with("{{reason}} after {{retry_after}}, {{request_id}}: {{detail}}");
  CHECK(good.ok());
  CHECK(good.config.refusals.of(admission::Reason::pool).file.text.starts_with("{{reason}} after"));
  const auto unknown = with("{{resaon}}");
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.errors.front().message.ends_with(
      "; only {{reason}}, {{retry_after}}, {{request_id}} and {{detail}} can stand in it"));
  CHECK_FALSE(with("open {{reason").ok());
  CHECK(with(std::string(kMaxBodyFile, 'x')).ok());
  CHECK_FALSE(with(std::string(kMaxBodyFile + 1, 'x')).ok());
  std::filesystem::remove(path);
  CHECK(errors_of("refusals: {default: {format: file}}") ==
        "refusals.default.format: format: file needs file, the path of the body");
  CHECK(errors_of("refusals: {capacity: {file: " + generated::path_of("proxy.yaml") + "}}") ==
        "refusals.capacity.file: file has an effect only with format: file");
}

TEST_CASE("a further field of a refusal is none that the proxy sets itself") {
  for (const char* own : {"Content-Length: 1", "transfer-encoding: x", "RETRY-AFTER: 3", "Set-Cookie", ": x", "a b: c",
                          "Access-Control-Allow-Origin: x", "X: a\x7f", "X: \xc3\xa4"}) {
    HeaderLine line;
    CAPTURE(own);
    CHECK_FALSE(parse(own, line));
  }
  HeaderLine line;
  CHECK(parse("X-Shed:  yes ", line));
  CHECK(to_text(line) == "X-Shed: yes");
}

TEST_CASE("a rule is printed without what it does not ask for, and reads back") {
  constexpr std::string_view kRules =
      "classes:\n"
      "  - name: a\n"
      "    shed_at: 0.8\n"
      "    reserve: 0\n"
      "    max_concurrent: 0\n"
      "    pool_aware: true\n"
      "    deadline: 0s\n"
      "    match:\n"
      "      - path_regex: \"/a/[0-9]+\"\n"
      "        host: \"*.example.org\"\n"
      "        query: full\n"
      "        not:\n"
      "          cookie: staff\n"
      "          value: yes!\n"
      "      - client_certificate: \"CN=a,O=b\"\n"
      "      - not:\n"
      "          method: GET\n";
  const auto loaded = load(kRules);
  REQUIRE(loaded.ok());
  const std::string printed = config::to_yaml(loaded.config, kProxyDefinition);
  const std::size_t begin = printed.find("classes:"), end = printed.find("breaker:");
  std::string expected(kRules);
  expected.replace(expected.find("yes!"), 4, "\"yes!\"");
  CHECK(printed.substr(begin, end - begin) == expected);
}

TEST_CASE("retry_after is a time, a range of two or auto; max_connections a number or auto") {
  for (const std::string_view text : {"auto", "5s", "4s..8s", "1s..1h"}) {
    admission::RetryAfterPolicy value;
    CHECK(parse(text, value));
    CHECK(to_text(value) == text);
  }
  admission::RetryAfterPolicy same;
  CHECK(parse("5s..5s", same));
  CHECK(to_text(same) == "5s");
  for (const std::string_view text :
       {"", "..", "4s..", "..8s", "4s..8s..9s", "0..5s", "8s..4s", "4s...8s", "1s..2h", "auto..5s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse(text, same));
  }
  for (const std::string_view text : {"auto", "100"}) {
    const auto loaded = load("upstream: {max_connections: " + std::string(text) + "}");
    CHECK(loaded.ok());
    CHECK(config::to_yaml(loaded.config, kProxyDefinition).find("max_connections: " + std::string(text) + "\n") !=
          std::string::npos);
  }
}

TEST_CASE("a slip in retry_after or in a number that may be auto is told with what to write instead") {
  const auto hint = [](const std::string& yaml) {
    const std::string errors = errors_of(yaml);
    const std::size_t at = errors.rfind("; ");
    return at == std::string::npos ? "none: " + errors : errors.substr(at + 2);
  };
  for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{{"5 s", "write 5s"},
                                                                                       {"5sec", "write 5s"},
                                                                                       {"Auto", "write auto"},
                                                                                       {"4s...8s", "write 4s..8s"},
                                                                                       {"4 s .. 8 s", "write 4s..8s"},
                                                                                       {"4s-8s", "write 4s..8s"},
                                                                                       {"4s to 8s", "write 4s..8s"},
                                                                                       {"1min", "write 1m"}}) {
    CAPTURE(text);
    CHECK(hint("admission: {retry_after: \"" + text + "\"}") == expected);
  }
  CHECK(hint("admission: {retry_after: 8s..4s}").starts_with("none"));
  CHECK(hint("upstream: {max_connections: AUTO}") == "write auto");
  CHECK(hint("upstream: {max_connections: 1_000}") == "write 1000");
  CHECK(hint("upstream: {max_connections: 80%}") == "it is a number, not a share");
  CHECK(hint("admission: {queue: {max_length: 1k}}") == "write 1000");
  const auto doubtful = load("admission: {retry_after: 1500}");
  REQUIRE(doubtful.ok());
  REQUIRE(doubtful.warnings.size() == 1);
  CHECK(doubtful.warnings[0].message == "1500 is 25 minutes; write 1500ms or 1500s");
  CHECK(load("admission: {retry_after: 1500s}").warnings.empty());
}

TEST_CASE("heads of requests and responses have separate limits") {
  const LimitsConfig defaults;
  CHECK_FALSE(defaults.request_head.underscores);
  CHECK_FALSE(defaults.request_head.any_method);
  const auto loaded = load(
      "limits: {head: 4KiB, uri: 1KiB, headers: 17, response_head: 8KiB, response_headers: 33, allow_underscores: "
      "true, "
      "methods: any}");
  REQUIRE(loaded.ok());
  const LimitsConfig& limits = loaded.config.limits;
  CHECK(limits.request_head.head == 4096);
  CHECK(limits.request_head.uri == 1024);
  CHECK(limits.request_head.headers == 17);
  CHECK(limits.request_head.underscores);
  CHECK(limits.request_head.any_method);
  CHECK(limits.response_head.head == 8192);
  CHECK(limits.response_head.headers == 33);
}

TEST_CASE("the defaults are valid and read back as they are printed") {
  ProxyConfig defaults;
  const auto loaded = load(config::to_yaml(defaults, kProxyDefinition));
  CHECK(loaded.ok());
  defaults.classes = {critical_health(defaults.upstream.health)};
  const std::string printed = config::to_yaml(defaults, kProxyDefinition);
  CHECK(config::to_yaml(loaded.config, kProxyDefinition) == printed);
  CHECK(config::to_yaml(load(printed).config, kProxyDefinition) == printed);
}

TEST_CASE("without classes of its own a configuration has critical, for GET of the health path") {
  struct Row {
    std::string yaml;
    std::string path;
  };
  for (const Row& row : {Row{"workers: 2", "/health"}, Row{"classes: []", "/health"}, Row{"classes:", "/health"},
                         Row{"upstream: {health: {path: /ping}}", "/ping"},
                         Row{"classes: []\nupstream: {health: {path: /ping, interval: 0}}", "/ping"}}) {
    CAPTURE(row.yaml);
    const auto loaded = load(row.yaml);
    REQUIRE(loaded.ok());
    REQUIRE(loaded.config.classes.size() == 1);
    const ClassConfig& critical = loaded.config.classes[0];
    CHECK(critical.name == "critical");
    CHECK(critical.shed_at == 1.0);
    CHECK(critical.reserve == 0);
    REQUIRE(critical.match.size() == 1);
    CHECK(critical.match[0].path == row.path);
    CHECK(critical.match[0].method == "GET");
    CHECK(!critical.match[0].path_prefix);
    CHECK(!critical.match[0].header);
  }
  const auto own = load("classes: [{name: a, match: [{path: /a}]}]");
  REQUIRE(own.config.classes.size() == 1);
  CHECK(own.config.classes[0].name == "a");
}

TEST_CASE("log.fields is `default` or a list of names, and a slip is recognised") {
  CHECK(all_of(load("{}").config.log.fields) == kAllLogFields);
  CHECK(all_of(load("log: {fields: default}").config.log.fields) == kAllLogFields);
  const auto some = load("log: {fields: [status, path]}");
  CHECK(all_of(some.config.log.fields) == (bit(LogField::path) | bit(LogField::status)));
  CHECK(config::to_yaml(some.config, kProxyDefinition).find("fields: [status, path]") != std::string::npos);
  CHECK(config::to_yaml(load("{}").config, kProxyDefinition).find("fields: default") != std::string::npos);
  CHECK(errors_of("log: {fields: [status, user_agnet]}").ends_with("not 'user_agnet'; did you mean user_agent?"));
}

TEST_CASE("an entry of listen is an address or a map, is printed in the shorter form, and reads back") {
  struct Row {
    std::string_view yaml;
    std::string_view printed;
  };
  for (const Row& row : {
           Row{"listen: a:1", "listen: a:1\n"},
           Row{"listen: {address: a:1}", "listen: a:1\n"},
           Row{"listen: [a:1, {address: b:2}]", "listen: [a:1, b:2]\n"},
           Row{"listen: {address: unix:/x, mode: 0660}", "listen:\n  - address: unix:/x\n    mode: \"0660\"\n"},
           Row{"listen: {address: a:1, proxy_protocol: true}\ntrusted_proxies: [10.0.0.0/8]",
               "listen:\n  - address: a:1\n    proxy_protocol: true\n"},
           Row{"listen: {address: a:1, proxy_protocol: false}", "listen: a:1\n"},
           Row{"listen: {address: a:1, http2: true}", "listen:\n  - address: a:1\n    http2: true\n"},
           Row{"listen: {address: a:1, http2: false}", "listen: a:1\n"},
           Row{"listen: [a:1, {address: unix:/x, group: g}]",
               "listen:\n  - address: a:1\n  - address: unix:/x\n    group: g\n"},
       }) {
    CAPTURE(row.yaml);
    const auto loaded = load(row.yaml);
    REQUIRE(loaded.ok());
    const std::string printed = config::to_yaml(loaded.config, kProxyDefinition);
    CHECK(printed.starts_with(row.printed));
    const auto again = load(printed);
    REQUIRE(again.ok());
    CHECK(again.config.listen == loaded.config.listen);

    // A reload keeps a value that takes a restart.
    ProxyConfig next = load("{}").config;
    const auto kept = config::keep_until_restart(loaded.config, next, kProxyDefinition);
    CHECK(kept == std::vector<std::string>{"listen"});
    CHECK(next.listen == loaded.config.listen);
  }
}

TEST_CASE("the shipped proxy.yaml is valid and holds the defaults, but for its two classes") {
  const auto shipped = config::load_file({generated::path_of("proxy.yaml")}, kProxyDefinition);
  for (const config::Error& error : shipped.errors) FAIL_CHECK(to_text(error));
  REQUIRE(shipped.config.classes.size() == 2);
  const ClassConfig& critical = shipped.config.classes[0];
  CHECK(critical.name == "critical");
  CHECK(critical.shed_at == 1.0);
  REQUIRE(critical.match.size() == 2);
  CHECK(critical.match[0].path == "/health");
  CHECK(critical.match[1].path_prefix == "/api/v1/auth/");
  const ClassConfig& background = shipped.config.classes[1];
  CHECK(background.shed_at == 0.6);
  CHECK(background.match[0].header == "X-Priority");
  CHECK(background.match[0].value == "background");

  ProxyConfig without_classes = shipped.config;
  without_classes.classes.clear();
  CHECK(config::to_yaml(without_classes, kProxyDefinition) == config::to_yaml(ProxyConfig{}, kProxyDefinition));
  const std::string printed = config::to_yaml(shipped.config, kProxyDefinition);
  CHECK(config::to_yaml(load(printed).config, kProxyDefinition) == printed);
}

TEST_CASE("schema and reference agree with the description") {
  generated::check_file("proxy.schema.json", config::to_schema(kProxyDefinition, "spillway configuration"));
  generated::check_section("REFERENCE.md", config::to_reference(kProxyDefinition, "spillway configuration"));
}

}  // namespace
