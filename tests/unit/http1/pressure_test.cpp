#include <string>

#include <doctest/doctest.h>

#include "proxy/http1/parse.hpp"
#include "proxy/http1/writer.hpp"
#include "tests/unit/http1/rows.hpp"

namespace {

using namespace spillway::http;

std::string written(std::optional<int> pressure) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nSpillway-Pressure: 0.99\r\nspillway-pressure: 7\r\n\r\n";
  RequestHead request;
  REQUIRE_FALSE(parse_request(head, HeadLimits(), request));
  Forwarding forwarding = rows::plain_forwarding();
  forwarding.pressure = pressure;
  std::string out;
  write_request(request, forwarding, out);
  return out;
}

TEST_CASE("the API is told the pressure with two decimals") {
  struct Row {
    int hundredths;
    std::string_view text;
  };
  for (const Row& row : {Row{0, "0.00"}, Row{7, "0.07"}, Row{80, "0.80"}, Row{99, "0.99"}, Row{100, "1.00"}}) {
    CHECK(written(row.hundredths).find("\r\nSpillway-Pressure: " + std::string(row.text) + "\r\n") !=
          std::string::npos);
  }
}

TEST_CASE("the client's own field of that name is replaced, or left out") {
  for (const std::optional<int> pressure : {std::optional<int>(), std::optional<int>(12)}) {
    const std::string out = written(pressure);
    CHECK(out.find("0.99") == std::string::npos);
    CHECK(out.find(": 7") == std::string::npos);
  }
}

}  // namespace
