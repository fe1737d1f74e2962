#include "proxy/http/body.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace spillway::http;

TEST_CASE("a chunked body is freed of its framing in place") {
  std::string bytes = "5;x=y\r\nhello\r\n3\r\n wo\r\n3\r\nrld\r\n0\r\nX: y\r\n\r\nGET";
  BodyDecoder decoder(Framing::chunked, 0, 0);
  const auto step = decoder.decode(bytes.data(), bytes.size());
  CHECK(bytes.substr(0, step.payload) == "hello world");
  CHECK(bytes.substr(step.consumed) == "GET");
  CHECK(decoder.done());
}
