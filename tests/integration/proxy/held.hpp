#pragma once

#include <atomic>
#include <list>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {

/// A script: each request stays at the API until the test releases it.
inline void hold(Turn& turn) {
  turn.hold();
  turn.answer();
}

/// `count` clients, each with a request that the API holds.
inline std::list<Client> fill(const Proxy& proxy, const Upstream& upstream, int count, const char* target = "/held",
                              std::string_view fields = {}) {
  std::list<Client> clients;
  const int before = upstream.inside();
  for (int i = 0; i < count; ++i) clients.emplace_back(proxy).start("GET", target, fields);
  CHECK(eventually([&] { return upstream.inside() == before + count; }));
  return clients;
}

inline void check_answered(std::list<Client>& clients) {
  for (Client& client : clients) CHECK(client.receive().status == 200);
}

/// No body is kept, and no request is inside.
inline bool nothing_held(const Proxy& proxy) {
  return eventually([&] { return proxy.stat("buffered_bytes") == 0 && proxy.stat("in_flight") == 0; });
}

/// Configuration of a class that is never shed: of paths below /critical/.
inline constexpr const char* kCritical =
    "classes:\n  - {name: critical, shed_at: 1.0, match: [{path_prefix: /critical/}]}\n";

/// Waits until the sender is blocked: no byte has moved in several looks.
inline bool held_up(const std::atomic<std::size_t>& sent) {
  std::size_t last = 0;
  int looks = 0;
  return eventually([&] {
    looks = sent > 0 && sent == last ? looks + 1 : 0;
    last = sent;
    return looks > 100;
  });
}

}  // namespace spillway::test
