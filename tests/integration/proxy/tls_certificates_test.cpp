// Certificates of the proxy and of its clients: which one is shown, renewed, asked for, and refused.

#include <csignal>

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/tls_harness.hpp"

namespace spillway::test {
namespace {

TlsWish named(const TlsFiles& files, const std::string& name) {
  TlsWish wish = files.wish();
  wish.server_name = name;
  return wish;
}

TEST_CASE("the server name chooses the certificate, and its kind of key the client") {
  const TlsFiles files;
  files.put("first", {.names = {"first.example"}, .common_name = "first"});
  files.put("wild", {.names = {"*.wild.example"}, .common_name = "wild"});
  files.put("ec", {.names = {"both.example"}, .common_name = "ec"});
  files.put("rsa", {.names = {"both.example"}, .common_name = "rsa", .rsa = true});
  std::string certificates, keys;
  for (const char* name : {"first", "wild", "ec", "rsa"}) {
    certificates += (certificates.empty() ? "" : ", ") + files.path(std::string(name) + ".pem");
    keys += (keys.empty() ? "" : ", ") + files.path(std::string(name) + ".key");
  }
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = "{address: '127.0.0.1:0', tls: {certificate: [" + certificates + "], key: [" +
                                         keys + "]}}"});
  CHECK(TlsClient(proxy.port(), named(files, "first.example")).common_name() == "first");
  CHECK(TlsClient(proxy.port(), named(files, "a.wild.example")).common_name() == "wild");
  CHECK(TlsClient(proxy.port(), named(files, "BOTH.example")).common_name() == "ec");
  TlsWish rsa = named(files, "both.example");
  rsa.signatures = "RSA-PSS+SHA256:RSA+SHA256";
  rsa.ca.clear();  // the authority's own signature is an ECDSA one
  TlsClient only_rsa(proxy.port(), rsa);
  CHECK(only_rsa.rsa());
  CHECK(only_rsa.common_name() == "rsa");
  TlsWish stranger;
  stranger.server_name = "nobody.example";
  CHECK(TlsClient(proxy.port(), stranger).common_name() == "first");
  stranger.server_name.clear();
  CHECK(TlsClient(proxy.port(), stranger).common_name() == "first");
  CHECK(proxy.metric("spillway_tls_certificate_expiry_seconds", {{"certificate", files.path("wild.pem")}}) >
        static_cast<double>(std::time(nullptr)));
}

TEST_CASE("a renewed certificate is taken into use, and no connection is dropped") {
  const TlsFiles files;
  files.put("a", {.common_name = "old"});
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  TlsClient open(proxy.port(), files.wish());
  CHECK(open.common_name() == "old");

  files.put("a", {.common_name = "new", .rsa = true});
  CHECK(proxy.await_log("certificates reloaded"));
  CHECK(eventually([&] { return TlsClient(proxy.port(), files.wish()).common_name() == "new"; }));
  CHECK(open.get("/").ends_with("ok"));
  CHECK(open.end() == TlsClient::End::clean);
}

TEST_CASE("a bad certificate is refused at a reload, and the one in force stays") {
  const TlsFiles files;
  files.put("a", {.common_name = "good"});
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  write_file(files.path("a.key"), files.authority.issue().key);
  CHECK(proxy.await_log(files.path("a.key") + ": is not the key of " + files.path("a.pem")));
  CHECK(proxy.await_log("certificates not reloaded: the ones in force stay"));
  CHECK(TlsClient(proxy.port(), files.wish()).common_name() == "good");
  CHECK(proxy.metric("spillway_config_last_reload_successful") == 0);

  files.put("a", {.common_name = "mended"});
  CHECK(eventually([&] { return TlsClient(proxy.port(), files.wish()).common_name() == "mended"; }));
  CHECK(proxy.await_metric("spillway_config_last_reload_successful", 1));

  files.put("a", {.common_name = "late", .from_hours = -48, .to_hours = -1});
  CHECK(proxy.await_log(files.path("a.pem") + ": has expired at "));
  proxy.signal(SIGHUP);
  CHECK(proxy.await_log("configuration not reloaded"));
  CHECK(TlsClient(proxy.port(), files.wish()).common_name() == "mended");
}

