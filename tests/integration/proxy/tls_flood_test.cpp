// Handshakes are bounded, and starve nobody.

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/tls_harness.hpp"

namespace spillway::test {
namespace {

/// The first message of a client, as OpenSSL writes it.
std::string client_hello() {
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  SSL* const ssl = SSL_new(context);
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, in, out);
  SSL_connect(ssl);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out, &text);
  std::string hello(text, static_cast<std::size_t>(size));
  SSL_free(ssl);
  SSL_CTX_free(context);
  return hello;
}

TEST_CASE("clients that say hello and fall silent lose their places to others") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.timeouts = "handshake: 120s", .limits = "handshakes: 4", .listen = files.listen("a")});
  const std::string hello = client_hello();
  std::vector<Wire> silent;
  for (int i = 0; i < 20; ++i) {
    silent.push_back(Wire::tcp(proxy.port()));
    silent.back().send(hello);
  }
  CHECK(proxy.await_metric("spillway_tls_handshakes_total", 16, {{"result", "evicted"}}));
  TlsClient good(proxy.port(), files.wish());
  CHECK(good.get("/").ends_with("ok"));
}

TEST_CASE("a handshake has its time, whether or not the client has begun") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.timeouts = "handshake: 100ms", .listen = files.listen("a")});
  Client nothing(proxy), half(proxy);
  half.send(client_hello().substr(0, 40));
  CHECK(nothing.ended() != End::silent);
  CHECK(half.ended() != End::silent);
  CHECK(proxy.await_metric("spillway_tls_handshakes_total", 2, {{"result", "timeout"}}));
  CHECK(proxy.await_metric("spillway_client_connections", 0));
}

TEST_CASE("clients that leave, or send nonsense, are counted and forgotten") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  { Wire::tcp(proxy.port()); }
  CHECK(proxy.await_metric("spillway_tls_handshakes_total", 1, {{"result", "gone"}}));
  Client nonsense(proxy);
  nonsense.send(std::string(100, '\x05'));
  CHECK(nonsense.ended() != End::silent);
  CHECK(proxy.await_metric("spillway_tls_handshakes_total", 1, {{"result", "failed"}}));
  CHECK(proxy.await_metric("spillway_client_connections", 0));
}

TEST_CASE("a flood of handshakes lets clients that are connected go on") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.timeouts = "keep_alive: 120s", .limits = "handshakes: 8", .listen = files.listen("a")});
  TlsClient connected(proxy.port(), files.wish());
  REQUIRE(connected.connected());
  const std::string hello = client_hello();
  std::atomic<bool> stop = false;
  std::vector<std::thread> flood;
  for (int i = 0; i < 4; ++i) {
    flood.emplace_back([&] {
      std::vector<Wire> wires;
      while (!stop) {
        wires.push_back(Wire::tcp(proxy.port()));
        wires.back().send(hello);
        if (wires.size() > 200) wires.erase(wires.begin());
      }
    });
  }
  REQUIRE(eventually([&] {
    return proxy.metric("spillway_tls_handshakes_total", {{"result", "evicted"}}) +
               proxy.metric("spillway_tls_handshakes_total", {{"result", "gone"}}) >
           50;
  }));
  for (int i = 0; i < 50; ++i) {
    connected.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(connected.read_until("ok").starts_with("HTTP/1.1 200 OK"));
  }
  stop = true;
  for (std::thread& each : flood) each.join();
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a place is made for a new client by closing one that has sent nothing") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.timeouts = "handshake: 120s", .limits = "connections: 2", .listen = files.listen("a")});
  Client one(proxy), two(proxy);
  REQUIRE(proxy.await_metric("spillway_client_connections", 2));
  TlsClient good(proxy.port(), files.wish());
  CHECK(good.get("/").ends_with("ok"));
  CHECK(one.ended() != End::silent);
}

TEST_CASE("at the limit of connections those go that wait for a handshake, not clients that are connected") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.timeouts = "handshake: 120s, keep_alive: 120s",
                               .limits = "connections: 8, handshakes: 1",
                               .listen = files.listen("a")});
  TlsClient connected(proxy.port(), files.wish());
  REQUIRE(connected.connected());
  const std::string hello = client_hello();
  std::vector<Wire> flood;
  const auto evicted = [&] { return proxy.metric("spillway_tls_handshakes_total", {{"result", "evicted"}}); };
  const auto come = [&](int count) {
    for (int i = 0; i < count; ++i) {
      flood.push_back(Wire::tcp(proxy.port()));
      flood.back().send(hello);
    }
  };
  come(7);
  REQUIRE(eventually([&] { return evicted() >= 1; }));  // the place is taken, and wanted
  come(40);
  CHECK(eventually([&] { return evicted() >= 40; }));
  connected.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(connected.read_until("ok").starts_with("HTTP/1.1 200 OK"));
}

TEST_CASE("a part of a record does not keep an idle connection open") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.timeouts = "keep_alive: 120s, request_head: 100ms", .listen = files.listen("a")});
  TlsClient client(proxy.port(), files.wish());
  REQUIRE(client.connected());
  REQUIRE(proxy.await_metric("spillway_tls_handshakes_total", 1, {{"result", "ok"}}));
  Wire raw(::dup(client.descriptor()));
  raw.send(std::string("\x17\x03\x03\x01\x00", 5));
  client.read_to_end();
  CHECK(client.end() != TlsClient::End::none);
}

}  // namespace
}  // namespace spillway::test
