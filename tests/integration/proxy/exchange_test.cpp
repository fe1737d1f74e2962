// The forms of requests and responses, with clients of HTTP/1.1 and 1.0.

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

/// The response of the API names the request.
void name(Turn& turn) {
  turn.answer(turn.request() + ":" + turn.body());
}

TEST_CASE("pipelined requests are answered in their order") {
  for (const int workers : {1, 2}) {
    Upstream upstream(name);
    Proxy proxy(upstream, {.workers = workers});
    Client client(proxy);
    std::string all;
    constexpr int kRequests = 50;
    for (int i = 0; i < kRequests; ++i) {
      const std::string number = std::to_string(i);
      const char* const forms[] = {"GET /#1 HTTP/1.1\r\nHost: test\r\n\r\n",
                                   "POST /#1 HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc",
                                   "\r\nPOST /#1 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   "3\r\nabc\r\n0\r\n\r\n"};
      std::string form = forms[i % 3];
      form.replace(form.find("#1"), 2, number);
      all += form;
    }
    client.send(all);
    for (int i = 0; i < kRequests; ++i) {
      const std::string number = std::to_string(i);
      CHECK(client.receive().body == (i % 3 == 0 ? "GET /" + number + ":" : "POST /" + number + ":abc"));
    }
    CHECK(upstream.most_inside() == 1);
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("a request that arrives in part behind a queued one is read to its end afterwards") {
  Upstream upstream([](Turn& turn) {
    if (turn.request() == "GET /held") turn.hold();
    name(turn);
  });
  Proxy proxy(upstream, {.admission = "max_concurrent: 1, shed_at: 1, queue: {max_wait: 60s}"});
  const std::string next = "GET /next HTTP/1.1\r\nHost: test\r\nX: " + std::string(3000, 'x') + "\r\n\r\n";
  Client held(proxy), client(proxy);
  held.start("GET", "/held");
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  client.send("GET /first HTTP/1.1\r\nHost: test\r\n\r\n");
  REQUIRE(proxy.await_metric("spillway_queue_length", 1));
  client.send(next.substr(0, 100));
  upstream.release();
  CHECK(held.receive().status == 200);
  CHECK(client.receive().body == "GET /first:");
  client.send(next.substr(100));
  CHECK(client.receive().body == "GET /next:");
  CHECK(proxy.accounts_balance());
}

TEST_CASE("an invalid pipelined request ends the connection after the responses to those before it") {
  Upstream upstream(name);
  Proxy proxy(upstream);
  Client client(proxy);
  client.send("GET /1 HTTP/1.1\r\nHost: test\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\nHost: test\r\n\r\n");
  CHECK(client.receive().body == "GET /1:");
  CHECK(client.receive().status == 400);
  client.wire().finish_sending();
  CHECK(client.ended() == End::closed);
  CHECK(upstream.requests() == 1);
}

TEST_CASE("a client that sends Connection: close gets its response, then the connection closes") {
  Upstream upstream(name);
  Proxy proxy(upstream);
  Client client(proxy);
  client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  const Reply reply = client.receive();
  CHECK(reply.status == 200);
  CHECK(reply.field("Connection") == "close");
  CHECK(client.ended() == End::closed);
}

TEST_CASE(
    "with timeouts.keep_alive: 0 every response closes the connection, and the first request may take request_head") {
  Upstream upstream(name);
  Proxy proxy(upstream, {.timeouts = "keep_alive: 0", .limits = "uri: 64"});
  struct Row {
    const char* what;
    std::string request;
    int status;
  };
  const Row rows[] = {
      {"of the API", "GET / HTTP/1.1\r\nHost: test\r\n\r\n", 200},
      {"of the API, to 1.0", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200},
      {"of the proxy", "OPTIONS * HTTP/1.1\r\nHost: test\r\nMax-Forwards: 0\r\n\r\n", 204},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Client client(proxy);
    // The proxy has accepted it and waits for its request.
    CHECK(proxy.await_metric("spillway_client_connections", 1));
    CHECK(client.wire().at_rest());
    client.send(row.request);
    const Reply reply = client.receive();
    CHECK(reply.status == row.status);
    CHECK(reply.whole);
    CHECK(reply.field("Connection") == "close");
    CHECK(client.ended() == End::closed);
    CHECK(proxy.await_metric("spillway_client_connections", 0));
  }
  CHECK(proxy.accounts_balance());
}

TEST_CASE("a client that has closed its sending side gets its response") {
  Upstream upstream([](Turn& turn) {
    turn.hold();
    turn.answer();
  });
  Proxy proxy(upstream);
  Client client(proxy);
  client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");
  client.wire().finish_sending();
  REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  upstream.release();
  CHECK(client.receive().status == 200);
  CHECK(client.ended() == End::closed);
}

TEST_CASE("a half-closed client gets its response after queueing, and with cancelling on") {
  const std::string requests[] = {
      "GET / HTTP/1.1\r\nHost: test\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello",
      "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"};
  for (const char* when_client_leaves : {"finish", "cancel"}) {
    for (const std::string& request : requests) {
      CAPTURE(when_client_leaves);
      CAPTURE(request);
      Upstream upstream([](Turn& turn) {
        turn.hold();
        turn.answer();
      });
      Proxy proxy(upstream, {.upstream = std::string("when_client_leaves: ") + when_client_leaves,
                             .admission = "max_concurrent: 1, shed_at: 1, queue: {max_wait: 60s}"});
      Client held(proxy), client(proxy);
      held.start("GET", "/held");
      REQUIRE(eventually([&] { return upstream.inside() == 1; }));
      client.send(request);
      REQUIRE(proxy.await_metric("spillway_queue_length", 1));
      client.wire().finish_sending();
      CHECK(client.wire().read_more());  // the beginning of its response: the proxy has noticed the half-close
      CHECK(proxy.metric("spillway_queue_length") == 1);
      upstream.release();
      CHECK(held.receive().status == 200);
      REQUIRE(eventually([&] { return upstream.requests() == 2; }));
      upstream.release();
      const Reply reply = client.receive();
      CHECK(reply.status == 200);
      CHECK(reply.head.starts_with("HTTP/1.1 200 OK\r\n"));
      CHECK(reply.body == "ok");
      CHECK(client.ended() == End::closed);
      CHECK(proxy.accounts_balance());
      CHECK(proxy.stat("aborted") == 0);
    }
  }
}

TEST_CASE("a half-closed client is aborted only when it closes its connection") {
  Upstream upstream([](Turn& turn) {
    turn.hold();
    turn.answer();
  });
  Proxy proxy(upstream, {.upstream = "when_client_leaves: cancel"});
  Client stays(proxy), leaves(proxy);
  for (Client* client : {&stays, &leaves}) {
    client->start("GET", "/");
    client->wire().finish_sending();
    CHECK(eventually([&] { return !client->wire().at_rest(); }));  // the beginning of its response
  }
  REQUIRE(eventually([&] { return upstream.inside() == 2; }));
  leaves.close();
  CHECK(proxy.await_metric("spillway_inflight", 1));
  upstream.release_all();
  const Reply reply = stays.receive();
  CHECK(reply.status == 200);
  CHECK(reply.head.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(proxy.accounts_balance());
  CHECK(proxy.stat("aborted") == 1);
}

TEST_CASE("a half-closed client gets the responses to all its pipelined requests") {
  Upstream upstream(name);
  Proxy proxy(upstream);
  Client client(proxy);
  client.send("GET /1 HTTP/1.1\r\nHost: test\r\n\r\nGET /2 HTTP/1.1\r\nHost: test\r\n\r\n");
  client.wire().finish_sending();
  CHECK(client.receive().body == "GET /1:");
  CHECK(client.receive().body == "GET /2:");
  CHECK(client.ended() == End::closed);
}

TEST_CASE("a method that the parser does not know gets 501, and passes with limits.methods: any") {
  Upstream upstream(name);
  Proxy known(upstream);
  CHECK(Client(known).request("QUERY", "/a", "", "body").status == 501);
  CHECK(upstream.bytes() == 0);
  Proxy any(upstream, {.limits = "methods: any"});
  Client client(any);
  CHECK(client.request("QUERY", "/a", "", "body").body == "QUERY /a:body");
  CHECK(client.request("DESCRIBE", "/b").body == "DESCRIBE /b:");
  CHECK(client.get("/c").body == "GET /c:");
  CHECK(client.request("TRACE", "/").status == 405);
  CHECK(any.accounts_balance());
}

TEST_CASE("a connection of HTTP/1.0 ends after the response unless the client asks for keep-alive") {
  Upstream upstream(name);
  Proxy proxy(upstream);
  Client once(proxy);
  once.send("GET /once HTTP/1.0\r\n\r\n");
  const Reply reply = once.receive();
  CHECK(reply.body == "GET /once:");
  CHECK(reply.field("Connection") == "close");
  CHECK(once.ended() == End::closed);
  CHECK(upstream.seen().back().head.starts_with("GET /once HTTP/1.1\r\nHost: "));

  Client again(proxy);
  for (int i = 0; i < 3; ++i) {
    again.send("GET /again HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const Reply kept = again.receive();
    CHECK(kept.body == "GET /again:");
    CHECK(kept.field("Connection") == "keep-alive");
  }
}

TEST_CASE("responses to HEAD, 204 and 304 have no body, whatever length they announce") {
  Upstream upstream([](Turn& turn) {
    if (turn.request() == "HEAD /length") turn.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    if (turn.request() == "HEAD /chunked") turn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    if (turn.request() == "HEAD /neither") turn.send("HTTP/1.1 200 OK\r\n\r\n");
    if (turn.request() == "GET /204") turn.send("HTTP/1.1 204 No Content\r\n\r\n");
    if (turn.request() == "GET /304")
      turn.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: \"a\"\r\n\r\n");
    if (turn.request() == "GET /after") turn.answer("after");
  });
  Proxy proxy(upstream);
  Client client(proxy);
  for (const char* target : {"/length", "/chunked", "/neither"}) {
    CAPTURE(target);
    const Reply reply = client.request("HEAD", target);
    CHECK(reply.status == 200);
    CHECK(reply.field("Content-Length") == (target == std::string("/length") ? "1000" : ""));
    CHECK(client.get("/after").body == "after");
  }
  CHECK(client.get("/204").status == 204);
  CHECK(client.get("/after").body == "after");
  const Reply unchanged = client.get("/304");
  CHECK(unchanged.status == 304);
  CHECK(unchanged.field("ETag") == "\"a\"");
  CHECK(client.get("/after").body == "after");
  CHECK(proxy.accounts_balance());
}

TEST_CASE("Expect: 100-continue gets the 100 once there is a slot, then the response") {
  Upstream upstream(name);
  Proxy proxy(upstream);
  Client client(proxy);
  for (int i = 0; i < 2; ++i) {
    client.send("POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    const Reply go_on = client.receive();
    CHECK(go_on.status == 100);
    client.send("hello");
    const Reply reply = client.receive();
    CHECK(reply.status == 200);
    CHECK(reply.body == "POST /:hello");
  }
}

TEST_CASE("a client that sends its body without waiting gets no 100") {
  Upstream upstream(name);
  Proxy proxy(upstream);
  Client client(proxy);
  client.send("POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(client.receive().status == 200);
}

TEST_CASE("early hints are forwarded to clients of 1.1, not to those of 1.0") {
  Upstream upstream([](Turn& turn) {
    turn.body();
    turn.send("HTTP/1.1 100 Continue\r\n\r\n");  // the proxy has already sent its own 100 if the client expects one
    turn.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
    turn.send("HTTP/1.1 103 Early Hints\r\nLink: </more.css>; rel=preload\r\n\r\n");
    turn.answer("final");
  });
  Proxy proxy(upstream);
  Client client(proxy);
  for (int i = 0; i < 2; ++i) {
    client.start("POST", "/", "", "body");
    const Reply first = client.receive();
    CHECK(first.status == 103);
    CHECK(first.field("Link") == "</style.css>; rel=preload");
    CHECK(client.receive().field("Link") == "</more.css>; rel=preload");
    CHECK(client.receive().body == "final");
  }
  Client old(proxy);
  old.send("GET / HTTP/1.0\r\n\r\n");
  CHECK(old.receive().body == "final");
  CHECK(upstream.connections() == 1);
}

TEST_CASE("a response during the upload ends the upload, and the client can read it") {
  for (const std::string framing : {"Content-Length: 10000000", "Transfer-Encoding: chunked"}) {
    CAPTURE(framing);
    Upstream upstream([](Turn& turn) {
      turn.send("HTTP/1.1 409 Conflict\r\nContent-Length: 8\r\n\r\nrejected");
      turn.left();
    });
    Proxy proxy(upstream);
    Client client(proxy);
    client.send("POST / HTTP/1.1\r\nHost: test\r\n" + framing + "\r\n\r\n");
    if (framing.starts_with("T")) client.send("7d000\r\n");
    client.send(pattern(500'000));
    const Reply reply = client.receive();
    CHECK(reply.status == 409);
    CHECK(reply.field("Connection") == "close");
    CHECK(reply.body == "rejected");
    CHECK(client.ended() == End::closed);
    CHECK(proxy.accounts_balance());
    CHECK(proxy.await_metric("spillway_upstream_connections", 0, {{"state", "idle"}}));
  }
}

TEST_CASE("the response of an API that closes without reading a large upload is forwarded") {
  Upstream upstream([](Turn& turn) {
    turn.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge");
    turn.wire().finish_sending();
    turn.left();
  });
  Proxy proxy(upstream);
  Client client(proxy);
  client.start("POST", "/", "", pattern(5'000'000));
  const Reply reply = client.receive();
  CHECK(reply.status == 413);
  CHECK(reply.body == "large");
}

TEST_CASE("an absolute-form target becomes origin-form, and OPTIONS may have the target *") {
  Upstream upstream(name);
  Proxy proxy(upstream, {.more = "log: {format: json, query: true}\n"});
  Client client(proxy);
  client.send("GET http://test/path?query HTTP/1.1\r\nHost: test\r\n\r\n");
  CHECK(client.receive().body == "GET /path?query:");
  client.send("GET http://test?query HTTP/1.1\r\nHost: test\r\n\r\n");
  CHECK(client.receive().body == "GET /?query:");
  CHECK(proxy.await_log("/?query"));
  client.send("OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n");
  CHECK(client.receive().body == "OPTIONS *:");
  client.send("OPTIONS http://test HTTP/1.1\r\nHost: test\r\n\r\n");
  CHECK(client.receive().body == "OPTIONS *:");
}

TEST_CASE("Max-Forwards of OPTIONS counts down, and the proxy answers at 0") {
  Upstream upstream(name);
  Proxy proxy(upstream);
  Client client(proxy);
  for (const char* target : {"/", "*"}) {
    CAPTURE(target);
    CHECK(client.request("OPTIONS", target, "Max-Forwards: 7\r\n").status == 200);
    CHECK(field_of(upstream.seen().back().head, "Max-Forwards") == "6");
    CHECK(client.request("OPTIONS", target, "Max-Forwards: 1\r\n", "body").body.ends_with(":body"));
    CHECK(field_of(upstream.seen().back().head, "Max-Forwards") == "0");

    const int before = upstream.requests();
    const Reply here = client.request("OPTIONS", target, "Max-Forwards: 0\r\n", "body");
    CHECK(here.status == 204);
    CHECK(here.field("Allow").find("GET") != std::string::npos);
    CHECK_FALSE(here.has("Content-Length"));
    CHECK(upstream.requests() == before);
  }
  // Only OPTIONS and TRACE count hops; TRACE is not served at all.
  CHECK(client.get("/", "Max-Forwards: 0\r\n").status == 200);
  CHECK(field_of(upstream.seen().back().head, "Max-Forwards") == "0");
  CHECK(proxy.stat("answered_by_proxy") == 2);
  CHECK(proxy.accounts_balance());
}

}  // namespace
}  // namespace spillway::test
