// The collector of spans, as a URL and with its certificate's authorities.

#include "config/tracing.hpp"

#include <string_view>

#include <doctest/doctest.h>

namespace {

TEST_CASE("the endpoint of traces is a URL of http or https; /v1/traces is added where it is missing") {
  struct Row {
    std::string_view url, host, path, address;
    bool secure = false;
  };
  for (const Row& row :
       {Row{"http://localhost:4318", "localhost:4318", "/v1/traces", "localhost:4318"},
        {"http://otel", "otel", "/v1/traces", "otel:80"},
        {"https://otel", "otel", "/v1/traces", "otel:443", true},
        {"https://otel.example:4318/in", "otel.example:4318", "/in/v1/traces", "otel.example:4318", true},
        {"https://[::1]", "[::1]", "/v1/traces", "[::1]:443", true},
        {"http://[::1]:4318/", "[::1]:4318", "/v1/traces", "[::1]:4318"},
        {"http://otel:4318/in/", "otel:4318", "/in/v1/traces", "otel:4318"},
        {"http://otel:4318/v1/traces", "otel:4318", "/v1/traces", "otel:4318"}}) {
    CAPTURE(row.url);
    config::TracingEndpoint endpoint;
    CHECK(parse(row.url, endpoint));
    CHECK(endpoint.host == row.host);
    CHECK(endpoint.path == row.path);
    CHECK(endpoint.secure == row.secure);
    CHECK(to_text(endpoint.address) == row.address);
  }
  for (const char* url :
       {"", "otel:4318", "ftp://otel", "HTTPS://otel", "http://", "https://", "http:///v1/traces", "http://a b",
        "http://a@b", "http://a?b", "http://a#b", "http://a:0", "https://a:x", "http://unix:/a"}) {
    CAPTURE(url);
    config::TracingEndpoint endpoint;
    CHECK_FALSE(parse(url, endpoint));
  }
}

}  // namespace
