// TLS to the API: who is believed, and what is said of who is not.

#include <csignal>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/tls_harness.hpp"

namespace spillway::test {
namespace {

/// A proxy with TLS in front of the scripted API: the server that another proxy, the one under test, speaks TLS to.
struct SecureApi {
  SecureApi(const TlsFiles& files, const std::string& name, const std::string& more = {})
      : proxy(api, {.listen = files.listen(name, more)}) {}

  std::string address(const std::string& host = "localhost") const { return host + ":" + std::to_string(proxy.port()); }

  Upstream api;
  Proxy proxy;
};

/// Settings of a proxy in front of it. It is polled over TLS, too.
Settings in_front_of(const SecureApi& api, const std::string& tls, const std::string& host = "localhost") {
  return {.health = "interval: 50ms, timeout: 50ms, fall: 1",
          .upstream = "connect_timeout: 60s, tls: {enabled: true" + (tls.empty() ? "" : ", " + tls) + "}",
          .address = api.address(host)};
}

std::string trusting(const TlsFiles& files) {
  write_file(files.path("ca.pem"), files.authority.certificate());
  return "ca: '" + files.path("ca.pem") + "'";
}

TEST_CASE("requests and polls go to the API over TLS, which is resumed") {
  const TlsFiles files;
  files.put("a", {.addresses = {"127.0.0.1"}});
  const SecureApi api(files, "a");
  const Upstream unused;
  const Proxy proxy(unused, in_front_of(api, trusting(files)));
  CHECK(proxy.await_log("the API is reachable: GET /poll: 204"));
  Client client(proxy);
  for (int i = 0; i < 3; ++i) CHECK(client.get("/").body == "ok");
  CHECK(Client(proxy).request("POST", "/", {}, "body").status == 200);
  CHECK(api.api.seen().front().head.find("HTTP/1.1") != std::string::npos);
  CHECK(eventually([&] { return api.proxy.metric("spillway_tls_handshakes_total", {{"result", "resumed"}}) >= 2; }));
  CHECK(api.proxy.metric("spillway_tls_handshakes_total", {{"result", "ok"}}) == 1);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("an address is compared with the certificate's addresses") {
  const TlsFiles files;
  files.put("a", {.names = {}, .addresses = {"127.0.0.1"}, .common_name = "x"});
  const SecureApi api(files, "a");
  const Upstream unused;
  const Proxy proxy(unused, in_front_of(api, trusting(files), "127.0.0.1"));
  CHECK(Client(proxy).get("/").body == "ok");
}

TEST_CASE("what is wrong with the API's certificate is told in log and readiness") {
  const TlsFiles files, strangers{.authority = Authority("Strangers")};
  struct Row {
    Wanted wanted;
    std::string tls;
    const char* said;
  };
  for (const Row& row :
       {Row{{.names = {"other.example"}}, trusting(files), "certificate refused: hostname mismatch"},
        Row{{}, trusting(strangers), "certificate refused: self-signed certificate in certificate chain"},
        Row{{}, {}, "certificate refused: self-signed certificate in certificate chain"},
        Row{{}, trusting(files) + ", server_name: elsewhere.example", "certificate refused: hostname mismatch"}}) {
    CAPTURE(std::string(row.said));
    files.put("a", row.wanted);
    const SecureApi api(files, "a");
    const Upstream unused;
    const Proxy proxy(unused, in_front_of(api, row.tls));
    CHECK(proxy.await_log("the API is unreachable: connect: " + std::string(row.said)));
    CAPTURE(proxy.log());
    CHECK(proxy.page("/ready").first == 503);
    CHECK(proxy.page("/ready").second.find(row.said) != std::string::npos);
    const Reply reply = Client(proxy).get("/");
    CHECK(reply.status == 502);
    CHECK(reply.problem("detail") == "The service cannot be reached securely");
    CHECK(proxy.await_log("TLS to the API: " + std::string(row.said)));
    CHECK(api.api.requests() == 0);
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("verify: false believes anybody, and says so") {
  const TlsFiles files;
  files.put("a", {.names = {"other.example"}});
  const SecureApi api(files, "a");
  const Upstream unused;
  const Proxy proxy(unused, in_front_of(api, "verify: false"));
  CHECK(Client(proxy).get("/").body == "ok");
  CHECK(proxy.await_log("upstream.tls.verify is false"));
}

TEST_CASE("an API that requires a certificate gets it, and a renewed one") {
  const TlsFiles files;
  files.put("a");
  files.put("client", {.common_name = "proxy"});
  write_file(files.path("ca.pem"), files.authority.certificate());
  const SecureApi api(files, "a", "client_ca: '" + files.path("ca.pem") + "', client_certificate: require");
  const Upstream unused;
  const std::string shown =
      ", certificate: '" + files.path("client.pem") + "', key: '" + files.path("client.key") + "'";
  const Proxy proxy(unused, in_front_of(api, trusting(files) + shown));
  CHECK(Client(proxy).get("/").body == "ok");
  CHECK(support::field_of(api.api.seen().back().head, "x-client-cert-subject") == "CN=proxy");
  files.put("client", {.common_name = "renewed"});
  CHECK(proxy.await_log("certificates reloaded"));
  CHECK(eventually([&] {
    return Client(proxy).get("/").status == 200 &&
           support::field_of(api.api.seen().back().head, "x-client-cert-subject") == "CN=renewed";
  }));

  const Proxy bare(unused, in_front_of(api, trusting(files)));
  CHECK(bare.await_log("the API is unreachable: GET /poll: "));
  CHECK(Client(bare).get("/").status == 502);
}

TEST_CASE("an API that speaks no TLS is told from one that is away") {
  const Upstream api;
  const Proxy plain(api);
  const Proxy proxy(api, {.upstream = "connect_timeout: 60s, tls: {enabled: true, verify: false}",
                          .address = "127.0.0.1:" + std::to_string(plain.port())});
  CHECK(Client(proxy).get("/").status == 502);
  CHECK(proxy.await_log("TLS to the API: wrong version number"));
}

TEST_CASE("an API that is silent during the handshake is a connect that times out") {
  const support::Folder folder;
  Upstream held([](Turn& turn) { turn.hold(); });
  const Proxy proxy(held, {.health = "interval: 100ms, timeout: 100ms, fall: 1",
                           .upstream = "connect_timeout: 100ms, tls: {enabled: true, verify: false}"});
  held.pause();
  const Reply reply = Client(proxy).get("/");
  CHECK((reply.status == 504 || reply.status == 502));
  held.resume();
}

}  // namespace
}  // namespace spillway::test
