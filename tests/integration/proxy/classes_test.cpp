// Rules of classes, each over a real connection: the metrics tell which class a request was in.

#include <string>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

constexpr const char* kClasses =
    "classes:\n"
    "  - {name: tenant, match: [{host: \"*.example.org\", not: {path_prefix: /public/}}]}\n"
    "  - {name: export, match: [{query: format, value: full csv}]}\n"
    "  - {name: items, match: [{path_regex: \"/api/v[12]/items/[0-9]+\"}]}\n"
    "  - {name: staff, match: [{cookie: role, value: staff}]}\n"
    "  - {name: certified, match: [{client_certificate: CN=batch}]}\n"
    "  - {name: mobile, match: [{header: X-App, not: {header: X-App, value: web}}]}\n";

TEST_CASE("a request gets its class by host, query, expression, cookie or what it is not") {
  Upstream upstream;
  Proxy proxy(upstream, {.more = kClasses});
  Client client(proxy);
  struct Row {
    const char* target;
    const char* fields;  ///< the `Host` with them
    const char* expected;
  };
  const Row rows[] = {
      {"/x", "Host: a.EXAMPLE.org:8080\r\n", "tenant"},
      {"/public/x", "Host: a.example.org\r\n", "normal"},
      {"/x", "Host: example.org\r\n", "normal"},
      {"http://b.example.org/x", "Host: b.example.org\r\n", "tenant"},
      {"/x?a&%66ormat=full+csv", "Host: test\r\n", "export"},
      {"/x?format=csv", "Host: test\r\n", "normal"},
      {"/api/v2/items/17?x", "Host: test\r\n", "items"},
      {"/api/v2/items/17/x", "Host: test\r\n", "normal"},
      {"/x", "Host: test\r\nCookie: a=b; role=staff\r\n", "staff"},
      {"/x", "Host: test\r\nCookie: role=guest\r\n", "normal"},
      {"/x", "Host: test\r\nX-App: ios\r\n", "mobile"},
      {"/x", "Host: test\r\nX-App: web\r\n", "normal"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.target);
    CAPTURE(row.fields);
    const double before = proxy.metric("spillway_requests_total", {{"class", row.expected}});
    client.send(std::string("GET ") + row.target + " HTTP/1.1\r\n" + row.fields + "\r\n");
    CHECK(client.receive().status == 200);
    CHECK(proxy.await_metric("spillway_requests_total", before + 1, {{"class", row.expected}}));
  }
  CHECK(proxy.metric("spillway_requests_total", {{"class", "certified"}}) == 0);  // no TLS, no certificate
}

TEST_CASE("no spelling of a request gets around a class that is always refused") {
  Upstream upstream;
  Proxy proxy(upstream, {.more = "classes:\n"
                                 "  - name: never\n"
                                 "    shed_at: 0\n"
                                 "    match:\n"
                                 "      - path_regex: \"/reports/[a-z]+\"\n"
                                 "      - {query: export}\n"
                                 "      - {host: heavy.example}\n"
                                 "      - {path_prefix: /heavy/, not: {header: X-Light, value: \"yes\"}}\n"});
  Client client(proxy);
  CHECK(client.get("/x").status == 200);
  CHECK(client.get("/heavy/x", "X-Light: yes\r\n").status == 200);
  for (const char* target :
       {"/reports/all", "/reports/all/", "/%72eports/all", "//reports/all", "/x/..;/reports/all", "/reports%2Fall",
        "/%2572eports/all", "/reports/all%00", "/x?export", "/x?a=1&%65xport=1", "/x?a;export", "/x?export[]=1",
        "/x?EXPORT=1", "http://heavy.example/x", "http://heavy.example.:80/x", "/heavy/x"}) {
    CAPTURE(target);
    const bool absolute = std::string_view(target).starts_with("http");
    const std::string host = absolute ? std::string(target).substr(7, std::string(target).rfind('/') - 7) : "test";
    client.send(std::string("GET ") + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    const Reply reply = client.receive();
    CHECK(reply.status == 503);
    CHECK(reply.problem("reason") == "capacity");
  }
  CHECK(client.get("/heavy/x", "X-Light: yes\r\nX-Light: no\r\n").status == 503);
}

}  // namespace
}  // namespace spillway::test