TEST_CASE("TLS can be switched on by a reload") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  Settings settings{.listen = "{address: '127.0.0.1:0'}"};
  Proxy proxy(upstream, settings);
  CHECK(Client(proxy).get("/").status == 200);
  settings.listen = files.listen("a");
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  CHECK(proxy.await_log("configuration reloaded, changed: listen[0].tls.certificate"));
  CHECK(eventually([&] { return TlsClient(proxy.port(), files.wish()).get("/").ends_with("ok"); }));
}

TEST_CASE("a configuration that is refused for a missing certificate is taken once it is there") {
  const TlsFiles files;
  Upstream upstream;
  Settings settings{.listen = "{address: '127.0.0.1:0'}"};
  Proxy proxy(upstream, settings);
  settings.listen = files.listen("a");
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  CHECK(proxy.await_log(files.path("a.pem") + ": No such file or directory"));
  CHECK(proxy.await_log("configuration not reloaded: the one in force stays"));
  files.put("a");
  CHECK(eventually([&] { return TlsClient(proxy.port(), files.wish()).get("/").ends_with("ok"); }));
  CHECK(proxy.await_metric("spillway_config_last_reload_successful", 1));
}

TEST_CASE("an OCSP response is stapled") {
  const TlsFiles files;
  const Issued issued = files.put("a");
  const std::string response = files.authority.ocsp(issued.certificate);
  write_file(files.path("a.ocsp"), response);
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = files.listen("a", "ocsp: '" + files.path("a.ocsp") + "'")});
  TlsWish wish = files.wish();
  wish.wants_ocsp = true;
  CHECK(TlsClient(proxy.port(), wish).ocsp() == response);
}

TEST_CASE("tickets make the next handshake short, unless they are switched off") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const bool tickets : {true, false}) {
      CAPTURE(version);
      CAPTURE(tickets);
      const Proxy proxy(upstream, {.listen = files.listen("a", tickets ? "" : "tickets: false")});
      TlsWish wish = files.wish();
      wish.lowest = wish.highest = version;
      TlsClient first(proxy.port(), wish);
      first.get("/");
      wish.session = first.session();
      TlsClient second(proxy.port(), wish);
      CHECK(second.resumed() == tickets);
      CHECK(second.get("/").ends_with("ok"));
      CHECK(proxy.metric("spillway_tls_handshakes_total", {{"result", "resumed"}}) == (tickets ? 1 : 0));

      // New certificates do not invalidate tickets: clients would all come at once.
      files.put("a");
      REQUIRE(proxy.await_log("certificates reloaded"));
      CHECK(TlsClient(proxy.port(), wish).resumed() == tickets);
    }
  }
}

TEST_CASE("a reload that adds a listener still has the others require certificates, or show another one") {
  const TlsFiles files;
  files.put("a", {.common_name = "first"});
  files.put("b", {.common_name = "second"});
  write_file(files.path("clients.pem"), Authority("Clients").certificate());
  const std::string strict = "client_ca: '" + files.path("clients.pem") + "', client_certificate: require";
  Upstream upstream;
  Settings settings{.listen = "[" + files.listen("a") + "]"};
  Proxy proxy(upstream, settings);
  CHECK(TlsClient(proxy.port(), files.wish()).get("/").ends_with("ok"));
  settings.listen = "['127.0.0.2:0', " + files.listen("b") + "]";
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  CHECK(proxy.await_log("listen has changed: takes effect at the next start"));
  CHECK(eventually([&] { return TlsClient(proxy.port(), files.wish()).common_name() == "second"; }));
  settings.listen = "['127.0.0.2:0', " + files.listen("b", strict) + "]";
  proxy.configure(settings);
  proxy.signal(SIGHUP);
  CHECK(eventually([&] { return TlsClient(proxy.port(), files.wish()).get("/").empty(); }));
  CHECK(proxy.metric("spillway_config_restart_pending") == 1);
}

