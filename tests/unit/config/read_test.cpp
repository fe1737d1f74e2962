#include <fstream>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "config/document.hpp"
#include "tests/support/folder.hpp"
#include "tests/unit/config/sample.hpp"

namespace {

using namespace std::chrono_literals;
using sample::errors_of;

struct Row {
  std::string_view yaml;
  std::string_view error;
};

TEST_CASE("{} leaves every default") {
  const auto loaded = sample::load("{}");
  CHECK(loaded.ok());
  CHECK(loaded.config.workers == 2);
  CHECK(loaded.config.wait == 5s);
}

TEST_CASE("every kind of field is read") {
  const auto loaded = sample::load(R"(
listen: [127.0.0.1:1, unix:/run/x]
peers: [10.0.0.1:5]
workers: 7
verbose: true
ratio: 0.25
wait: 250ms
buffer: 64KiB
mode: off
title: "two words"
password: sesame
bounds: {low: 3, high: 4}
routes:
  - name: first
    note: remembered
  - name: second
    weight: 10
)");
  REQUIRE(loaded.ok());
  const sample::Config& c = loaded.config;
  REQUIRE(c.listen.size() == 2);
  CHECK(c.listen[1].path == "/run/x");
  REQUIRE(c.peers.size() == 1);
  CHECK(c.peers[0].host == "10.0.0.1");
  CHECK(c.workers == 7);
  CHECK(c.verbose);
  CHECK(c.ratio == 0.25);
  CHECK(c.wait == 250ms);
  CHECK(c.buffer == 65536);
  CHECK(c.mode == sample::Mode::off);
  CHECK(c.title == "two words");
  CHECK(c.password == "sesame");
  CHECK(c.bounds.high == 4);
  REQUIRE(c.routes.size() == 2);
  CHECK(c.routes[0].note == "remembered");
  CHECK(!c.routes[1].note);
  CHECK(c.routes[1].weight == 10);
}

TEST_CASE("one element needs no list around it, and a list replaces the default") {
  CHECK(sample::load("listen: '[::1]:8'").config.listen == std::vector{config::Address::tcp("::1", 8)});
  CHECK(sample::load("listen: [a:1, b:2]").config.listen.size() == 2);
}

TEST_CASE("sections of a list have the defaults of an element, not those of the default list") {
  sample::Config c;
  c.routes = {{.name = "default", .note = "kept?", .weight = 9}};
  const auto errors = config::read(
      {"test.yaml", "routes: [{name: a}, {name: b}]"}, [&](config::Fields& f) { sample::describe(f, c); },
      [](config::Problems&) {});
  CHECK(errors.empty());
  REQUIRE(c.routes.size() == 2);
  CHECK(!c.routes[0].note);
  CHECK(c.routes[0].weight == 1);
}

TEST_CASE("a section or list whose members are all commented out is fine") {
  CHECK(errors_of("bounds:\n  # low: 1\nroutes:\n").empty());
}

TEST_CASE("an alias gives the same value again") {
  const auto loaded = sample::load("bounds: {low: &n 3, high: *n}");
  CHECK(loaded.ok());
  CHECK(loaded.config.bounds.high == 3);
}

TEST_CASE("each error names the place, the field, what was expected and what was found") {
  for (const Row& row : {
           Row{"[1]", "test.yaml:1:1: must be keys and values, not a list"},
           Row{"hello", "test.yaml:1:1: must be keys and values, not 'hello'"},
           Row{"workers: 0", "test.yaml:1:10: workers: must be an integer from 1 to 64, not '0'"},
           Row{"workers:", "test.yaml:1:1: workers: must be an integer from 1 to 64, not empty"},
           Row{"workers: ~", "test.yaml:1:1: workers: must be an integer from 1 to 64, not empty"},
           Row{"workers: [1]", "test.yaml:1:10: workers: must be an integer from 1 to 64, not a list"},
           Row{"workers: {a: 1}", "test.yaml:1:10: workers: must be an integer from 1 to 64, not a section"},
           Row{"verbose: yes", "test.yaml:1:10: verbose: must be true or false, not 'yes'"},
           Row{"ratio: 1.1", "test.yaml:1:8: ratio: must be a number from 0 to 1, not '1.1'"},
           Row{"wait: 2h", "test.yaml:1:7: wait: must be a duration from 0s to 1h, not '2h'"},
           Row{"buffer: 2MiB", "test.yaml:1:9: buffer: must be a size from 1KiB to 1MiB, not '2MiB'"},
           Row{"mode: maybe", "test.yaml:1:7: mode: must be one of on, off, not 'maybe'"},
           Row{"title: ''",
               "test.yaml:1:8: title: must be a text of 1 to 100 bytes without control characters, not ''"},
           Row{"title: \"a\\nb\"",
               "test.yaml:1:8: title: must be a text of 1 to 100 bytes without control characters, not 'a?b'"},
           Row{"password: ab",
               "test.yaml:1:11: password: must be a text of 3 to 100 bytes without control characters (value not "
               "shown)"},
           Row{"listen: 80",
               "test.yaml:1:9: listen: must be an address: host:port, :port, [v6]:port, unix:/path or fd:N (3 "
               "or more), not '80'; a port alone: write localhost:80"},
           Row{"listen: [a:1, 80]",
               "test.yaml:1:15: listen[1]: must be an address: host:port, :port, [v6]:port, unix:/path "
               "or fd:N (3 or more), not '80'; a port alone: write localhost:80"},
           Row{"listen: []", "test.yaml:1:9: listen: must have 1 to 2 elements, not 0"},
           Row{"listen:", "test.yaml:1:1: listen: must have 1 to 2 elements, not 0"},
           Row{"listen: {a: 1}", "test.yaml:1:9: listen: must be a list, not a section"},
           Row{"peers: a:1", "test.yaml:1:8: peers: must be a list, not 'a:1'"},
           Row{"peers: [a:1, a:2, a:3]", "test.yaml:1:8: peers: must have 0 to 2 elements, not 3"},
           Row{"bounds: 3", "test.yaml:1:9: bounds: must be a section of keys, not '3'"},
           Row{"bounds: [3]", "test.yaml:1:9: bounds: must be a section of keys, not a list"},
           Row{"routes: {name: a}", "test.yaml:1:9: routes: must be a list, not a section"},
           Row{"routes: [a]", "test.yaml:1:10: routes[0]: must be a section of keys, not 'a'"},
           Row{"routes: [~]", "test.yaml:1:10: routes[0]: must be a section of keys, not empty"},
           Row{"routes:\n- weight: 2", "test.yaml:2:3: routes[0].name: is required"},
           Row{"routes:\n- name: a\n- name: b\n  weight: 11",
               "test.yaml:4:11: routes[1].weight: must be an integer from 1 to 10, not '11'"},
           Row{"workers: 1\nworkers: 2", "test.yaml:2:1: workers: is given twice"},
           Row{"bounds: {low: 1, low: 2}", "test.yaml:1:18: bounds.low: is given twice"},
           Row{"bounds: {low: 5, high: 4}", "test.yaml:1:15: bounds.low: bounds.low must not exceed bounds.high"},
           Row{"bounds: {high: 0}", "test.yaml:1:16: bounds.high: bounds.low must not exceed bounds.high"},
           Row{"a: [", "test.yaml:1:5: not YAML: a '[' without its ']'"},
       }) {
    CAPTURE(row.yaml);
    CHECK(errors_of(row.yaml) == row.error);
  }
}

TEST_CASE("the error for an unknown key suggests the nearest name of its section") {
  for (const Row& row : {
           Row{"wrokers: 1", "test.yaml:1:1: wrokers: unknown key; did you mean workers?"},
           Row{"worker: 1", "test.yaml:1:1: worker: unknown key; did you mean workers?"},
           Row{"Workers: 1", "test.yaml:1:1: Workers: unknown key; did you mean workers?"},
           Row{"wiat: 1", "test.yaml:1:1: wiat: unknown key; did you mean wait?"},
           Row{"wait:5", "test.yaml:1:1: must be keys and values, not 'wait:5'"},
           Row{"workers: 1\nwait:5",
               "test.yaml:2:1: not YAML: neither a key nor the end of the section; check indentation and quotes"},
           Row{"something: 1", "test.yaml:1:1: something: unknown key"},
           Row{"x: 1", "test.yaml:1:1: x: unknown key"},
           Row{"bounds: {hihg: 1}", "test.yaml:1:10: bounds.hihg: unknown key; did you mean high?"},
           Row{"bounds: {workers: 1}", "test.yaml:1:10: bounds.workers: unknown key"},
           Row{"routes: [{name: a, wieght: 1}]", "test.yaml:1:20: routes[0].wieght: unknown key; did you mean weight?"},
           Row{"<<: {workers: 1}", "test.yaml:1:1: <<: unknown key"},
           Row{"\"a\\nb\": 1", "test.yaml:1:1: a?b: unknown key"},
       }) {
    CAPTURE(row.yaml);
    CHECK(errors_of(row.yaml) == row.error);
  }
}

TEST_CASE("no error shows the text between // and the last @, nor what may be the rest of a secret") {
  for (const Row& row : {
           Row{"url: //x", "test.yaml:1:1: url: unknown key"},
           Row{"workers: a://u:hunter2@host/x",
               "test.yaml:1:10: workers: must be an integer from 1 to 64, not 'a://…@host/x'"},
           Row{"workers: a://u:hun@ter2/@host",
               "test.yaml:1:10: workers: must be an integer from 1 to 64, not 'a://…@host'"},
           Row{"a://u:hunter2@host", "test.yaml:1:1: must be keys and values, not 'a://…@host'"},
           Row{"\"a://u:hunter2@host\": 1", "test.yaml:1:1: a://…@host: unknown key"},
           Row{"routes: [a://u:hunter2@host]",
               "test.yaml:1:10: routes[0]: must be a section of keys, not 'a://…@host'"},
           Row{"{password: a://u:abc,hunter2,x@host}",
               "test.yaml:1:22: …: unknown key\ntest.yaml:1:30: …: unknown key"},
           Row{"{password: a://u:abc,hunter2: 3@host}", "test.yaml:1:22: …: unknown key"},
           Row{"{password: abc, wrokers: 1}", "test.yaml:1:17: wrokers: unknown key; did you mean workers?"},
           Row{"password: abc\nsomething: 1", "test.yaml:2:1: something: unknown key"},
           Row{"password: \"a://u:${hunter2}@host\"",
               "test.yaml:1:11: password: a ${…} in it (not shown) is neither ${env:NAME} nor ${file:/path}; write $${ "
               "for a literal ${"},
           Row{"password: \"${env:hunter 2}\"",
               "test.yaml:1:11: password: a ${…} in it (not shown) is neither ${env:NAME} nor ${file:/path}; write $${ "
               "for a literal ${"},
       }) {
    CAPTURE(row.yaml);
    CHECK(errors_of(row.yaml) == row.error);
  }
}

TEST_CASE("all errors are reported at once, in the order of the file") {
  CHECK(errors_of("wokers: 1\nbounds: {low: x}\nratio: 2\nrotes: []\nwait: 1d\n") ==
        "test.yaml:1:1: wokers: unknown key; did you mean workers?\n"
        "test.yaml:2:15: bounds.low: must be an integer from 0 to 100, not 'x'\n"
        "test.yaml:3:8: ratio: must be a number from 0 to 1, not '2'\n"
        "test.yaml:4:1: rotes: unknown key; did you mean routes?\n"
        "test.yaml:5:7: wait: must be a duration from 0s to 1h, not '1d'");
}

TEST_CASE("a slip that is often made is told with what to write instead") {
  const std::string address = "must be an address: host:port, :port, [v6]:port, unix:/path or fd:N (3 or more), not ";
  for (const auto& [yaml, error] : std::vector<std::pair<std::string, std::string>>{
           {"listen: http://localhost:3000/x",
            "1:9: listen: " + address + "'http://localhost:3000/x'; write localhost:3000"},
           {"listen: https://api.test", "1:9: listen: " + address + "'https://api.test'; write api.test:443"},
           {"listen: localhost", "1:9: listen: " + address + "'localhost'; it lacks a port: write localhost:80"},
           {"listen: /run/x", "1:9: listen: " + address + "'/run/x'; write unix:/run/x"},
           {"listen: \"::1:80\"", "1:9: listen: " + address + "'::1:80'; write [::1]:80"},
           {"ratio: 80%", "1:8: ratio: must be a number from 0 to 1, not '80%'; write 0.8"},
           {"ratio: 800%", "1:8: ratio: must be a number from 0 to 1, not '800%'"},
           {"buffer: 10KB", "1:9: buffer: must be a size from 1KiB to 1MiB, not '10KB'; write 10KiB"},
           {"buffer: 1m", "1:9: buffer: must be a size from 1KiB to 1MiB, not '1m'; write 1MiB"},
           {"buffer: 10 KiB", "1:9: buffer: must be a size from 1KiB to 1MiB, not '10 KiB'; write 10KiB"},
           {"buffer: 10MB", "1:9: buffer: must be a size from 1KiB to 1MiB, not '10MB'"},
           {"wait: 30 s", "1:7: wait: must be a duration from 0s to 1h, not '30 s'; write 30s"},
           {"wait: 5 Minutes", "1:7: wait: must be a duration from 0s to 1h, not '5 Minutes'; write 5m"},
           {"wait: 30sec", "1:7: wait: must be a duration from 0s to 1h, not '30sec'; write 30s"},
           {"workers: 1_0", "1:10: workers: must be an integer from 1 to 64, not '1_0'; write 10"},
           {"workers: 1e1", "1:10: workers: must be an integer from 1 to 64, not '1e1'; write 10"},
           {"workers: 4.0", "1:10: workers: must be an integer from 1 to 64, not '4.0'; write 4"},
           {"workers: 4.5", "1:10: workers: must be an integer from 1 to 64, not '4.5'"},
           {"workers: 1k", "1:10: workers: must be an integer from 1 to 64, not '1k'"},
           {"workers: 50%", "1:10: workers: must be an integer from 1 to 64, not '50%'; it is a number, not a share"},
           {"workers: \u00A04",
            "1:10: workers: must be an integer from 1 to 64, not '\u00A04'; it holds a no-break space "
            "(U+00A0)"},
           {"workers:\u00A04",
            "1:1: must be keys and values, not 'workers:\u00A04'; it holds a no-break space (U+00A0)"},
           {"wait: 1s\n\u00A0workers: 4",
            "2:1: \u00A0workers: unknown key; did you mean workers? It holds a no-break space (U+00A0)"},
           {"bounds:\n\tlow: 4", "2:1: a tab in the indentation; indent by spaces"},
           {"bounds:\n  \u00A0low: 4",
            "2:3: bounds.\u00A0low: unknown key; it holds a no-break space "
            "(U+00A0)"},
       }) {
    CAPTURE(yaml);
    CHECK(errors_of(yaml) == "test.yaml:" + error);
  }
}

TEST_CASE("a large number without a unit is accepted as seconds, with a warning") {
  const auto warnings_of = [](std::string text) {
    std::string lines;
    for (const auto& each : config::load_text({"test.yaml", std::move(text)}, sample::kDefinition).warnings) {
      lines += to_text(each);
    }
    return lines;
  };
  CHECK(warnings_of("wait: 1500") == "test.yaml:1:7: wait: warning: 1500 is 25 minutes; write 1500ms or 1500s");
  CHECK(warnings_of("wait: 601") == "test.yaml:1:7: wait: warning: 601 is 10 minutes 1 seconds; write 601ms or 601s");
  for (const char* clear : {"wait: 600", "wait: 1500s", "wait: 1500ms", "wait: 30m", "workers: 7"}) {
    CHECK(warnings_of(clear).empty());
  }
}

TEST_CASE("a value of the command line wins over the file, and meets the same checks") {
  const auto load = [](std::vector<config::Override> overrides) {
    return config::load_text(
        {"test.yaml", "workers: 3\nbounds: {low: 2}\nroutes: [{name: a, weight: 2}]\npeers: [a:1]\n",
         std::move(overrides)},
        sample::kDefinition);
  };
  const auto good = load({{"--set", "workers", "9"},
                          {"--set", "bounds.high", "7"},
                          {"--set", "routes[0].weight", "3"},
                          {"--set", "routes[1]", "{name: b}"},
                          {"--set", "peers", "[b:1, c:1]"},
                          {"--listen", "listen", "[::1]:80", false}});
  for (const config::Error& error : good.errors) FAIL_CHECK(to_text(error));
  CHECK(good.config.workers == 9);
  CHECK(good.config.bounds.low == 2);
  CHECK(good.config.bounds.high == 7);
  REQUIRE(good.config.routes.size() == 2);
  CHECK(good.config.routes[0].name == "a");
  CHECK(good.config.routes[0].weight == 3);
  CHECK(good.config.routes[1].name == "b");
  CHECK(good.config.peers.size() == 2);
  CHECK(good.config.listen == std::vector{config::Address::tcp("::1", 80)});

  for (const auto& [override, error] : std::vector<std::pair<config::Override, std::string>>{
           {{"--set", "workers", "x"}, "--set: workers: must be an integer from 1 to 64, not 'x'"},
           {{"--max", "workers", "", false}, "--max: workers: must be an integer from 1 to 64, not ''"},
           {{"--set", "wokers", "1"}, "--set: wokers: unknown key; did you mean workers?"},
           {{"--set", "bounds.lwo", "1"}, "--set: bounds.lwo: unknown key; did you mean low?"},
           {{"--set", "bounds", "1"}, "--set: bounds: must be a section of keys, not '1'"},
           {{"--set", "routes[3].weight", "1"},
            "--set: routes[3].weight: has no element [3]: the list in the file has 1"},
           {{"--set", "a..b", "1"},
            "--set: a..b: is no key; write it as section.key=value, an element of a list as key[0]"},
           {{"--set", "routes[x]", "1"},
            "--set: routes[x]: is no key; write it as section.key=value, an element of a list as key[0]"},
           {{"--set", "password", "h2"},
            "--set: password: must be a text of 3 to 100 bytes without control characters "
            "(value not shown)"},
           {{"--set", "bounds.low", "50"}, "--set: bounds.low: bounds.low must not exceed bounds.high"},
       }) {
    const auto bad = load({override});
    REQUIRE(bad.errors.size() == 1);
    CHECK(to_text(bad.errors.front()) == error);
  }
}

TEST_CASE("a rule adds no error about a field that is invalid already") {
  CHECK(errors_of("bounds: {low: 500, high: 0}") ==
        "test.yaml:1:15: bounds.low: must be an integer from 0 to 100, not '500'");
}

TEST_CASE("a long value is shortened between characters") {
  const std::string umlauts = "a" + [] {
    std::string text;
    for (int i = 0; i < 60; ++i) text += "\xc3\xbc";
    return text;
  }();
  const std::string error = errors_of("mode: " + umlauts);
  CHECK(error == "test.yaml:1:7: mode: must be one of on, off, not '" + umlauts.substr(0, 59) + "…'");
}

TEST_CASE("errors are written for tools as JSON") {
  const auto errors = sample::load("workers: \"\\\"\"").errors;
  CHECK(config::to_json(errors, {}) ==
        "{\"valid\": false, \"errors\": [\n"
        "  {\"file\": \"test.yaml\", \"line\": 1, \"column\": 10, \"path\": \"workers\", "
        "\"message\": \"must be an integer from 1 to 64, not '\\\"'\"}], \"warnings\": []}\n");
  const auto warnings = sample::load("wait: 1500").warnings;
  CHECK(config::to_json({}, warnings) ==
        "{\"valid\": true, \"errors\": [], \"warnings\": [\n"
        "  {\"file\": \"test.yaml\", \"line\": 1, \"column\": 7, \"path\": \"wait\", "
        "\"message\": \"1500 is 25 minutes; write 1500ms or 1500s\"}]}\n");
}

TEST_CASE("a file needs at least one key; {} means all defaults") {
  for (const char* text : {"", "\n\n", "# workers: 3\n", "---\n", "~", "null", "--- # nothing\n...\n"}) {
    CAPTURE(text);
    CHECK(errors_of(text) == "test.yaml:1:1: holds no key; if every one is meant to have its default, write {}");
  }
  for (const char* text : {"{}", "workers: 3", "--- {}\n"}) {
    CAPTURE(text);
    CHECK(errors_of(text).empty());
  }
  const config::Origin no_file{"", {{"--set", "workers", "3"}}};
  CHECK(config::load_file(no_file, sample::kDefinition).ok());
}

TEST_CASE("a file that cannot be read is one error") {
  const auto error_of = [](const char* path) {
    const auto loaded = config::load_file({path}, sample::kDefinition);
    REQUIRE(loaded.errors.size() == 1);
    return to_text(loaded.errors[0]);
  };
  CHECK(error_of("/nonexistent/x.yaml") == "/nonexistent/x.yaml:1:1: cannot be read: No such file or directory");
  CHECK(error_of("/") == "/:1:1: cannot be read: not a regular file");
  CHECK(error_of("/dev/zero") == "/dev/zero:1:1: cannot be read: not a regular file");
  const support::Folder folder;
  const std::string pipe = folder.path("pipe"), large = folder.path("large");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);  // nobody writes to it: to wait for its text would hang
  CHECK(error_of(pipe.c_str()) == pipe + ":1:1: cannot be read: not a regular file");
  std::ofstream(large) << '#' << std::string(config::kMaxFileBytes, ' ');
  CHECK(error_of(large.c_str()) == large + ":1:1: cannot be read: longer than 65536 bytes");
}

}  // namespace
