// The history as the status page gets it.

#include "proxy/admin/history_json.hpp"

#include <doctest/doctest.h>

namespace spillway::admin {
namespace {

TEST_CASE("the page gets columns of equal length, and escaped text") {
  telemetry::WorkerCounters worker(1);
  telemetry::History history({&worker});
  for (int second = 1; second <= 5; ++second) history.sample(second, {});
  telemetry::Refusals refusals;
  refusals.remember({{}, admission::Reason::queue_full, 0, "GET", "/a\"<b>"});
  const std::string json = history_json(history, refusals, {"normal"}, 2);
  CHECK(json.starts_with(R"({"time":[4,5],"offered":[0,0],)"));
  CHECK(json.find(R"("pool_pct":[-1,-1])") != std::string::npos);  // never reported
  CHECK(json.find(R"("queue_full":[0,0])") != std::string::npos);
  CHECK(json.find(R"("offered_of":{"normal":[0,0]})") != std::string::npos);
  CHECK(json.find(R"({"at_ms":0,"reason":"queue_full","class":"normal","method":"GET","path":"/a\"<b>"})") !=
        std::string::npos);
}

}  // namespace
}  // namespace spillway::admin
