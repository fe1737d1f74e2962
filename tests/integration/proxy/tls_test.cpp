// TLS in front: versions, certificates, tickets, and how connections end.

#include <csignal>
#include <cstdio>
#include <memory>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/tls_harness.hpp"

namespace spillway::test {
namespace {

constexpr const char* kRequest = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";

std::string command_output(const std::string& command) {
  FILE* const pipe = ::popen(command.c_str(), "r");  // NOLINT(cert-env33-c): a fixed command of the test
  REQUIRE(pipe != nullptr);
  std::string text;
  char bytes[4096];
  while (const std::size_t n = std::fread(bytes, 1, sizeof bytes, pipe)) text.append(bytes, n);
  ::pclose(pipe);
  return text;
}

TEST_CASE("requests over TLS 1.3 and 1.2 are answered, and the API is told of https") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsWish wish = files.wish();
    wish.lowest = wish.highest = version;
    TlsClient client(proxy.port(), wish);
    REQUIRE(client.connected());
    for (int i = 0; i < 3; ++i) {
      client.send(kRequest);
      CHECK(client.read_until("ok").starts_with("HTTP/1.1 200 OK"));
    }
    CHECK(client.get("/b").ends_with("ok"));
    CHECK(client.end() == TlsClient::End::clean);
  }
  CHECK(support::field_of(upstream.seen().front().head, "x-forwarded-proto") == "https");
  CHECK(proxy.metric("spillway_tls_handshakes_total", {{"result", "ok"}, {"version", "1.2"}}) == 1);
  CHECK(proxy.metric("spillway_tls_handshakes_total", {{"result", "ok"}, {"version", "1.3"}}) == 1);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("curl and openssl s_client connect") {
  const TlsFiles files;
  files.put("a");
  write_file(files.path("ca.pem"), files.authority.certificate());
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  const std::string port = std::to_string(proxy.port());
  for (const char* version : {"--tlsv1.3", "--tls-max 1.2"}) {
    const std::string text = command_output("curl -sS " + std::string(version) + " --cacert " + files.path("ca.pem") +
                                            " https://localhost:" + port + "/ 2>&1");
    CHECK(text == "ok");
  }
  const std::string text = command_output("echo | openssl s_client -connect localhost:" + port + " -CAfile " +
                                          files.path("ca.pem") + " -verify_return_error 2>&1");
  CHECK(text.find("Verify return code: 0 (ok)") != std::string::npos);
  CHECK(text.find("Compression: NONE") != std::string::npos);
  CHECK(text.find("Server Temp Key: X25519") != std::string::npos);
  CHECK(text.find("Cipher is TLS_AES_128_GCM_SHA256") != std::string::npos);  // the client likes AES-256 better
}

TEST_CASE("older versions and weak ciphers are refused") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  const std::string port = std::to_string(proxy.port());
  for (const char* options : {"-tls1_1 -cipher DEFAULT@SECLEVEL=0", "-tls1_2 -cipher AES128-SHA",
                              "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA", "-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256"}) {
    CAPTURE(options);
    const std::string text =
        command_output("echo | openssl s_client -connect localhost:" + port + " " + options + " 2>&1");
    const bool no_cipher = text.find("alert handshake failure") != std::string::npos;
    const bool too_old = text.find("alert protocol version") != std::string::npos;
    CHECK((no_cipher || too_old));
  }
}

TEST_CASE("min_version 1.3 refuses 1.2") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = files.listen("a", "min_version: '1.3'")});
  TlsWish wish = files.wish();
  wish.highest = TLS1_2_VERSION;
  CHECK(TlsClient(proxy.port(), wish).error() == "tlsv1 alert protocol version");
  CHECK(TlsClient(proxy.port(), files.wish()).version() == "TLSv1.3");
  CHECK(proxy.await_metric("spillway_tls_handshakes_total", 1, {{"result", "failed"}}));
  CHECK(proxy.await_log("TLS handshake of 127.0.0.1 failed: "));
}

TEST_CASE("ALPN agrees on http/1.1, and fails without a common protocol") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  TlsWish wish = files.wish();
  wish.protocols = {"h3", "http/1.1"};
  TlsClient client(proxy.port(), wish);
  CHECK(client.protocol() == "http/1.1");
  CHECK(client.get("/").ends_with("ok"));
  wish.protocols = {"smtp"};
  CHECK(TlsClient(proxy.port(), wish).error() == "tlsv1 alert no application protocol");
  CHECK(TlsClient(proxy.port(), files.wish()).protocol().empty());
}

