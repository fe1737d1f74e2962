// The history as the status page gets it.

#include "proxy/admin/history_json.hpp"

#include <doctest/doctest.h>

namespace spillway::admin {
namespace {

TEST_CASE("the page gets columns of equal length, and escaped text") {
  telemetry::WorkerCounters worker(1);
  const telemetry::ProcessState process;
  telemetry::History history({&worker});
  for (int second = 1; second <= 5; ++second) history.sample(second, {}, process);
  telemetry::Refusals refusals;
  refusals.remember({std::chrono::system_clock::now(), admission::Reason::queue_full, 0, "GET", "/a\"<b>", 80, 100,
                     std::chrono::milliseconds(40)});
  const std::string json = history_json(history, refusals, {"normal"}, 2);
  CHECK(json.starts_with(R"({"time":[4,5],"offered":[0,0],)"));
  CHECK(json.find(R"("pool_pct":[-1,-1])") != std::string::npos);  // never reported
  CHECK(json.find(R"("queue_full":[0,0])") != std::string::npos);
  CHECK(json.find(R"("offered_of":{"normal":[0,0]})") != std::string::npos);
  CHECK(json.find(R"("failed":{"status":[0,0],"connect_failed":[0,0],"tls_failed":[0,0],)") != std::string::npos);
  CHECK(json.find(R"("would_refuse":{"capacity":[0,0],)") != std::string::npos);
  CHECK(json.find(R"("count":1,"reason":"queue_full","in_flight":80,"limit":100,"waited_ms":40.0,"class":"normal",)"
                  R"("method":"GET","path":"/a\"<b>"})") != std::string::npos);
}

}  // namespace
}  // namespace spillway::admin
