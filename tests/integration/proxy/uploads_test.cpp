// Large uploads of known length, most of which pass from socket to socket within the kernel.

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include <doctest/doctest.h>

#include "tests/integration/proxy/held.hpp"

namespace spillway::test {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;
constexpr std::size_t kLarge = 6 * kMiB + 7;
constexpr std::size_t kPart = 3 * kMiB;          // has left the client when a test goes on
constexpr std::size_t kTooMuch = 64 * kMiB + 7;  // for what sockets and the proxy hold
constexpr double kPipe = 256 * 1024;

std::string head_of(const std::string& start, std::size_t size, const std::string& fields = "") {
  return start + " HTTP/1.1\r\nHost: test\r\n" + fields + "Content-Length: " + std::to_string(size) + "\r\n\r\n";
}

Settings settings(const std::string& timeouts = "request_body: 60s") {
  return {.timeouts = timeouts, .limits = "body: 0"};
}

/// Says whether an upload has come as it was sent.
struct Receiver {
  explicit Receiver(std::size_t size) : expected(pattern(size)) {}
  void operator()(Turn& turn) const {
    if (turn.request() == "GET /small") return turn.answer();
    turn.answer(turn.body() == expected ? "whole" : "wrong");
  }
  std::string expected;
};

TEST_CASE("a large upload arrives whole, however the client sends it, and so does the request behind it") {
  Receiver receiver(kLarge);
  Upstream upstream([&](Turn& turn) { receiver(turn); });
  Proxy proxy(upstream, {.limits = "body: 0", .more = "trusted_proxies: [127.0.0.0/8]\nlog: {format: json}\n"});
  Client client(proxy);
  for (const std::size_t piece : {std::size_t{999}, std::size_t{65536}, kLarge + 100}) {
    CAPTURE(piece);
    const std::string id = "pieces-of-" + std::to_string(piece);
    const std::string sent = head_of("POST /", kLarge, "X-Request-ID: " + id + "\r\n") + receiver.expected +
                             "GET /small HTTP/1.1\r\nHost: test\r\n\r\n";
    for (std::size_t at = 0; at < sent.size(); at += piece) client.send(std::string_view(sent).substr(at, piece));
    CHECK(client.receive().body == "whole");
    CHECK(client.receive().body == "ok");
    REQUIRE(proxy.await_log(id));
    const std::string log = proxy.log();
    const std::string line = log.substr(log.find(id), 2000);
    CHECK(line.substr(0, line.find('\n')).find("\"bytes_in\":" + std::to_string(kLarge) + ",") != std::string::npos);
  }
  CHECK(upstream.connections() == 1);
  CHECK(nothing_held(proxy));
  CHECK(proxy.accounts_balance());
}

/// Descriptors of pipes that the proxy has open.
int pipes(const Proxy& proxy) {
  int count = 0;
  for (const auto& each : std::filesystem::directory_iterator("/proc/" + std::to_string(proxy.pid()) + "/fd")) {
    std::error_code closed;
    count += std::filesystem::read_symlink(each.path(), closed).native().starts_with("pipe:");
  }
  return count;
}

TEST_CASE("a large upload takes a pipe until its end nears; without memory for one it is read and written") {
  for (const bool memory : {true, false}) {
    CAPTURE(memory);
    const std::string body = pattern(kLarge);
    std::atomic<bool> come = false;
    Upstream upstream([&](Turn& turn) {
      if (turn.request() == "GET /small") return turn.answer();
      std::string got, rest;
      turn.wire().read_exactly(kPart, got);
      come = true;
      turn.wire().read_exactly(kLarge - kPart, rest);
      const bool whole = got + rest == body;
      turn.send(whole ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" : "wrong");
      turn.close();
    });
    Proxy proxy(upstream, {.timeouts = "request_body: 60s",
                           .limits = std::string("body: 0, min_rate: 0, buffered: ") + (memory ? "64MiB" : "400KiB")});
    Client client(proxy);
    CHECK(client.get("/small").body == "ok");
    const int before = pipes(proxy);
    client.send(head_of("POST /", kLarge) + body.substr(0, kPart));
    CHECK(eventually([&] { return come.load(); }));
    CHECK(eventually([&] { return pipes(proxy) == before + (memory ? 2 : 0); }));
    CHECK(proxy.stat("buffered_bytes") == (memory ? kPipe : 0));
    client.send(std::string_view(body).substr(kPart));
    CHECK(client.receive().status == 200);
    CHECK(nothing_held(proxy));
    CHECK(eventually([&] { return pipes(proxy) == before; }));
    CHECK(proxy.accounts_balance());
  }
}

/// A client in a thread of its own that sends a body too large to be held anywhere.
class Sender {
 public:
  explicit Sender(Client& client)
      : thread_([this, &client] {
          const std::string body = pattern(kTooMuch);  // first: it may take a while
          client.send(head_of("POST /", kTooMuch));
          for (std::string_view rest = body; !rest.empty(); rest.remove_prefix(std::min(kMiB, rest.size()))) {
            if (!client.send(rest.substr(0, kMiB))) break;
            sent_ += kMiB;
          }
        }) {}
  ~Sender() { thread_.join(); }
  /// Waits until neither the API nor the proxy takes more.
  bool is_held_up() const { return held_up(sent_); }

 private:
  std::atomic<std::size_t> sent_ = 0;
  std::thread thread_;
};

TEST_CASE("hints of the API in the middle of an upload lose none of it") {
  Receiver receiver(kTooMuch);
  Upstream upstream([&](Turn& turn) {
    turn.hold();
    turn.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
    turn.hold();
    receiver(turn);
  });
  Proxy proxy(upstream, settings());
  Client client(proxy);
  {
    const Sender sender(client);
    CHECK(sender.is_held_up());
    CHECK(proxy.stat("buffered_bytes") == kPipe);
    upstream.release();
    CHECK(client.receive().status == 103);
    upstream.release();
  }
  CHECK(client.receive().body == "whole");
  CHECK(nothing_held(proxy));
  CHECK(proxy.accounts_balance());
}

TEST_CASE("an answer in the middle of a large upload is final, whether the API reads or not") {
  for (const bool reads : {true, false}) {
    CAPTURE(reads);
    std::atomic<bool> come = false;
    Upstream upstream([&](Turn& turn) {
      CHECK(turn.wire().skip(kPart));
      come = true;
      turn.hold();
      turn.send("HTTP/1.1 409 Conflict\r\nContent-Length: 3\r\n\r\nno\n");
      if (reads) turn.left();
    });
    Proxy proxy(upstream, settings());
    Client client(proxy);
    {
      const Sender sender(client);
      CHECK(eventually([&] { return come.load(); }));
      CHECK(sender.is_held_up());
      upstream.release();
      const Reply reply = client.receive();
      CHECK(reply.status == 409);
      CHECK(reply.body == "no\n");
      CHECK(reply.field("Connection") == "close");
      CHECK(nothing_held(proxy));
      client.wire().shut_down();
    }
    CHECK(proxy.accounts_balance());
    CHECK(proxy.await_metric("spillway_requests_total", 1, {{"outcome", "client_error"}}));
  }
}

TEST_CASE("an API that closes in the middle of a large upload is told as 502, and nothing is sent again") {
  for (const bool resets : {false, true}) {
    for (const char* const method : {"POST /", "PUT /"}) {
      CAPTURE(resets);
      CAPTURE(method);
      Upstream upstream([&](Turn& turn) {
        if (turn.request() == "GET /small") return turn.answer();
        CHECK(turn.wire().skip(kPart));
        resets ? turn.reset() : turn.close();
      });
      Proxy proxy(upstream, settings());
      CHECK(Client(proxy).get("/small").body == "ok");  // its connection to the API is kept
      Client client(proxy);
      client.send(head_of(method, kLarge) + pattern(kPart + kMiB));
      const Reply reply = client.receive();
      CHECK(reply.status == 502);
      CHECK(reply.field("Connection") == "close");
      CHECK(upstream.requests() == 2);
      CHECK(nothing_held(proxy));
      CHECK(proxy.accounts_balance());
    }
  }
}

TEST_CASE("a client that leaves in the middle of a large upload leaks nothing") {
  std::atomic<int> come = 0, left = 0;
  Upstream upstream([&](Turn& turn) {
    come += turn.wire().skip(kPart);
    left += turn.left();
  });
  for (const char* const then : {"finish", "cancel"}) {
    for (const bool resets : {false, true}) {
      CAPTURE(then);
      CAPTURE(resets);
      const int before = left;
      Settings all = settings();
      all.upstream = std::string("when_client_leaves: ") + then;
      Proxy proxy(upstream, all);
      Client client(proxy);
      client.send(head_of("POST /", kLarge) + pattern(kPart));
      CHECK(eventually([&] { return come == before + 1; }));
      resets ? client.wire().reset() : client.close();
      CHECK(eventually([&] { return left == before + 1; }));
      CHECK(nothing_held(proxy));
      CHECK(proxy.accounts_balance());
      CHECK(proxy.stat("aborted") == 1);
    }
  }
}

TEST_CASE("a large upload that rests is given up, with what the pipe holds, and so is one that the API does not take") {
  for (const bool client_rests : {true, false}) {
    CAPTURE(client_rests);
    Upstream upstream([&](Turn& turn) {
      if (!client_rests) turn.hold();
      turn.left();
    });
    Proxy proxy(upstream, settings(client_rests ? "request_body: 300ms" : "response: 300ms"));
    Client client(proxy);
    if (client_rests) {
      client.send(head_of("POST /", kLarge) + pattern(kPart));
      CHECK(client.receive().status == 408);
    } else {
      const Sender sender(client);
      CHECK(client.receive().status == 504);
      client.wire().shut_down();
    }
    upstream.release();
    CHECK(nothing_held(proxy));
    CHECK(proxy.accounts_balance());
  }
}

}  // namespace
}  // namespace spillway::test
