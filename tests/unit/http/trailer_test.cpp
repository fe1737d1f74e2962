#include "proxy/http/trailer.hpp"

#include <string_view>

#include <doctest/doctest.h>

namespace {

using spillway::http::trailer_fault;

TEST_CASE("a trailer is no field of framing, routing or authentication, in any case") {
  struct Row {
    std::string_view name, fault;
  };
  const Row rows[] = {
      {"Content-Length", "framing field in a trailer"},
      {"transfer-encoding", "framing field in a trailer"},
      {"TE", "framing field in a trailer"},
      {"Trailer", "framing field in a trailer"},
      {"Connection", "framing field in a trailer"},
      {"Upgrade", "framing field in a trailer"},
      {"Host", "routing field in a trailer"},
      {"Forwarded", "routing field in a trailer"},
      {"X-Forwarded-For", "routing field in a trailer"},
      {"x-forwarded-PROTO", "routing field in a trailer"},
      {"X-Forwarded-Host", "routing field in a trailer"},
      {"X-Real-IP", "routing field in a trailer"},
      {"Via", "routing field in a trailer"},
      {"Max-Forwards", "routing field in a trailer"},
      {"AUTHORIZATION", "authentication field in a trailer"},
      {"Cookie", "authentication field in a trailer"},
      {"Proxy-Authorization", "authentication field in a trailer"},
      {"X-Client-Cert-Subject", "authentication field in a trailer"},
      {"X-Client-Cert-Fingerprint", "authentication field in a trailer"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const char* const fault = trailer_fault(row.name);
    REQUIRE(fault != nullptr);
    CHECK(fault == row.fault);
  }
  for (const char* const name : {"", "X", "Server-Timing", "Digest", "ETag", "grpc-status", "Authentication-Info",
                                 "Hosts", "X-Host", "Cookies", "Authorization-Info", "X-Request-ID"}) {
    CAPTURE(name);
    CHECK(trailer_fault(name) == nullptr);
  }
}

}  // namespace
