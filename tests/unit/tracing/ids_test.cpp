#include "proxy/tracing/ids.hpp"

#include <string>
#include <string_view>
#include <unordered_set>

#include <doctest/doctest.h>

namespace {

using namespace tracing;

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST_CASE("a traceparent is accepted only in the form of W3C Trace Context") {
  struct Row {
    std::string_view why;
    std::string value;
    bool valid;
  };
  const auto with = [](std::size_t at, char c) {
    std::string value(kParent);
    value[at] = c;
    return value;
  };
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736", span = "00f067aa0ba902b7";
  const Row rows[] = {
      {"the standard's example", std::string(kParent), true},
      {"not sampled", "00-" + trace + "-" + span + "-00", true},
      {"flags of later versions", "00-" + trace + "-" + span + "-ff", true},
      {"all but one digit zero", "00-" + std::string(31, '0') + "1-" + std::string(15, '0') + "1-00", true},
      {"a version to come", "01-" + trace + "-" + span + "-01", true},
      {"a version to come, longer", "cc-" + trace + "-" + span + "-01-more", true},

      {"empty", "", false},
      {"trace id of zeros", "00-" + std::string(32, '0') + "-" + span + "-01", false},
      {"parent id of zeros", "00-" + trace + "-" + std::string(16, '0') + "-01", false},
      {"version ff", "ff-" + trace + "-" + span + "-01", false},
      {"a version to come, longer without a dash", "01-" + trace + "-" + span + "-01more", false},
      {"version with a letter", "0g-" + trace + "-" + span + "-01", false},
      {"upper case in the trace id", with(4, 'B'), false},
      {"upper case in the parent id", with(41, 'F'), false},
      {"upper case in the flags", "00-" + trace + "-" + span + "-0A", false},
      {"no digit in the trace id", with(3, 'g'), false},
      {"no digit at its end", with(34, ' '), false},
      {"no digit in the parent id", with(36, 'x'), false},
      {"no digit in the flags", with(54, '-'), false},
      {"first dash missing", with(2, '0'), false},
      {"second dash missing", with(35, '0'), false},
      {"third dash missing", with(52, '0'), false},
      {"too short", std::string(kParent.substr(0, 54)), false},
      {"too long", std::string(kParent) + "0", false},
      {"version 00 with more behind it", std::string(kParent) + "-00", false},
      {"flags missing", "00-" + trace + "-" + span, false},
      {"a space in front", " " + std::string(kParent), false},
      {"a tracestate", "congo=t61rcWkgMzE", false},
  };
  for (const Row& row : rows) {
    INFO(row.why, ": ", row.value);
    CHECK(valid_traceparent(row.value) == row.valid);
  }
}

TEST_CASE("the sampled flag of a traceparent") {
  const std::string front(kParent.substr(0, kParent.size() - 2));
  for (const char* flags : {"01", "03", "ff", "0b"}) CHECK(sampled(front + flags));
  for (const char* flags : {"00", "02", "fe", "0a"}) CHECK_FALSE(sampled(front + flags));
}

TEST_CASE("a ratio of the traces is sampled") {
  IdGenerator ids;
  int sampled = 0;
  for (int i = 0; i < 10'000; ++i) {
    sampled += ids.draw(0.25) ? 1 : 0;
    REQUIRE_FALSE(ids.draw(0));
    REQUIRE(ids.draw(1));
  }
  CHECK(sampled > 2000);  // ten standard deviations
  CHECK(sampled < 3000);
}

TEST_CASE("a new trace is valid, sampled if it shall be, and has the id of the request") {
  IdGenerator ids;
  const text::RequestId id = ids.request_id();
  const Traceparent started = ids.start_trace(id, false);
  CHECK(valid_traceparent(view(started)));
  CHECK(trace_id(view(started)) == view(id));
  CHECK(view(started).ends_with("-00"));
  CHECK(sampled(view(ids.start_trace(id, true))));
}

TEST_CASE("a continued trace keeps of its flags only whether it is sampled") {
  IdGenerator ids;
  const std::string front(kParent.substr(0, kParent.size() - 2));
  for (const char* flags : {"01", "03", "ff", "0b"}) CHECK(view(ids.continue_trace(front + flags)).ends_with("-01"));
  for (const char* flags : {"00", "02", "fe", "0a"}) CHECK(view(ids.continue_trace(front + flags)).ends_with("-00"));
  CHECK(view(ids.continue_trace("cc" + front.substr(2) + "03-more")).ends_with("-01"));
}

TEST_CASE("a continued trace keeps its id, and gets a new parent id") {
  IdGenerator ids;
  std::unordered_set<std::string> spans;
  for (int i = 0; i < 1000; ++i) {
    const Traceparent continued = ids.continue_trace(kParent);
    const std::string_view value = view(continued);
    REQUIRE(valid_traceparent(value));
    CHECK(trace_id(value) == trace_id(kParent));
    CHECK(value.substr(52) == kParent.substr(52));
    spans.emplace(value.substr(36, 16));
  }
  CHECK(spans.size() == 1000);
  CHECK_FALSE(spans.contains(std::string(kParent.substr(36, 16))));
}

TEST_CASE("100,000 identifiers of two workers do not repeat") {
  constexpr std::size_t kIds = 100'000;
  IdGenerator first, second;
  std::unordered_set<std::string> seen, spans;
  for (std::size_t i = 0; i < kIds; ++i) {
    IdGenerator& ids = i % 2 ? first : second;
    const text::RequestId id = ids.request_id();
    const Traceparent trace = ids.start_trace(id, false);
    seen.emplace(view(id));
    spans.emplace(view(trace).substr(36, 16));
    REQUIRE(view(id).find_first_not_of("0123456789abcdef") == std::string_view::npos);
  }
  CHECK(seen.size() == kIds);
  CHECK(spans.size() == kIds);
}

}  // namespace
