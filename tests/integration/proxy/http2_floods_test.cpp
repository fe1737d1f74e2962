// Floods over HTTP/2: whatever a client does again and again, the API never holds more than the cap, and the connection
// is closed, counted by kind, and logged once.

#include <functional>

#include <doctest/doctest.h>

#include "tests/integration/proxy/held.hpp"
#include "tests/integration/proxy/http2_client.hpp"

namespace spillway::test {
namespace {

/// 50 resets and 100 frames of a kind in a burst.
constexpr const char* kLimits = "http2: {resets: 5, frames: 10}";
constexpr int kCap = 5;
constexpr int kRequests = 15;            ///< beyond the cap they wait
constexpr std::uint32_t kUpload = 1;     ///< a request whose body is due: the API does not see it before
constexpr std::uint32_t kTooLong = 201;  ///< a request that is refused before its body has come
constexpr int kGet = h2::kEndHeaders | h2::kEndStream;
constexpr int kPriorityUpdate = 16;
constexpr int kUnknown = 77;

std::string four(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
  return out;
}

std::uint32_t take_stream(H2Client& client) {
  client.skip_streams(1);
  return client.next_stream() - 2;
}

/// A head of 36 KB that is sent in pieces.
bool send_long_head(H2Client& client) {
  const std::uint32_t stream = take_stream(client);
  std::string block = client.encode(H2Client::request("GET", "/"));
  for (int i = 0; i < 2200; ++i) block.append("\x00\x05x-abc\x08", 8).append("12345678");
  constexpr std::size_t kPiece = 16'384;
  bool sent = client.frame(h2::kHeaders, h2::kEndStream, stream, block.substr(0, kPiece));
  for (std::size_t at = kPiece; sent && at < block.size(); at += kPiece)
    sent = client.frame(h2::kContinuation, 0, stream, block.substr(at, kPiece));
  return sent;
}

bool send_many_continuations(H2Client& client) {
  const std::uint32_t stream = take_stream(client);
  bool sent = client.frame(h2::kHeaders, h2::kEndStream, stream, client.encode(H2Client::request("GET", "/")));
  for (int i = 0; sent && i < 100; ++i) sent = client.frame(h2::kContinuation, 0, stream);
  return sent;
}

/// A head and `more` in one piece, so that the API is not asked in between.
bool send_post(H2Client& client, const Fields& fields, const std::string& more) {
  const std::uint32_t stream = take_stream(client);
  const std::string block = client.encode(H2Client::request("POST", "/", fields));
  client.send(H2Client::bytes_of(h2::kHeaders, h2::kEndHeaders, stream, block) + more);
  return client.ping();
}

/// DATA of a stream that the proxy has reset.
bool send_stray(H2Client& client, int step) {
  if (step > 0) return client.data(kTooLong, "late");
  client.skip_streams((kTooLong - client.next_stream()) / 2);
  client.start(H2Client::request("POST", "/", {{"content-length", "100000000"}}), false);
  return client.read(h2::kRst, kTooLong).type >= 0;
}

struct Flood {
  std::string name;
  std::string kind;  ///< in the counter and in the log
  int code;          ///< of GOAWAY
  std::function<bool(H2Client&, int step)> send;
};

const std::vector<Flood> kFloods{
    {"rapid reset", "reset", h2::kEnhanceYourCalm, [](H2Client& c, int) { return c.reset(c.start("GET", "/")); }},
    {"resets of a closed stream", "reset", h2::kEnhanceYourCalm, [](H2Client& c, int) { return c.reset(kUpload); }},
    // MadeYouReset: the client makes the proxy reset. It waits for that, or it would open more streams than it may.
    {"malformed requests", "provoked", h2::kEnhanceYourCalm,
     [](H2Client& c, int) {
       c.frame(h2::kHeaders, kGet, take_stream(c), c.encode(H2Client::request("GET", "/ x")));
       return c.ping();
     }},
    {"empty HEADERS", "provoked", h2::kEnhanceYourCalm,
     [](H2Client& c, int) {
       c.frame(h2::kHeaders, kGet, take_stream(c));
       return c.ping();
     }},
    {"trailers without an end", "provoked", h2::kEnhanceYourCalm,
     [](H2Client& c, int) {
       return send_post(c, {}, H2Client::bytes_of(h2::kHeaders, h2::kEndHeaders, c.next_stream()));
     }},
    {"a window beyond its maximum", "provoked", h2::kEnhanceYourCalm,
     [](H2Client& c, int) {
       c.frame(h2::kWindowUpdate, 0, c.start("GET", "/"), four(0x7fffffff));
       return c.ping();
     }},
    {"more DATA than Content-Length", "provoked", h2::kEnhanceYourCalm,
     [](H2Client& c, int) {
       return send_post(c, {{"content-length", "1"}},
                        H2Client::bytes_of(h2::kData, h2::kEndStream, c.next_stream(), "12"));
     }},
    // MadeYouReset by an error that ends the connection the first time.
    {"WINDOW_UPDATE of 0", "protocol_error", h2::kProtocolError,
     [](H2Client& c, int) {
       c.frame(h2::kWindowUpdate, 0, c.start("GET", "/"), four(0));
       return c.ping();
     }},
    {"DATA after the end", "protocol_error", h2::kStreamClosed,
     [](H2Client& c, int) {
       c.data(c.start("GET", "/"), "x");
       return c.ping();
     }},
    {"a request that depends on itself", "protocol_error", h2::kProtocolError,
     [](H2Client& c, int) {
       const std::uint32_t stream = c.start("GET", "/");
       c.frame(h2::kPriority, 0, stream, four(stream) + "\x10");
       return c.ping();
     }},
    {"PRIORITY of another length", "protocol_error", h2::kFrameSizeError,
     [](H2Client& c, int) {
       c.frame(h2::kPriority, 0, c.start("GET", "/"), "1234");
       return c.ping();
     }},
    // Frames that carry nothing.
    {"CONTINUATION", "continuation", h2::kEnhanceYourCalm, [](H2Client& c, int) { return send_many_continuations(c); }},
    {"a long head", "header_list", h2::kEnhanceYourCalm, [](H2Client& c, int) { return send_long_head(c); }},
    {"SETTINGS", "settings", h2::kEnhanceYourCalm, [](H2Client& c, int) { return c.frame(h2::kSettings, 0, 0); }},
    {"PING", "ping", h2::kEnhanceYourCalm, [](H2Client& c, int) { return c.frame(h2::kPing, 0, 0, "12345678"); }},
    {"PRIORITY", "priority", h2::kEnhanceYourCalm,
     [](H2Client& c, int) { return c.frame(h2::kPriority, 0, 1001, four(3) + "\x10"); }},
    {"PRIORITY_UPDATE", "priority", h2::kEnhanceYourCalm,
     [](H2Client& c, int) { return c.frame(kPriorityUpdate, 0, 0, four(1) + "u=1"); }},
    {"WINDOW_UPDATE of the connection", "window_update", h2::kEnhanceYourCalm,
     [](H2Client& c, int) { return c.frame(h2::kWindowUpdate, 0, 0, four(1)); }},
    {"WINDOW_UPDATE of a stream", "window_update", h2::kEnhanceYourCalm,
     [](H2Client& c, int) { return c.frame(h2::kWindowUpdate, 0, kUpload, four(1)); }},
    {"DATA without payload", "empty", h2::kEnhanceYourCalm,
     [](H2Client& c, int) { return c.frame(h2::kData, 0, kUpload); }},
    {"DATA of padding alone", "empty", h2::kEnhanceYourCalm,
     [](H2Client& c, int) { return c.frame(h2::kData, h2::kPadded, kUpload, std::string(1, '\0')); }},
    {"SETTINGS of many entries", "settings", h2::kEnhanceYourCalm,
     [](H2Client& c, int) {
       std::string entries;
       for (int i = 0; i < 300; ++i) entries.append("\0\4\0\0\xff\xff", 6);
       return c.frame(h2::kSettings, 0, 0, entries);
     }},
    {"unknown frames", "unknown", h2::kEnhanceYourCalm, [](H2Client& c, int) { return c.frame(kUnknown, 0, 0, "x"); }},
    {"GOAWAY", "unknown", h2::kEnhanceYourCalm,
     [](H2Client& c, int) { return c.frame(h2::kGoaway, 0, 0, four(0) + four(0)); }},
    {"DATA of a stream that was reset", "stray", h2::kEnhanceYourCalm, send_stray},
};

int count_of(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// Sends until the connection ends, and returns the code of GOAWAY.
int flood(H2Client& client, const Flood& what) {
  constexpr int kSteps = 20'000;
  for (int step = 0; step < kSteps && what.send(client, step); ++step) {
  }
  return client.goaway();
}

double abuse(const Proxy& proxy, const std::string& kind) {
  return proxy.metric("spillway_http2_abuse_total", {{"kind", kind}});
}

TEST_CASE("a flood: the API never holds more than the cap, and the connection is closed, counted and logged") {
  for (const Flood& each : kFloods) {
    CAPTURE(each.name);
    Upstream upstream(hold);
    Proxy proxy(upstream, {.timeouts = "request_body: 5m, response: 5m",
                           .limits = kLimits,
                           .admission = admit(kCap) + ", queue: {max_wait: 5m, max_length: 1000}",
                           .listen = kHttp2Listen});
    // The API is idle when the first one comes, and full when the second one does.
    for (int attack = 1; attack <= 2; ++attack) {
      H2Client client(proxy);
      client.start(H2Client::request("POST", "/", {{"content-length", "1000"}}), false);
      for (int i = 0; attack == 2 && i < kRequests; ++i) client.start("GET", "/");
      CHECK(client.ping());
      if (attack == 2) CHECK(eventually([&] { return upstream.inside() == kCap; }));
      CHECK(flood(client, each) == each.code);
      CHECK(client.ended());
      CHECK(abuse(proxy, each.kind) == attack);
      CHECK(eventually([&] { return proxy.stat("queue_length") == 0; }));
      CHECK(proxy.stat("in_flight") <= kCap);
      if (attack == 2) continue;
      const std::string what = std::string(each.kind) == "protocol_error" ? "" : "too much of ";
      CHECK(proxy.await_log("closed an HTTP/2 connection of 127.0.0.1: " + what + each.kind));
      CHECK(count_of(proxy.log(), "closed an HTTP/2 connection") == 1);
    }
    CHECK(proxy.metric("spillway_http2_abuse_total") == 2);
    CHECK(upstream.inside() == kCap);
    CHECK(upstream.requests() == kCap);
    upstream.release_all();
    CHECK(eventually([&] { return proxy.stat("in_flight") == 0; }));
    CHECK(H2Client(proxy).get("/").status() == 200);
    CHECK(upstream.most_inside() <= kCap);
    CHECK(proxy.accounts_balance());
  }
}

TEST_CASE("a flood of requests whose windows stay shut, when there is no memory for the answers") {
  const std::string body = pattern(10'000);
  Upstream upstream([&](Turn& turn) { turn.answer(body); });
  Proxy proxy(upstream, {.timeouts = "response: 5m",
                         .limits = "buffered: 100KiB, http2: {resets: 1}",
                         .admission = admit(kCap),
                         .listen = kHttp2Listen});
  H2Client client(proxy, {{4, 0}});
  client.open_no_windows();
  const Flood shut{"", "shut_window", h2::kEnhanceYourCalm, [](H2Client& c, int) {
                     c.start("GET", "/");
                     return c.ping();
                   }};
  CHECK(flood(client, shut) == shut.code);
  CHECK(client.ended());
  CHECK(upstream.most_inside() <= kCap);
  CHECK(abuse(proxy, shut.kind) == 1);
  CHECK(proxy.await_log("too much of shut_window"));
  CHECK(eventually([&] { return proxy.stat("in_flight") == 0 && proxy.stat("buffered_bytes") == 0; }));
  CHECK(proxy.accounts_balance());
}

/// Acknowledgements that nobody reads. Whether GOAWAY reaches such a client is up to its buffers.
TEST_CASE("a flood of PING whose answers are not read") {
  Upstream upstream(hold);
  Proxy proxy(upstream, {.timeouts = "response: 5m",
                         .limits = "http2: {frames: 100000}",
                         .admission = admit(kCap) + ", queue: {max_wait: 5m, max_length: 1000}",
                         .listen = kHttp2Listen});
  H2Client client(proxy);
  for (int i = 0; i < kRequests; ++i) client.start("GET", "/");
  CHECK(eventually([&] { return upstream.inside() == kCap; }));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += H2Client::bytes_of(h2::kPing, 0, 0, "12345678");
  while (client.wire().send(many) && abuse(proxy, "unread") == 0) {
  }
  CHECK(abuse(proxy, "unread") == 1);
  CHECK(proxy.await_log("too much of unread"));
  CHECK(proxy.memory() < std::size_t{512} * 1024 * 1024);  // AddressSanitizer keeps what is freed
  CHECK(eventually([&] { return proxy.stat("queue_length") == 0; }));
  CHECK(upstream.most_inside() == kCap);
  CHECK(proxy.stat("in_flight") == kCap);
  upstream.release_all();
  CHECK(eventually([&] { return proxy.stat("in_flight") == 0; }));
  CHECK(proxy.accounts_balance());
}

}  // namespace
}  // namespace spillway::test
