#include "proxy/tls/handshake_gate.hpp"

#include <memory>

#include <doctest/doctest.h>

namespace tls {
namespace {

using Entry = HandshakeGate::Entry;
using Time = HandshakeGate::Time;
constexpr auto kPatience = HandshakeGate::kPatience;

TEST_CASE("up to the limit handshakes are admitted at once, the others in order as places become free") {
  HandshakeGate gate;
  gate.set_limit(2);
  Entry a(gate), b(gate), c(gate), d(gate);
  const Time now{};
  for (Entry* each : {&a, &b, &c, &d}) gate.arrive(*each);
  CHECK(gate.next(now).admitted == &a);
  CHECK(gate.next(now).admitted == &b);
  CHECK(gate.next(now).admitted == nullptr);
  CHECK(gate.under_way() == 2);
  CHECK_FALSE(c.admitted());
  CHECK(gate.first_waiting() == &c);
  gate.leave(b);
  CHECK(gate.next(now).admitted == &c);
  CHECK(gate.next(now).admitted == nullptr);
  CHECK(gate.first_waiting() == &d);
  gate.leave(a);
  CHECK(gate.next(now).admitted == &d);
  CHECK(gate.first_waiting() == nullptr);
  CHECK(gate.under_way() == 2);
}

TEST_CASE("a client that has been silent for long gives its place up to one that waits") {
  HandshakeGate gate;
  gate.set_limit(2);
  Entry a(gate), b(gate), c(gate), d(gate);
  Time now{};
  gate.arrive(a);
  gate.arrive(b);
  gate.next(now);
  gate.next(now);
  gate.waits_for_client(b, now);
  gate.waits_for_client(a, now + kPatience / 2);
  CHECK_FALSE(gate.next_at());  // nobody waits
  gate.arrive(c);
  gate.arrive(d);
  CHECK(gate.next_at() == now + kPatience);
  CHECK(gate.next(now + kPatience / 2).admitted == nullptr);
  const HandshakeGate::Next next = gate.next(now + kPatience);
  CHECK(next.admitted == &c);
  CHECK(next.evicted == &b);
  CHECK_FALSE(b.admitted());
  CHECK(gate.under_way() == 2);

  gate.goes_on(a);  // its client has sent more: it keeps its place
  CHECK_FALSE(gate.next_at());
  CHECK(gate.next(now + 10 * kPatience).admitted == nullptr);
}

TEST_CASE("one that dies gives its place back, or leaves the queue") {
  HandshakeGate gate;
  gate.set_limit(1);
  auto a = std::make_unique<Entry>(gate), b = std::make_unique<Entry>(gate);
  gate.arrive(*a);
  gate.arrive(*b);
  gate.next({});
  b.reset();
  a.reset();
  CHECK(gate.under_way() == 0);
  CHECK(gate.next({}).admitted == nullptr);
}

}  // namespace
}  // namespace tls
