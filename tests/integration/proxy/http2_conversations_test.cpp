// RFC 9113 sections 3 to 7 where client and proxy answer each other, which no row of http2_conformance_test.cpp does.

#include <doctest/doctest.h>

#include "tests/integration/proxy/http2_rows.hpp"

namespace spillway::test {
namespace {

TEST_CASE("3.4: a bad preface, and another frame than SETTINGS first") {
  Upstream upstream;
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  H2Client bad(proxy, H2Client::Silent{});
  bad.send("INVALID CONNECTION PREFACE\r\n\r\n");
  CHECK(bad.ended());
  H2Client late(proxy, H2Client::Silent{});
  late.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + H2Client::bytes_of(h2::kPing, 0, 0, "12345678"));
  CHECK(late.goaway() == h2::kProtocolError);
  CHECK(late.ended());
}

TEST_CASE("3.4, 6.5.3: SETTINGS is what comes first, and each one of the client is acknowledged at once") {
  Upstream upstream;
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  H2Client client(proxy);
  Frame frame = client.read();
  CHECK(frame.type == h2::kSettings);
  CHECK(frame.flags == 0);
  client.frame(h2::kSettings, 0, 0, setting(3, 7));
  for (int i = 0; i < 2; ++i) {
    frame = client.read(h2::kSettings);
    CHECK(frame.flags == h2::kAck);
    CHECK(frame.payload.empty());
  }
}

TEST_CASE("5.1.2: more streams than announced are refused until the client has acknowledged the limit, then fatal") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.limits = "http2: {streams: 3}", .admission = admit(20), .listen = kHttp2Listen});
  H2Client client(proxy);
  CHECK(client.ping());
  CHECK(client.settings().at(3) == 3);
  for (int i = 0; i < 4; ++i) client.start("GET", "/");
  CHECK(client.goaway() == h2::kProtocolError);

  H2Client early(proxy);
  for (int i = 0; i < 4; ++i) early.start("GET", "/");
  CHECK(early.receive(7).reset == h2::kRefusedStream);
  upstream.release_all();
  CHECK(early.receive(1).status() == 200);
}

TEST_CASE("6.8, 7: a client's GOAWAY, of whatever code, lets end what it has asked for, and then the connection") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  for (const std::uint32_t code : {0U, 0xffU}) {
    H2Client client(proxy);
    const std::uint32_t stream = client.start("GET", "/");
    CHECK(eventually([&] { return upstream.inside() == 1; }));
    client.frame(h2::kGoaway, 0, 0, four(0) + four(code));
    CHECK(client.ping());
    upstream.release();
    CHECK(client.receive(stream).status() == 200);
    CHECK(client.ended());
  }
}

TEST_CASE("6.9: DATA waits for the windows, and goes on as they open") {
  Upstream upstream([](Turn& turn) { turn.answer("12345"); });
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  {
    H2Client client(proxy, {{4, 1}});
    client.open_no_windows();
    const std::uint32_t stream = client.start("GET", "/");
    Frame frame = client.read(h2::kData);
    CHECK(frame.payload == "1");
    client.frame(h2::kSettings, 0, 0, setting(4, 3));
    frame = client.read(h2::kData);
    CHECK(frame.payload == "23");
    client.frame(h2::kWindowUpdate, 0, stream, four(100));
    CHECK(client.receive(stream).body == "12345");
  }
  {
    // A window below zero (section 6.9.2).
    H2Client client(proxy, {{4, 3}});
    client.open_no_windows();
    const std::uint32_t stream = client.start("GET", "/");
    Frame frame = client.read(h2::kData);
    CHECK(frame.payload == "123");
    client.frame(h2::kSettings, 0, 0, setting(4, 2));
    client.frame(h2::kWindowUpdate, 0, stream, four(2));
    frame = client.read(h2::kData);
    CHECK(frame.payload == "4");
  }
}

TEST_CASE("6.7: a PING is answered with its payload") {
  Upstream upstream;
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  H2Client client(proxy);
  client.frame(h2::kPing, 0, 0, "h2spec\1\2");
  const Frame frame = client.read(h2::kPing);
  CHECK(frame.flags == h2::kAck);
  CHECK(frame.payload == "h2spec\1\2");
}

}  // namespace
}  // namespace spillway::test