TEST_CASE("client certificates are verified, and the API is told") {
  const TlsFiles files;
  files.put("a");
  const Authority clients("Clients"), strangers("Strangers");
  write_file(files.path("clients.pem"), clients.certificate());
  const Issued alice = clients.issue({.names = {}, .common_name = "alice"});
  const Issued mallory = strangers.issue({.names = {}, .common_name = "alice"});
  const Issued late = clients.issue({.names = {}, .common_name = "alice", .from_hours = -48, .to_hours = -1});
  const auto with = [&](const Issued& shown) {
    TlsWish wish = files.wish();
    wish.certificate = shown.certificate;
    wish.key = shown.key;
    return wish;
  };
  const std::string forged = "X-Client-Cert-Subject: CN=root\r\nX-CLIENT-CERT-FINGERPRINT: 00\r\n";
  for (const char* mode : {"request", "require"}) {
    CAPTURE(mode);
    Upstream upstream;
    const Proxy proxy(upstream, {.listen = files.listen("a", "client_ca: '" + files.path("clients.pem") +
                                                                 "', client_certificate: " + mode),
                                 .more = "trusted_proxies: [127.0.0.0/8]\n"});
    TlsClient good(proxy.port(), with(alice));
    CHECK(good.get("/alice", forged).ends_with("ok"));
    const std::string head = upstream.seen().at(0).head;
    CHECK(support::field_of(head, "x-client-cert-subject") == "CN=alice");
    CHECK(support::field_of(head, "x-client-cert-fingerprint") == support::fingerprint(alice.certificate));
    CHECK(support::count_fields(head, "x-client-cert-subject") == 1);
    CHECK(support::count_fields(head, "x-client-cert-fingerprint") == 1);

    // A resumed session keeps the certificate.
    TlsWish again = with(alice);
    again.session = good.session();
    TlsClient resumed(proxy.port(), again);
    CHECK(resumed.resumed());
    CHECK(resumed.get("/resumed").ends_with("ok"));
    CHECK(support::field_of(upstream.seen().at(1).head, "x-client-cert-subject") == "CN=alice");

    const int before = upstream.requests();
    for (const Issued& bad : {mallory, late}) CHECK(TlsClient(proxy.port(), with(bad)).get("/bad").empty());
    CHECK(upstream.requests() == before);

    TlsClient none(proxy.port(), files.wish());
    const std::string answer = none.get("/none", forged);
    if (mode == std::string("request")) {
      CHECK(answer.ends_with("ok"));
      CHECK(support::count_fields(upstream.seen().back().head, "x-client-cert-subject") == 0);
      CHECK(support::count_fields(upstream.seen().back().head, "x-client-cert-fingerprint") == 0);
    } else {
      CHECK(answer.empty());
    }
  }
}

TEST_CASE("a certificate may choose the class, and be the key of fairness") {
  const TlsFiles files;
  files.put("a");
  const Authority clients("Clients");
  write_file(files.path("clients.pem"), clients.certificate());
  const Issued alice = clients.issue({.names = {}, .common_name = "alice"});
  Upstream upstream;
  const Proxy proxy(upstream, {.admission = "fairness: {key: client_certificate}",
                               .listen = files.listen(
                                   "a", "client_ca: '" + files.path("clients.pem") + "', client_certificate: request"),
                               .more = "classes: [{name: partners, match: [{client_certificate: CN=alice}]}]\n"});
  TlsWish wish = files.wish();
  TlsClient(proxy.port(), wish).get("/", "X-Client-Cert-Subject: CN=alice\r\n");
  wish.certificate = alice.certificate;
  wish.key = alice.key;
  TlsClient(proxy.port(), wish).get("/");
  CHECK(proxy.await_metric("spillway_requests_total", 1, {{"class", "partners"}}));
  CHECK(proxy.await_metric("spillway_requests_total", 1, {{"class", "normal"}}));
}

