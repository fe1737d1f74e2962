// What the API is told of the client's certificate, and by whom.

#include <string>

#include <doctest/doctest.h>

#include "proxy/http1/parse.hpp"
#include "proxy/http1/writer.hpp"

namespace {

using namespace spillway::http;

std::string written(const Forwarding& forwarding) {
  const std::string bytes =
      "GET / HTTP/1.1\r\nHost: a\r\nX-Client-Cert-Subject: CN=root\r\nx-client-cert-FINGERPRINT: 00\r\n\r\n";
  RequestHead head;
  REQUIRE_FALSE(parse_request(bytes, {}, head));
  std::string text;
  write_request(head, forwarding, text);
  return text;
}

TEST_CASE("what a client says of a certificate is removed, even if it is trusted") {
  for (const bool trusted : {false, true}) {
    Forwarding forwarding;
    forwarding.trusted_peer = trusted;
    const std::string text = written(forwarding);
    CHECK(text.find("root") == std::string::npos);
    CHECK(text.find("00") == std::string::npos);
  }
}

TEST_CASE("the proxy tells subject and fingerprint of the certificate that it has verified") {
  Forwarding forwarding;
  forwarding.certificate_subject = "CN=alice";
  forwarding.certificate_fingerprint = "ab";
  const std::string text = written(forwarding);
  CHECK(text.find("\r\nX-Client-Cert-Subject: CN=alice\r\nX-Client-Cert-Fingerprint: ab\r\n") != std::string::npos);
  CHECK(text.find("root") == std::string::npos);
}

}  // namespace
