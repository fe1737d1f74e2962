#include "config/restart.hpp"

#include <algorithm>
#include <cstdlib>

#include <doctest/doctest.h>

#include "config/write.hpp"
#include "proxy/config/fields.hpp"

namespace {

using namespace spillway;
using Names = std::vector<std::string>;

/// `yaml` empty: all defaults.
ProxyConfig load(const std::string& yaml) {
  auto loaded = config::load_text({"proxy.yaml", yaml.empty() ? "{}" : yaml}, kProxyDefinition);
  for (const config::Error& error : loaded.errors) FAIL(to_text(error));
  return std::move(loaded.config);
}

std::string printed(const ProxyConfig& c) {
  return config::to_yaml(c, kProxyDefinition);
}

/// The names of the keys that wait for a restart. Afterwards `next` is the configuration in force.
Names reload(const std::string& running, ProxyConfig& next) {
  return config::keep_until_restart(load(running), next, kProxyDefinition);
}

TEST_CASE("a reload applies what needs no restart") {
  const std::string yaml =
      "workers: 2\nadmission: {max_concurrent: 10}\nclasses: [{name: a, match: [{path: /a}]}]\n"
      "trusted_proxies: [10.0.0.0/8]\nlog: {level: debug}\n";
  ProxyConfig next = load(yaml);
  CHECK(reload("workers: 2\nclasses: [{name: a, shed_at: 0.1, match: [{method: GET}, {path: /x}]}]\n", next) ==
        Names{});
  CHECK(printed(next) == printed(load(yaml)));
}

TEST_CASE("a reload keeps and names the values that take a restart, and applies the rest of the file") {
  struct Row {
    std::string running, next;
    Names names;
    std::string in_force;
  };
  const std::string two = "classes: [{name: a, shed_at: 0.5, match: [{path: /a}]}, {name: b, match: [{method: GET}]}]";
  const std::string more =
      "classes: [{name: c, match: [{path: /c}]}, {name: b, reserve: 3, match: [{method: PUT}]}, "
      "{name: a, shed_at: 0, match: [{path: /a}]}]";
  const std::string applied =
      "classes: [{name: a, shed_at: 0, match: [{path: /a}]}, {name: b, reserve: 3, match: [{method: GET}]}]";
  const std::string renamed = "classes: [{name: a, match: [{path: /a}]}, {name: c, match: [{header: X, value: y}]}]";
  const std::string swapped = "classes: [{name: b, match: [{path: /a}]}, {name: a, match: [{header: X, value: y}]}]";
  for (const Row& row : {
           Row{"workers: 2", "workers: 3\nlog: {query: true}", {"workers"}, "workers: 2\nlog: {query: true}"},
           Row{"", "listen: [a:1, b:2]", {"listen"}, ""},
           Row{"listen: [a:1, b:2, c:3]", "listen: a:1", {"listen"}, "listen: [a:1, b:2, c:3]"},
           Row{"", "admin: {listen: a:1}", {"admin.listen"}, ""},
           Row{"", "upstream: {address: a:1, max_idle: 3}", {"upstream.address"}, "upstream: {max_idle: 3}"},
           Row{"", "reload: signal\nlog: {format: text}", {"log.format", "reload"}, ""},
           Row{"", "io: epoll", {"io"}, ""},
           // What stays is found by its name, and takes all but its rules: those make sense only together.
           Row{two, more, {"classes[1].match", "classes[].name"}, applied},
           Row{two,
               renamed,
               {"classes[].name"},
               "classes: [{name: a, match: [{path: /a}]}, {name: b, match: [{method: GET}]}]"},
           Row{two,
               swapped,
               {"classes[0].match", "classes[1].match", "classes[].name"},
               "classes: [{name: a, match: [{path: /a}]}, {name: b, match: [{method: GET}]}]"},
           Row{two, "limits: {head: 4KiB, uri: 1KiB}", {"classes[].name"}, two + "\nlimits: {head: 4KiB, uri: 1KiB}"},
           Row{"", two, {"classes[].name"}, ""},
           Row{"workers: 2", two, {"classes[].name", "workers"}, "workers: 2"},
       }) {
    CAPTURE(row.running);
    CAPTURE(row.next);
    ProxyConfig next = load(row.next);
    Names names = reload(row.running, next);
    std::sort(names.begin(), names.end());
    CHECK(names == row.names);
    CHECK(printed(next) == printed(load(row.in_force)));
  }
}

TEST_CASE("a kept value keeps its reference, and takes none from the new file") {
  ::setenv("SPILLWAY_TEST", "2", 1);
  const auto running = config::load_text(
      {"", "workers: ${env:SPILLWAY_TEST}\nlimits: {headers: '${env:SPILLWAY_TEST}'}\n"}, kProxyDefinition);
  auto next = config::load_text(
      {"",
       "workers: 3\nadmin: {listen: 'a:${env:SPILLWAY_TEST}'}\nretry: {attempts: 0, budget: '0.${env:SPILLWAY_TEST}'}"},
      kProxyDefinition);
  REQUIRE(running.ok());
  REQUIRE(next.ok());
  CHECK(config::keep_until_restart(running.config, next.config, kProxyDefinition, running.references,
                                   next.references) == Names{"admin.listen", "workers"});
  CHECK(next.references ==
        config::References{{"workers", "${env:SPILLWAY_TEST}"}, {"retry.budget", "0.${env:SPILLWAY_TEST}"}});
}

TEST_CASE("the changed keys are named without their values") {
  struct Row {
    std::string running, next;
    Names names;
  };
  const std::string two = "classes: [{name: a, match: [{path: /a}]}, {name: b, match: [{path: /b}]}]";
  for (const Row& row : {
           Row{"", "", {}},
           Row{"", "{}", {}},
           Row{"", "workers: 1", {}},
           Row{"",
               "limits: {body: 3}\nadmission: {queue: {max_wait: 2s}}",
               {"admission.queue.max_wait", "limits.body"}},
           Row{"listen: a:1", "listen: b:1", {"listen[0].address"}},
           Row{"listen: a:1", "listen: [a:1, b:1]", {"listen"}},
           Row{"", two, {"classes"}},
           Row{two, "", {"classes"}},
           Row{two,
               "classes: [{name: a, match: [{path: /a}]}, {name: b, shed_at: 0.1, match: [{method: GET}]}]",
               {"classes[1].match[0].method", "classes[1].match[0].path", "classes[1].shed_at"}},
           Row{"trusted_proxies: [10.0.0.0/8]", "trusted_proxies: [10.0.0.0/9]", {"trusted_proxies[0]"}},
       }) {
    CAPTURE(row.running);
    CAPTURE(row.next);
    std::vector<std::string> names;
    for (const config::Change& change : config::changes(load(row.running), load(row.next), kProxyDefinition)) {
      names.push_back(change.path);
    }
    CHECK(names == row.names);
  }
}

TEST_CASE("a change is told with both values, unless they are secrets or come from a reference") {
  const auto told = [](const std::string& running, const std::string& next, const config::References& references = {}) {
    std::string text;
    for (const config::Change& change : config::changes(load(running), load(next), kProxyDefinition, references, {})) {
      text += (text.empty() ? "" : ", ") + to_text(change);
    }
    return text;
  };
  CHECK(told("limits: {body: 1MiB}", "limits: {body: 2KiB}") == "limits.body 1MiB -> 2KiB");
  CHECK(told("", "trusted_proxies: [10.0.0.0/8]") == "trusted_proxies 0 -> 1");
  CHECK(told("trusted_proxies: [10.0.0.0/8]", "trusted_proxies: [10.0.0.0/9]") ==
        "trusted_proxies[0] 10.0.0.0/8 -> 10.0.0.0/9");
  CHECK(told("admission: {cohorts: {seed: one}}", "admission: {cohorts: {seed: two}}") == "admission.cohorts.seed");
  CHECK(told("upstream: {health: {host: a}}", "upstream: {health: {host: \"\"}}") ==
        "upstream.health.host a -> nothing");
  CHECK(told("maintenance: {message: a}", "maintenance: {message: b}", {{"maintenance.message", "${env:X}"}}) ==
        "maintenance.message");
  CHECK(told("", "maintenance: {message: \"" + std::string(400, 'x') + "\"}").size() < 150);
}

}  // namespace
