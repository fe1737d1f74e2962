// What a successor gets: the same as was given, also from and to other versions; or nothing and a clear error.

#include "proxy/handover/state.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace spillway::handover {
namespace {

using namespace std::chrono_literals;
using admission::Breaker;

State example() {
  State state;
  state.api_healthy = true;
  state.connection_errors = 12;
  state.class_names = {"normal", "critical"};
  admission::Learned& a = state.admission;
  a.limit = {.enabled = true,
             .level = 37.125,
             .found = true,
             .smooth_known = true,
             .smooth = -0.0625,
             .noise = 0.125,
             .held = 38,
             .rises = 2,
             .until_dip = -1,
             .dip_period = 16,
             .window = {0.25, 0.5, 1.5, 0.125}};
  a.reach.state = Breaker::State::half_open;
  a.reach.trials_succeeded = 3;
  a.reach.proven = 17;
  a.service = {12ms, 250ms};
  a.retry_after = 4.5;
  a.need_reported = true;
  a.curve = {{0, 0}, {12.5, 300}, {4, 1e6}};
  admission::Learned::Class& c = a.classes.emplace_back();
  c.name = "critical";
  c.floor_known = true;
  c.floor = -4.5;
  c.service = {8ms, 1s};
  c.p90 = 20ms;
  c.breaker.state = Breaker::State::open;
  c.breaker.until_trial = 3s;
  c.breaker.open_period = 10s;
  c.breaker.window[0] = {20, 11, 1};
  c.breaker.window[9] = {3, 0, 0};
  c.breaker.usual = {7ms, 6};
  c.database = {0.25, 95};
  c.queue = {100, 120, 95.5, true, 0.5};
  telemetry::History::Sample& s = state.history.emplace_back();
  s.at = 1'800'000'000;
  s.offered = 1000;
  s.answered = 900;
  s.refused[0] = 90;
  s.failed[2] = 10;
  s.offered_of = {700, 300};
  s.refused_of = {90, 0};
  s.latency_ms = {1.5F, 20.25F, 99};
  s.admission.in_flight = 12;
  s.admission.limit = 37;
  s.admission.load.pool_size = 20;
  s.admission.load_at = Time{};
  return state;
}

TEST_CASE("a state arrives as it was sent") {
  const State sent = example();
  std::string error;
  const std::string text = to_json(sent);
  const std::optional<State> got = parse_state(text, error);
  CAPTURE(error);
  REQUIRE(got);
  CHECK(to_json(*got) == text);
  CHECK(got->admission.limit.level == sent.admission.limit.level);
  CHECK(got->admission.limit.until_dip == -1);
  CHECK(got->admission.reach.state == Breaker::State::half_open);
  CHECK(got->admission.reach.proven == 17);
  CHECK(got->admission.service.average == 12ms);
  REQUIRE(got->admission.classes.size() == 1);
  const admission::Learned::Class& c = got->admission.classes[0];
  CHECK(c.name == "critical");
  CHECK(c.breaker.until_trial == 3s);
  CHECK(c.breaker.window[0].failed == 11);
  CHECK(c.breaker.window[9].all == 3);
  CHECK(c.queue.standing);
  REQUIRE(got->history.size() == 1);
  CHECK(got->history[0].offered_of == std::vector<std::uint32_t>{700, 300});
  CHECK(got->history[0].latency_ms == sent.history[0].latency_ms);
  CHECK(got->history[0].admission.load_at);
  CHECK(got->api_healthy);
  CHECK(got->connection_errors == 12);
}

TEST_CASE("an empty state and one of another version are accepted") {
  std::string error;
  for (const char* text : {"{}", R"({"version": 99, "later": {"a": [1, {"b": null}]}, "admission": {"more": true}})",
                           R"({"admission": {"limit": {"enabled": true, "level": 40}}})",
                           R"({"history": [{"at": 5, "refused": [1, 2]}]})"}) {
    CAPTURE(text);
    CHECK(parse_state(text, error));
    CHECK(error.empty());
  }
  const auto later = parse_state(R"({"admission": {"limit": {"level": 40, "shape": "round"}}})", error);
  REQUIRE(later);
  CHECK(later->admission.limit.level == 40);
  CHECK(later->admission.limit.dip_period == 1);
  // More reasons to refuse than this version knows.
  std::string many = "0";
  for (int i = 0; i < 100; ++i) many += ",7";
  const auto more = parse_state(R"({"history": [{"refused": [)" + many + "]}]}", error);
  REQUIRE(more);
  CHECK(more->history[0].refused[1] == 7);
}

TEST_CASE("a corrupt state is refused whole, and the error names the place") {
  struct Row {
    std::string text, error;
  };
  for (const Row& row : std::vector<Row>{
           {"", "it is no JSON"},
           {"[]", "it is no object"},
           {"\x00\x01", "it is no JSON"},
           {R"({"admission": {}} trailing)", "it is no JSON"},
           {R"({"admission": [1]})", "admission is not"},
           {R"({"admission": {"limit": {"level": "40"}}})", "admission.limit.level is not"},
           {R"({"admission": {"limit": {"level": -1}}})", "admission.limit.level is not"},
           {R"({"admission": {"limit": {"level": 1e999}}})", ""},
           {R"({"admission": {"limit": {"held": 1.5}}})", "admission.limit.held is not"},
           {R"({"admission": {"limit": {"enabled": 1}}})", "admission.limit.enabled is not"},
           {R"({"admission": {"reach": {"state": 3}}})", "admission.reach.state is not"},
           {R"({"admission": {"service": {"age": -5}}})", "admission.service.age is not"},
           {R"({"admission": {"classes": [7]}})", "admission.classes is not"},
           {R"({"admission": {"classes": [{"name": 7}]}})", "admission.classes.name is not"},
           {R"({"admission": {"classes": {}}})", "admission.classes is not"},
           {R"({"history": [{"offered": 4294967296}]})", "history.offered is not"},
           {R"({"history": [{"refused": ["x"]}]})", "history.refused is not"},
           {R"({"class_names": [{"name": ")" + std::string(5000, 'n') + R"("}]})", "class_names.name is not"},
           {std::string(1000, '['), "it is no JSON"},
       }) {
    CAPTURE(row.text.substr(0, 100));
    std::string error;
    CHECK_FALSE(parse_state(row.text, error));
    CHECK(error.starts_with(row.error));
    CHECK_FALSE(error.empty());
  }
}

TEST_CASE("the history's classes are told by their names") {
  State state = example();
  order_classes(state, {"normal", "new", "critical"});
  CHECK(state.history[0].offered_of == std::vector<std::uint32_t>{700, 0, 300});
  order_classes(state, {"critical"});
  CHECK(state.history[0].offered_of == std::vector<std::uint32_t>{300});
  state.history[0].offered_of.clear();  // damaged
  order_classes(state, {"normal", "critical"});
  CHECK(state.history[0].offered_of == std::vector<std::uint32_t>{0, 0});
}

TEST_CASE("what goes beside the state arrives, too") {
  const Listening sent{Listening::Use::admin, "127.0.0.1:9901", 2, 3, true, false};
  CHECK(parse_listening(to_json(sent)) == sent);
  CHECK_FALSE(parse_listening(R"({"use": 9})"));
  CHECK_FALSE(parse_listening("nothing"));
  const Needs needs{12, 3};
  CHECK(parse_needs(to_json(needs)) == needs);
  CHECK_FALSE(parse_needs(R"({"requests": -1})"));
  CHECK(parse_pid(R"({"version": 1, "pid": 4711})") == 4711);
  CHECK(parse_pid(R"({"version": 1})") == 0);
  CHECK(parse_pid(R"({"pid": "4711"})") == 0);
}

}  // namespace
}  // namespace spillway::handover