TEST_CASE("HTTP/2 is spoken where the entry allows it and the client agrees") {
  const TlsFiles files;
  files.put("a");
  write_file(files.path("ca.pem"), files.authority.certificate());
  Upstream upstream;
  std::string listen = files.listen("a");
  listen.insert(listen.size() - 1, ", http2: true");
  const Proxy proxy(upstream, {.listen = listen});
  const auto curl = [&](const std::string& version) {
    return command_output("curl -sS " + version + " -w ' %{http_version}' --cacert " + files.path("ca.pem") +
                          " https://localhost:" + std::to_string(proxy.port()) + "/ 2>&1");
  };
  CHECK(curl("--http2") == "ok 2");
  CHECK(curl("--http1.1") == "ok 1.1");
  CHECK(support::field_of(upstream.seen().front().head, "x-forwarded-proto") == "https");
  TlsWish wish = files.wish();
  wish.protocols = {"http/1.1", "h2"};
  CHECK(TlsClient(proxy.port(), wish).protocol() == "h2");
  TlsClient old(proxy.port(), files.wish());
  CHECK(old.get("/").ends_with("ok"));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("large bodies go through both ways, and requests may come in one record or in bytes") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream([](Turn& turn) { turn.answer(turn.body()); });
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  const std::string body = pattern(3'000'000);
  TlsClient client(proxy.port(), files.wish());
  client.send("POST /big HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  client.send(body);
  std::string answer = client.read_until("\r\n\r\n");
  answer.erase(0, answer.find("\r\n\r\n") + 4);
  while (answer.size() < body.size() && client.end() == TlsClient::End::none) answer += client.read_until("\n");
  CHECK(answer == body);

  const std::string two = std::string(kRequest) + kRequest;
  client.send(two);
  for (const char c : std::string(kRequest)) client.send({&c, 1});
  client.send("GET /end HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string all = client.read_to_end();
  std::size_t answers = 0;
  for (std::size_t at = 0; (at = all.find("HTTP/1.1 200", at)) != std::string::npos; ++at) ++answers;
  CHECK(answers == 4);
  CHECK(client.end() == TlsClient::End::clean);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a body without a length ends with a message, and a cut one without") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream([](Turn& turn) {
    turn.send("HTTP/1.1 200 OK\r\n\r\nall of it");
    turn.request() == "GET /cut" ? turn.reset() : turn.close();
  });
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  TlsClient whole(proxy.port(), files.wish());
  whole.send("GET /whole HTTP/1.0\r\n\r\n");
  CHECK(whole.read_to_end().ends_with("all of it"));
  CHECK(whole.end() == TlsClient::End::clean);
  TlsClient cut(proxy.port(), files.wish());
  cut.send("GET /cut HTTP/1.0\r\n\r\n");
  cut.read_to_end();
  CHECK((cut.end() == TlsClient::End::truncated || cut.end() == TlsClient::End::failed));
}

TEST_CASE("a client that only ends its side gets its answer, one that is cut is gone") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream([](Turn& turn) {
    turn.hold();
    turn.answer();
  });
  const Proxy proxy(upstream, {.upstream = "when_client_leaves: cancel", .listen = files.listen("a")});
  TlsClient half(proxy.port(), files.wish());
  half.send(kRequest);
  half.say_goodbye();
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  upstream.release();
  CHECK(half.read_to_end().find("ok") != std::string::npos);
  CHECK(half.end() == TlsClient::End::clean);

  TlsClient cut(proxy.port(), files.wish());
  cut.send(kRequest);
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  cut.cut();
  CHECK(proxy.await_metric("spillway_requests_total", 1, {{"outcome", "aborted"}}));
  upstream.release_all();
  CHECK(proxy.accounts_balance());
}

TEST_CASE("an upload that is cut reaches the API as cut") {
  const TlsFiles files;
  files.put("a");
  std::atomic<int> whole = 0, cut = 0;
  Upstream upstream([&](Turn& turn) {
    turn.body();
    ++(turn.body_whole() ? whole : cut);
    turn.close();
  });
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  TlsClient client(proxy.port(), files.wish());
  client.send("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n" +
              std::string(0x10000, 'x') + "\r\n");
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  client.cut();
  CHECK(eventually([&] { return cut == 1; }));
  CHECK(whole == 0);
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a client of plain HTTP gets a plain 400, and one line is logged") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  Client client(proxy.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const Reply reply = client.receive();
  CHECK(reply.status == 400);
  CHECK(reply.whole);
  CHECK(reply.body == "This port speaks TLS. Use https:// instead of it\n");
  CHECK(client.ended() == End::closed);
  CHECK(proxy.await_log("TLS handshake of 127.0.0.1 failed: plain HTTP on a port that speaks TLS"));
  CHECK(proxy.await_metric("spillway_tls_handshakes_total", 1, {{"result", "plain_http"}}));
  CHECK(upstream.requests() == 0);
}

