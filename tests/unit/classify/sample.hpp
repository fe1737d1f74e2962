#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>

#include "proxy/http/check.hpp"
#include "proxy/http/grammar.hpp"

namespace spillway::classify {

/// A checked request with these lines of fields, and the bytes that it points into.
struct Sample {
  explicit Sample(std::string fields) : bytes(std::move(fields)) {
    head.method = "GET";
    head.target = "/";
    head.fields.push_back({.name = "Host", .value = "test"});
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::size_t colon = rest.find(':'), end = rest.find("\r\n");
      head.fields.push_back(
          {.name = rest.substr(0, colon), .value = http::trim(rest.substr(colon + 1, end - colon - 1))});
      rest.remove_prefix(end + 2);
    }
    REQUIRE_FALSE(http::check_request({}, head));
  }
  const std::string bytes;
  http::RequestHead head;
};

}  // namespace spillway::classify
