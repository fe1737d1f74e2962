#include "proxy/relay/settings.hpp"

#include <string>
#include <string_view>

#include <doctest/doctest.h>

namespace {

using namespace spillway;
using namespace std::chrono_literals;
using relay::Settings;

ClassConfig a_class(std::string name, double shed_at, int reserve = 0) {
  ClassConfig c;
  c.name = std::move(name);
  c.shed_at = shed_at;
  c.reserve = reserve;
  return c;
}

TEST_CASE("Retry-After is told in whole seconds, rounded up") {
  struct Row {
    Duration configured;
    int seconds;
  };
  const Row rows[] = {{0s, 0}, {1ms, 1}, {999ms, 1}, {1s, 1}, {1001ms, 2}, {5s, 5}, {1min, 60}, {24h, 86'400}};
  for (const Row& row : rows) {
    ProxyConfig config;
    config.maintenance.retry_after = row.configured;
    const Settings settings(config);
    CHECK(settings.maintenance_retry_after_seconds == row.seconds);
  }
}

TEST_CASE("without keep-alive a connection may still wait request_head for its first request") {
  ProxyConfig config;
  CHECK(Settings(config).idle_for == 60s);
  config.timeouts.keep_alive = 0s;
  config.timeouts.request_head = 7s;
  CHECK(Settings(config).idle_for == 7s);
}

TEST_CASE("only the class named critical is served during maintenance") {
  ProxyConfig config;
  config.classes = {a_class("background", 0.6), a_class("critical", 1), a_class("criticality", 1)};
  CHECK(Settings(config).critical == std::vector<bool>{false, false, true, false});
  config.classes.clear();
  CHECK(Settings(config).critical == std::vector<bool>{false});
}

TEST_CASE("idle connections of all workers leave room for every request in flight") {
  struct Row {
    std::string_view why;
    int workers, max_connections, max_idle, max_concurrent, expected;
  };
  const Row rows[] = {
      {"the defaults", 1, 256, 64, 100, 64},
      {"one worker can take every idle connection", 1, 100, 100, 100, 100},
      {"two share what is idle", 2, 256, 64, 100, 32},
      {"rounded up", 3, 256, 64, 100, 22},
      {"a connection idle at another worker cannot be taken", 2, 110, 100, 100, 5},
      {"no room: none stays idle", 2, 100, 100, 100, 0},
      {"no more than there can be", 1, 1, 64, 1, 1},
      {"none wanted", 4, 256, 0, 100, 0},
  };
  for (const Row& row : rows) {
    INFO(row.why);
    ProxyConfig config;
    config.workers = row.workers;
    config.upstream.max_connections = {row.max_connections};
    config.upstream.max_idle = row.max_idle;
    config.upstream.idle_timeout = 17s;
    config.admission.max_concurrent = row.max_concurrent;
    const Settings settings(config);
    CHECK(settings.pool.max_connections == row.max_connections);
    CHECK(settings.pool.max_idle == row.expected);
    CHECK(settings.pool.idle_timeout == 17s);
    if (row.workers > 1) CHECK(settings.pool.max_idle * row.workers + row.max_concurrent <= row.max_connections);
  }
}

TEST_CASE(
    "max_connections: auto is enough for all requests in flight, idle connections and streams; only enforce obeys it") {
  struct Row {
    int max_concurrent, max_idle, streams, expected;
  };
  for (const Row& row : {Row{100, 64, 1000, 1164}, Row{100, 64, 0, 256}, Row{500, 64, 0, 564}, Row{250, 0, 6, 256}}) {
    ProxyConfig config;
    config.admission.max_concurrent = row.max_concurrent;
    config.upstream.max_idle = row.max_idle;
    config.admission.streams.max = row.streams;
    CHECK(Settings(config).pool.max_connections == row.expected);
    CHECK(Settings(config).pool.enforced);
    for (const admission::Mode mode : {admission::Mode::shadow, admission::Mode::off}) {
      config.admission.mode = mode;
      CHECK_FALSE(Settings(config).pool.enforced);
    }
  }
}

TEST_CASE("a peer is trusted if a configured block contains its address, or if it came through a unix socket") {
  ProxyConfig config;
  const Settings nobody(config);
  CHECK_FALSE(nobody.trusts("127.0.0.1"));
  CHECK_FALSE(nobody.trusts("::1"));
  CHECK(nobody.trusts(""));

  for (const std::string_view block : {"10.0.0.0/8", "192.0.2.7", "fd00::/8"}) {
    REQUIRE(config::parse(block, config.trusted_proxies.emplace_back()));
  }
  const Settings some(config);
  struct Row {
    std::string_view peer;
    bool trusted;
  };
  const Row rows[] = {
      {"10.0.0.1", true},    {"10.255.255.255", true}, {"::ffff:10.1.2.3", true},
      {"192.0.2.7", true},   {"fd12::1", true},        {"", true},
      {"11.0.0.1", false},   {"9.255.255.255", false}, {"192.0.2.8", false},
      {"fe80::1", false},    {"::1", false},           {"127.0.0.1", false},
      {"10.0.0.1 ", false},  {"10.0.0", false},        {"unknown", false},
      {"10.0.0.1:80", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.peer);
    CHECK(some.trusts(std::string(row.peer)) == row.trusted);
  }
}

TEST_CASE("admission follows the configuration, key by key") {
  ProxyConfig config;
  config.admission.max_concurrent = 42;
  config.admission.classes[0].shed_at = 0.7;
  config.admission.queue = {.max_length = 7, .max_wait = 250ms, .patience = 700ms, .target = 3ms, .interval = 90ms};
  config.classes = {a_class("critical", 1, 4), a_class("background", 0.6)};
  const admission::Policy policy = admission_policy(config);

  CHECK(policy.mode == admission::Mode::enforce);
  CHECK(policy.max_concurrent == 42);
  REQUIRE(policy.classes.size() == 3);
  CHECK(policy.classes[0].name == admission::kDefaultClass);
  CHECK(policy.classes[0].shed_at == 0.7);
  CHECK(policy.classes[0].reserve == 0);
  CHECK(policy.classes[1].name == "critical");
  CHECK(policy.classes[1].shed_at == 1);
  CHECK(policy.classes[1].reserve == 4);
  CHECK(policy.classes[2].name == "background");
  CHECK(policy.classes[2].shed_at == 0.6);
  CHECK(policy.classes[2].reserve == 0);
  CHECK(policy.queue.max_length == 7);
  CHECK(policy.queue.max_wait == 250ms);
  CHECK(policy.queue.patience == 700ms);
  CHECK(policy.queue.target == 3ms);
  CHECK(policy.queue.interval == 90ms);

  CHECK_FALSE(policy.adaptive.enabled);
  CHECK(policy.pool_aware);
  CHECK(policy.fairness.share == 0.5);
  CHECK_FALSE(policy.retry_after.automatic);
  CHECK(policy.retry_after.least == Duration(5s));
  CHECK(policy.retry_after.most == Duration(5s));
  CHECK(policy.breaker.enabled);
  CHECK(policy.poll_interval == 1s);
  config.upstream.health.mode = HealthMode::off;
  CHECK(admission_policy(config).poll_interval == 0s);

  config.admission.adaptive = {.enabled = true, .min = 9};
  config.admission.pool_aware = false;
  config.admission.fairness.share = 0.25;
  config.admission.retry_after.automatic = true;
  config.admission.breaker = {.enabled = false,
                              .window = 3s,
                              .min_requests = 7,
                              .failure_ratio = 0.3,
                              .slow_call = 0s,
                              .slow_ratio = 0.6,
                              .open_for = 2s,
                              .max_open = 11s,
                              .trial_requests = 4,
                              .ramp = 6s};
  const admission::Policy other = admission_policy(config);
  CHECK(other.adaptive.enabled);
  CHECK(other.adaptive.min == 9);
  CHECK_FALSE(other.pool_aware);
  CHECK(other.fairness.share == 0.25);
  CHECK(other.retry_after.automatic);
  CHECK_FALSE(other.breaker.enabled);
  CHECK(other.breaker.window == 3s);
  CHECK(other.breaker.min_requests == 7);
  CHECK(other.breaker.failure_ratio == 0.3);
  CHECK(other.breaker.slow_call == 0s);
  CHECK(other.breaker.slow_ratio == 0.6);
  CHECK(other.breaker.open_for == 2s);
  CHECK(other.breaker.max_open == 11s);
  CHECK(other.breaker.trial_requests == 4);
  CHECK(other.breaker.ramp == 6s);

  config.admission.mode = admission::Mode::shadow;
  CHECK(admission_policy(config).mode == admission::Mode::shadow);
  config.admission.mode = admission::Mode::off;
  CHECK(admission_policy(config).mode == admission::Mode::off);
}

TEST_CASE("classifier, admission and names number the classes alike") {
  ProxyConfig config;
  config.classes = {a_class("critical", 1), a_class("background", 0.6)};
  config.classes[1].match.emplace_back().path = "/slow";
  const auto names = classify::class_names(config.classes);
  const auto policy = admission_policy(config);
  REQUIRE(names.size() == policy.classes.size());
  for (std::size_t i = 0; i < names.size(); ++i) CHECK(names[i] == policy.classes[i].name);
  http::RequestHead head;
  head.path = "/slow";
  CHECK(names[static_cast<std::size_t>(Settings(config).classifier.classify(head).class_index)] == "background");
}

}  // namespace