TEST_CASE("the admin listener may speak TLS, and require certificates") {
  const TlsFiles files;
  files.put("a");
  files.put("operator", {.names = {}, .common_name = "operator"});
  write_file(files.path("ca.pem"), files.authority.certificate());
  const Upstream upstream;
  const Proxy proxy("listen: 127.0.0.1:0\nadmin: {listen: " +
                    files.listen("a", "client_ca: '" + files.path("ca.pem") + "', client_certificate: require") +
                    "}\nlog: {format: json}\nupstream: {address: '" + upstream.address() +
                    "', health: {path: " + Upstream::kPollPath + "}}\n");
  CHECK(proxy.await_log("status page at https://"));
  CHECK(TlsClient(proxy.admin_port(), files.wish()).get("/metrics").empty());
  TlsWish wish = files.wish();
  wish.certificate = support::read_file(files.path("operator.pem"));
  wish.key = support::read_file(files.path("operator.key"));
  TlsClient client(proxy.admin_port(), wish);
  client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
  CHECK(client.get("/metrics").find("spillway_tls_certificate_expiry_seconds{certificate=") != std::string::npos);
  CHECK(client.end() == TlsClient::End::clean);

  const auto asked = [&](const char* command, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{program(), command, "--admin",
                                       "https://127.0.0.1:" + std::to_string(proxy.admin_port())};
    arguments.insert(arguments.end(), more.begin(), more.end());
    support::Process process({.arguments = arguments, .environment = {}, .in_child = {}});
    return process.wait();
  };
  const std::vector<std::string> shown{"--certificate", files.path("operator.pem"), "--key",
                                       files.path("operator.key")};
  CHECK(eventually([&] { return asked("healthcheck", shown) == 0; }));
  CHECK(asked("advise", shown) == 0);
  for (const char* command : {"healthcheck", "advise"}) {
    CHECK(asked(command, {}) == 1);
    CHECK(asked(command, {"--certificate", files.path("none.pem")}) == 2);
  }
}

TEST_CASE("a ticket of a listener without client certificates opens none that requires them") {
  const TlsFiles files;
  files.put("a");
  write_file(files.path("clients.pem"), Authority("Clients").certificate());
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = "[" + files.listen("a") + ", " +
                                         files.listen("a", "client_ca: '" + files.path("clients.pem") +
                                                               "', client_certificate: require") +
                                         "]"});
  const std::string log = proxy.log();
  const int strict = std::stoi(log.substr(log.rfind("listening on 127.0.0.1:") + 23));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsWish wish = files.wish();
    wish.lowest = wish.highest = version;
    TlsClient open(proxy.port(), wish);
    CHECK(open.get("/").ends_with("ok"));
    wish.session = open.session();
    CHECK(TlsClient(strict, wish).get("/").empty());
  }
  CHECK(upstream.requests() == 2);
}

TEST_CASE("clients' fields about certificates are removed on a plain listener, too") {
  Upstream upstream;
  const Proxy proxy(upstream, {.more = "trusted_proxies: [127.0.0.0/8]\n"});
  Client(proxy).get("/", "X-Client-Cert-Subject: CN=root\r\nx-client-cert-fingerprint: 00\r\n");
  CHECK(support::count_fields(upstream.seen().at(0).head, "x-client-cert-subject") == 0);
  CHECK(support::count_fields(upstream.seen().at(0).head, "x-client-cert-fingerprint") == 0);
}

TEST_CASE("a bad certificate is refused at check time with place, file and reason") {
  const TlsFiles files;
  files.put("late", {.from_hours = -48, .to_hours = -1});
  const auto check = [&](const std::string& listen) {
    const std::string file = files.path("proxy.yaml");
    write_file(file, "listen: " + listen + "\n");
    support::Process process({.arguments = {program(), "--config", file, "--check-config"},
                              .environment = {},
                              .in_child = {},
                              .log_stderr = true});
    CHECK(process.wait() == 1);
    return process.log();
  };
  CHECK(
      check(files.listen("late")).find("listen[0].tls.certificate: " + files.path("late.pem") + ": has expired at ") !=
      std::string::npos);
  CHECK(check(files.listen("none")).find(files.path("none.pem") + ": No such file or directory") != std::string::npos);
}

}  // namespace
}  // namespace spillway::test
