// A listener behind a load balancer that says in a PROXY header who the client is.

#include <algorithm>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

using namespace std::string_literals;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
constexpr std::string_view kTrusted = "trusted_proxies: [127.0.0.0/8]\n";

Settings proxied(const std::string& limits = {}, std::string_view trusted = kTrusted) {
  Settings settings;
  settings.listen = "{address: 127.0.0.1:0, proxy_protocol: true}";
  settings.limits = limits;
  settings.more = std::string(trusted);
  return settings;
}

std::string line(const std::string& client) {
  return "PROXY TCP4 " + client + " 10.0.0.1 56324 443\r\n";
}

/// Version 2, from 192.0.2.2, with a value of `size` bytes behind the addresses.
std::string binary(std::size_t size) {
  const std::size_t length = 12 + 3 + size;
  const auto two_bytes = [](std::size_t n) {
    return std::string{static_cast<char>(n >> 8), static_cast<char>(n & 0xFF)};
  };
  return "\r\n\r\n\0\r\nQUIT\n\x21\x11"s + two_bytes(length) + "\xC0\x00\x02\x02\x0A\x00\x00\x01\x30\x39\x01\xBB\x04"s +
         two_bytes(size) + std::string(size, '\0');
}

std::string client_at_api(const Upstream& upstream) {
  return field_of(upstream.seen().back().head, "X-Forwarded-For");
}

TEST_CASE("the client of a PROXY header is the client to API, log and later requests of the connection") {
  Upstream upstream;
  Proxy proxy(upstream, proxied());
  Client first(proxy);
  REQUIRE(first.send(line("192.0.2.1") + std::string(kGet)));
  CHECK(first.receive().status == 200);
  CHECK(client_at_api(upstream) == "192.0.2.1");  // and is not believed what it says of another
  CHECK(proxy.await_log(R"("client":"192.0.2.1","peer":"127.0.0.1")"));
  CHECK(first.get("/again").status == 200);
  CHECK(client_at_api(upstream) == "192.0.2.1");

  Client second(proxy);
  REQUIRE(second.send(binary(0) + std::string(kGet)));
  CHECK(second.receive().status == 200);
  CHECK(client_at_api(upstream) == "192.0.2.2");

  Client third(proxy);
  REQUIRE(third.send("PROXY TCP6 2001:DB8::3 ::1 1 2\r\n" + std::string(kGet)));
  CHECK(third.receive().status == 200);
  CHECK(client_at_api(upstream) == "2001:db8::3");
}

TEST_CASE("a connection of the balancer's own keeps its address, and its word is believed") {
  Upstream upstream;
  Proxy proxy(upstream, proxied());
  for (const std::string& header : {"PROXY UNKNOWN\r\n"s, "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"s}) {
    Client client(proxy);
    REQUIRE(client.send(header + std::string(kGet)));
    CHECK(client.receive().status == 200);
    CHECK(client_at_api(upstream) == "203.0.113.9, 127.0.0.1");
  }
}

TEST_CASE("a PROXY header may come byte by byte, and be long") {
  Upstream upstream;
  Proxy proxy(upstream, proxied());
  for (const std::string& header : {line("192.0.2.7"), binary(3), binary(4000)}) {
    Client client(proxy);
    const std::string all = header + std::string(kGet);
    const std::size_t single = std::min<std::size_t>(all.size(), 150);
    for (std::size_t i = 0; i < single; ++i) REQUIRE(client.send(all.substr(i, 1)));
    if (single < all.size()) REQUIRE(client.send(all.substr(single)));
    CHECK(client.receive().status == 200);
  }
  CHECK(upstream.requests() == 3);
}

TEST_CASE("a connection without a valid PROXY header is closed unanswered, and counted") {
  Upstream upstream;
  Proxy proxy(upstream, proxied());
  double bad = 0;
  for (const std::string& bytes :
       {std::string(kGet), "PROXY TCP4 nonsense\r\n" + std::string(kGet), "\x16\x03\x01\x02\x00\x01"s,
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\xFF\xFF"s, "PROXY UNKNOWN " + std::string(200, 'x')}) {
    CAPTURE(bytes);
    Client client(proxy);
    REQUIRE(client.send(bytes));
    const End end = client.ended();
    CHECK((end == End::closed || end == End::reset));
    CHECK(proxy.await_metric("spillway_bad_requests_total", ++bad, {{"code", "400"}}));
  }
  CHECK(upstream.requests() == 0);
  CHECK(proxy.await_log("closed a connection from 127.0.0.1: PROXY header: there is none"));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a connection that is not from a trusted proxy is closed, whatever it says") {
  Upstream upstream;
  Proxy proxy(upstream, proxied({}, "trusted_proxies: [10.0.0.0/8]\n"));
  Client client(proxy);
  client.send(line("192.0.2.1") + std::string(kGet));
  const End end = client.ended();
  CHECK((end == End::closed || end == End::reset));
  CHECK(proxy.await_log("closed a connection from 127.0.0.1: PROXY header: its sender is not in trusted_proxies"));
  CHECK(upstream.requests() == 0);
}

TEST_CASE("a PROXY header that does not come whole in time closes the connection") {
  Upstream upstream;
  Settings settings = proxied();
  settings.timeouts = "request_head: 100ms";
  Proxy proxy(upstream, settings);
  for (const std::string& part : {""s, "PROXY TCP4 192.0.2.1 "s, binary(100).substr(0, 30)}) {
    Client client(proxy);
    if (!part.empty()) REQUIRE(client.send(part));
    const End end = client.ended();
    CHECK((end == End::closed || end == End::reset));
  }
  CHECK(proxy.await_metric("spillway_bad_requests_total", 3, {{"code", "408"}}));
  CHECK(proxy.await_metric("spillway_client_connections", 0));
}

TEST_CASE("connections are limited by the client that the PROXY header names") {
  Upstream upstream;
  Proxy proxy(upstream, proxied("connections_per_client: 1"));
  Client one(proxy), again(proxy), other(proxy);
  REQUIRE(one.send(line("192.0.2.1") + std::string(kGet)));
  CHECK(one.receive().status == 200);
  REQUIRE(again.send(line("192.0.2.1") + std::string(kGet)));
  CHECK(again.receive().status == 503);
  REQUIRE(other.send(line("192.0.2.2") + std::string(kGet)));
  CHECK(other.receive().status == 200);
}

TEST_CASE("a drain does not wait for a PROXY header") {
  Upstream upstream;
  Proxy proxy(upstream, proxied());
  Client silent(proxy), begun(proxy);
  REQUIRE(begun.send("PROXY "));
  CHECK(proxy.await_metric("spillway_client_connections", 2));
  CHECK(proxy.stop() == 0);
}

}  // namespace
}  // namespace spillway::test