TEST_CASE("plain and TLS listeners stand side by side") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = "['127.0.0.1:0', " + files.listen("a") + "]"});
  CHECK(Client(proxy).get("/").status == 200);
  const std::string log = proxy.log();
  const std::size_t second = log.rfind("listening on 127.0.0.1:");
  TlsClient client(std::stoi(log.substr(second + 23)), files.wish());
  CHECK(client.get("/").ends_with("ok"));
}

TEST_CASE("renegotiation and floods of new keys end the connection") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  TlsWish wish = files.wish();
  wish.highest = TLS1_2_VERSION;
  TlsClient old(proxy.port(), wish);
  REQUIRE(old.connected());
  CHECK_FALSE(old.renegotiate());

  TlsClient client(proxy.port(), files.wish());
  REQUIRE(client.update_keys());
  client.send(kRequest);
  CHECK(client.read_until("ok").starts_with("HTTP/1.1 200 OK"));
  client.send("GET /");
  bool ended = false;
  for (int i = 0; i < 100'000 && !ended; ++i) ended = !client.update_keys();
  CHECK(ended);
}

TEST_CASE("an idle connection outlives new keys, and serves the next request") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.timeouts = "keep_alive: 120s", .listen = files.listen("a")});
  TlsClient client(proxy.port(), files.wish());
  client.send(kRequest);
  client.read_until("ok");
  REQUIRE(client.update_keys());
  client.send(kRequest);
  CHECK(client.read_until("ok").starts_with("HTTP/1.1 200 OK"));
}

TEST_CASE("when many idle connections are cut at once, all of them are closed") {
  constexpr int kMany = 900;  // many more than the 256 that keep a buffer, and than epoll reports at once
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  std::vector<std::unique_ptr<TlsClient>> clients;
  for (int i = 0; i < kMany; ++i) {
    clients.push_back(std::make_unique<TlsClient>(proxy.port(), files.wish()));
    REQUIRE(clients.back()->connected());
  }
  REQUIRE(eventually([&] { return proxy.metric("spillway_client_connections") == kMany; }));
  proxy.signal(SIGSTOP);
  clients.clear();
  proxy.signal(SIGCONT);
  CHECK(eventually([&] { return proxy.metric("spillway_client_connections") == 0; }));
}

TEST_CASE("an idle connection is closed with a message") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream;
  const Proxy proxy(upstream, {.timeouts = "keep_alive: 100ms", .listen = files.listen("a")});
  TlsClient client(proxy.port(), files.wish());
  client.send(kRequest);
  client.read_to_end();
  CHECK(client.end() == TlsClient::End::clean);
}

TEST_CASE("a drain lets a request over TLS end, and closes the connection behind it") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream([](Turn& turn) {
    turn.hold();
    turn.answer();
  });
  Proxy proxy(upstream, {.listen = files.listen("a")});
  TlsClient busy(proxy.port(), files.wish()), idle(proxy.port(), files.wish());
  Wire silent = Wire::tcp(proxy.port());
  busy.send(kRequest);
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  proxy.signal(SIGTERM);
  REQUIRE(eventually([&] { return !proxy.listens(); }));
  idle.read_to_end();
  CHECK(idle.end() == TlsClient::End::clean);
  upstream.release();
  CHECK(busy.read_to_end().find("ok") != std::string::npos);
  CHECK(busy.end() == TlsClient::End::clean);
  CHECK(proxy.wait() == 0);
}

TEST_CASE("a slow reader over TLS gets all of a large answer") {
  const TlsFiles files;
  files.put("a");
  const std::string body = pattern(12'000'000);
  Upstream upstream([&](Turn& turn) { turn.answer(body); });
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  TlsClient client(proxy.port(), files.wish());
  client.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  REQUIRE(eventually([&] { return proxy.metric("spillway_upstream_connects_total") >= 1; }));
  std::string all = client.read_until("\r\n\r\n");
  all += client.read_to_end();
  CHECK(all.size() > body.size());
  CHECK(all.compare(all.size() - body.size(), body.size(), body) == 0);
  CHECK(client.end() == TlsClient::End::clean);
}

TEST_CASE("a websocket goes through TLS") {
  const TlsFiles files;
  files.put("a");
  Upstream upstream([](Turn& turn) {
    turn.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    std::string bytes;
    turn.wire().read_exactly(5, bytes);
    turn.send(bytes + " back");
    turn.close();
  });
  const Proxy proxy(upstream, {.listen = files.listen("a")});
  TlsClient client(proxy.port(), files.wish());
  client.send("GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello");
  CHECK(client.read_until("hello back").find("101 Switching") != std::string::npos);
  client.read_to_end();
  CHECK(client.end() == TlsClient::End::clean);
}

}  // namespace
}  // namespace spillway::test
