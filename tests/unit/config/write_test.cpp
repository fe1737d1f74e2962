#include <cstdlib>

#include <doctest/doctest.h>

#include "tests/unit/config/sample.hpp"

namespace {

TEST_CASE("defaults are printed as YAML that reads back; secrets are not printed") {
  CHECK(config::to_yaml(sample::Config{}, sample::kDefinition) ==
        "listen: 127.0.0.1:80\n"
        "peers: []\n"
        "workers: 2\n"
        "verbose: false\n"
        "ratio: 0.5\n"
        "wait: 5s\n"
        "buffer: 16KiB\n"
        "mode: on\n"
        "title: hello\n"
        "password: \"***\"\n"
        "bounds:\n"
        "  low: 1\n"
        "  high: 9\n"
        "routes: []\n");
}

TEST_CASE("printed values read back to the same values") {
  sample::Config c;
  c.listen = {config::Address::tcp("::1", 1), config::Address::unix_socket("/run/a, b.sock")};
  c.peers = {config::Address::tcp("localhost", 9)};
  c.password = "*** or longer";
  c.routes = {{.name = "a", .note = {}, .weight = 1}, {.name = "b", .note = "c: d # e", .weight = 2}};
  for (const std::string title : {"plain", "two words", "null", "Null", "~",   "true", "no",  "42",   "1.5", "-",
                                  "- a",   "a: b",      "a:",   ":a",   "# c", "'",    "\"",  "\\",   "{a}", "[a",
                                  "*a",    "&a",        "!a",   "%a",   "@a",  "`a",   "|",   ">",    "?",   "${env:X}",
                                  "$${",   " a ",       "ü€",   "=",    "<<",  "...",  "---", "1:30", "0x1f"}) {
    CAPTURE(title);
    c.title = title;
    const std::string printed = config::to_yaml(c, sample::kDefinition);
    const auto loaded = sample::load(printed);
    CAPTURE(printed);
    REQUIRE(loaded.ok());
    CHECK(loaded.config.title == title);
    CHECK(loaded.config.listen == c.listen);
    REQUIRE(loaded.config.routes.size() == 2);
    CHECK(!loaded.config.routes[0].note);
    CHECK(loaded.config.routes[1].note == "c: d # e");
    CHECK(config::to_yaml(loaded.config, sample::kDefinition) == printed);
    CHECK(printed.find("longer") == std::string::npos);
  }
}

TEST_CASE("a substituted value is printed as its reference, and reads back to the same") {
  ::setenv("SPILLWAY_TEST", "hunter2", 1);
  ::setenv("SPILLWAY_TEST_NUMBER", "7", 1);
  ::setenv("SPILLWAY_TEST_ADDRESS", "secret.example:7", 1);
  const auto loaded = sample::load(
      "listen: '${env:SPILLWAY_TEST_ADDRESS}'\n"
      "peers: [a:1, '${env:SPILLWAY_TEST_ADDRESS}']\n"
      "workers: ${env:SPILLWAY_TEST_NUMBER}\n"
      "title: '<${env:SPILLWAY_TEST}> $${x'\n"
      "password: ${env:SPILLWAY_TEST}\n"
      "bounds: {low: '${env:SPILLWAY_TEST_NONE:-2}'}\n"
      "routes: [{name: a}, {name: '${env:SPILLWAY_TEST}', weight: '${env:SPILLWAY_TEST_NUMBER}'}]\n");
  REQUIRE(loaded.ok());
  CHECK(loaded.config.title == "<hunter2> ${x");
  const std::string printed = config::to_yaml(loaded.config, sample::kDefinition, loaded.references);
  CAPTURE(printed);
  for (const std::string line :
       {"listen: \"${env:SPILLWAY_TEST_ADDRESS}\"\n", "peers: [a:1, \"${env:SPILLWAY_TEST_ADDRESS}\"]\n",
        "workers: \"${env:SPILLWAY_TEST_NUMBER}\"\n", "title: \"<${env:SPILLWAY_TEST}> $${x\"\n",
        "password: \"${env:SPILLWAY_TEST}\"\n", "  low: \"${env:SPILLWAY_TEST_NONE:-2}\"\n", "  high: 9\n",
        "  - name: \"${env:SPILLWAY_TEST}\"\n    weight: \"${env:SPILLWAY_TEST_NUMBER}\"\n"}) {
    CAPTURE(line);
    CHECK(printed.find(line) != std::string::npos);
  }
  for (const char* hidden : {"hunter2", "secret.example", "7\n"}) CHECK(printed.find(hidden) == std::string::npos);
  const auto again = sample::load(printed);
  REQUIRE(again.ok());
  CHECK(again.references == loaded.references);
  CHECK(config::to_yaml(again.config, sample::kDefinition) == config::to_yaml(loaded.config, sample::kDefinition));
}

TEST_CASE("a secret is not printed, even if only a part of it is substituted") {
  ::setenv("SPILLWAY_TEST", "xyz", 1);
  for (const char* secret : {"${env:SPILLWAY_TEST:-hunter2}", "hunter2${env:SPILLWAY_TEST}",
                             "${env:SPILLWAY_TEST}hunter2", "${env:SPILLWAY_TEST}hunter2${env:SPILLWAY_TEST}"}) {
    CAPTURE(secret);
    const auto loaded = sample::load(std::string("password: '") + secret + "'");
    REQUIRE(loaded.ok());
    const std::string printed = config::to_yaml(loaded.config, sample::kDefinition, loaded.references);
    CHECK(printed.find("password: \"***\"\n") != std::string::npos);
    CHECK(printed.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("lists of sections are printed as blocks") {
  sample::Config c;
  c.routes = {{.name = "a", .note = "text", .weight = 3}};
  const std::string printed = config::to_yaml(c, sample::kDefinition);
  CHECK(printed.ends_with("routes:\n  - name: a\n    note: text\n    weight: 3\n"));
}

TEST_CASE("the reference has a row for every field") {
  const std::string reference = config::to_reference(sample::kDefinition, "sample");
  for (const std::string row : {
           "## sample\n\n| key | default | accepts | meaning |\n| --- | --- | --- | --- |\n",
           "| `listen` | `127.0.0.1:80` | one, or a list of 1 to 2 of: an address: host:port, :port, [v6]:port, "
           "unix:/path or "
           "fd:N (3 or more) "
           "| Where to serve. Takes a restart. |\n",
           "| `peers` | `[]` | a list of 0 to 2 of: an address",
           "| `verbose` | `false` | true or false | More \\| less. |\n",
           "| `password` | `unset` | a text of 3 to 100 bytes without control characters | A secret. Never printed. "
           "|\n",
           "| `bounds` |  | a section | Two numbers. |\n| `bounds.low` | `1` | an integer from 0 to 100 | The lower. "
           "|\n",
           "| `routes` | `[]` | a list of 0 to 3 of: a section | Some routes. |\n| `routes[].name` | required |",
           "| `routes[].note` | not set |",
       }) {
    CAPTURE(row);
    CHECK(reference.find(row) != std::string::npos);
  }
}

TEST_CASE("the schema states type, range, default and required keys, and allows a substitution for any value") {
  const std::string schema = config::to_schema(sample::kDefinition, "sample");
  for (const char* part : {
           R"("$schema": "https://json-schema.org/draft/2020-12/schema")",
           "\"workers\": {\n      \"description\": \"Threads.\",\n      \"default\": 2,\n      \"anyOf\": [{\"type\": "
           "\"integer\", "
           "\"minimum\": 1, \"maximum\": 64}, {\"$ref\": \"#/$defs/substitution\"}]\n    }",
           R"("anyOf": [{"enum": ["on", "off"]}, )",
           R"("default": "5s")",
           R"({"type": "number", "minimum": 0, "maximum": 3600})",
           R"("required": ["name"])",
           R"("additionalProperties": false)",
       }) {
    CAPTURE(part);
    CHECK(schema.find(part) != std::string::npos);
  }
}

TEST_CASE("writing does not change the lists") {
  sample::Config c;
  const auto describe = [&](config::Fields& f) { sample::describe(f, c); };
  config::to_schema(describe, "sample");
  config::to_reference(describe, "sample");
  CHECK(c.listen.size() == 1);
  CHECK(c.peers.empty());
  CHECK(c.routes.empty());
}

}  // namespace
