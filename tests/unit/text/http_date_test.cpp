#include "proxy/text/http_date.hpp"

#include <doctest/doctest.h>

namespace {

TEST_CASE("a Date field is an IMF-fixdate, new each second") {
  text::HttpDate date;
  CHECK(date.at(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");  // the example of RFC 9110
  CHECK(date.at(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(date.at(784111778) == "Sun, 06 Nov 1994 08:49:38 GMT");
  CHECK(date.at(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
}

}  // namespace
