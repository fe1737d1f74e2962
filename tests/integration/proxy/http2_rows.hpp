#pragma once

#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/integration/proxy/held.hpp"
#include "tests/integration/proxy/http2_client.hpp"

// Tables of conformance: what a client sends on a fresh connection, and how the proxy takes it.
namespace spillway::test {

inline constexpr int kGet = h2::kEndHeaders | h2::kEndStream;

inline std::string four(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
  return out;
}
inline std::string setting(int id, std::uint32_t value) {
  return std::string{static_cast<char>(id >> 8), static_cast<char>(id)} + four(value);
}
inline std::string block(H2Client& client, const Fields& more = {}) {
  return client.encode(H2Client::request("GET", "/", more));
}
inline std::string post(H2Client& client, const Fields& more = {}) {
  return client.encode(H2Client::request("POST", "/", more));
}

/// How the proxy takes what a row sends.
enum class Expect {
  served,      ///< streams are served, and the connection stays
  answered,    ///< the stream is answered with this status, and the connection stays
  stream,      ///< the stream is reset with this code, or the connection ends with it
  connection,  ///< the connection ends with this code, or just ends
};

struct Row {
  std::string rule;
  std::function<void(H2Client&)> send;
  Expect expect;
  int code = 0;
  std::uint32_t of = 1;  ///< the stream
};

inline void check(const Proxy& proxy, const Row& row) {
  CAPTURE(row.rule);
  H2Client client(proxy);
  row.send(client);
  if (row.expect == Expect::served) {
    if (client.next_stream() <= row.of) client.skip_streams((row.of + 2 - client.next_stream()) / 2);
    CHECK(client.ping());
    CHECK(client.get("/").status() == 200);
    return;
  }
  if (row.expect == Expect::answered) {
    CHECK(client.receive(row.of).status() == row.code);
    if (client.next_stream() <= row.of) client.skip_streams((row.of + 2 - client.next_stream()) / 2);
    CHECK(client.get("/").status() == 200);
    return;
  }
  H2Reply reply;
  if (row.expect == Expect::stream) {
    reply = client.receive(row.of);
    CAPTURE(reply.status());
    CHECK((reply.reset == row.code || reply.goaway == row.code));
    if (reply.goaway < 0) {
      client.skip_streams((row.of + 2 - client.next_stream()) / 2 * (client.next_stream() <= row.of ? 1 : 0));
      CHECK(client.get("/").status() == 200);
    }
    return;
  }
  CHECK(client.goaway() == row.code);
  CHECK(client.ended());
}

/// All rows on one proxy. The API holds `/held`.
inline void check_all(const std::vector<Row>& rows) {
  Upstream upstream([](Turn& turn) {
    if (turn.request() == "GET /held") turn.hold();
    turn.answer();
  });
  Proxy proxy(upstream, {.listen = kHttp2Listen});
  for (const Row& row : rows) check(proxy, row);
  upstream.release_all();
  CHECK(eventually([&] { return proxy.stat("in_flight") == 0; }));
  CHECK(proxy.accounts_balance());
}

}  // namespace spillway::test
