// Memory that requests over HTTP/2 hold: who gives way when it is used up, and who is refused.
#include "proxy/relay/stream_memory.hpp"

#include <list>

#include <doctest/doctest.h>

namespace {

using spillway::relay::StreamMemory;
using spillway::relay::StreamMemoryHolder;

constexpr std::size_t kLimit = 1000;

/// A connection with requests of 10 bytes.
struct Holder final : StreamMemoryHolder {
  explicit Holder(StreamMemory& all) : memory(all) {}

  bool begins() {
    if (!memory.admits(*this, kLimit)) return false;
    memory.changes(*this, 0, 10);
    ++requests;
    return true;
  }
  void waits() {
    ++waiting;
    memory.waits(*this, 10, kLimit);
  }
  void goes_on() {
    --waiting;
    memory.goes_on(*this, 10);
  }
  void ends() {
    --requests;
    memory.changes(*this, 10, 0);
  }
  void give_up_waiting() override {
    gave_up += waiting;
    for (; waiting > 0; ends()) goes_on();
  }

  StreamMemory& memory;
  int requests = 0, waiting = 0, gave_up = 0;
};

struct Connections {
  explicit Connections(int count) {
    for (int i = 0; i < count; ++i) all.emplace_back(memory);
  }
  Holder& operator[](int index) { return *std::next(all.begin(), index); }
  std::size_t held() const { return counter.value(); }

  spillway::telemetry::Counter counter;
  StreamMemory memory{counter};
  std::list<Holder> all;
};

TEST_CASE("one connection may hold a quarter") {
  Connections connections(2);
  while (connections[0].begins()) {
  }
  CHECK(connections[0].requests == 26);  // one more than fits
  CHECK(connections[1].begins());
  connections[0].ends();
  CHECK(connections[0].begins());
}

TEST_CASE("while all memory is held for requests that wait for the API, no further one begins") {
  Connections connections(6);
  for (Holder& each : connections.all) {
    while (each.begins()) {
    }
  }
  CHECK(connections.held() == kLimit + 10);
  CHECK(connections[4].requests == 0);
  for (const Holder& each : connections.all) CHECK(each.gave_up == 0);
  connections[0].ends();
  CHECK(connections[5].begins());
}

TEST_CASE("requests that wait for their clients give way, of the connection first where they hold most") {
  Connections connections(6);
  for (int i = 0; i < 20; ++i) {
    for (int each = 0; each < 4; ++each) CHECK(connections[each].begins());
  }
  connections[0].waits();
  for (int i = 0; i < 3; ++i) connections[1].waits();
  connections[2].waits();
  for (int i = 0; i < 21; ++i) CHECK(connections[4].begins());
  CHECK(connections[1].gave_up == 0);
  CHECK(connections[5].begins());  // all hold more than the limit
  CHECK(connections[1].gave_up == 3);
  CHECK(connections[0].gave_up == 0);
  CHECK(connections[1].requests == 17);
  // The next in turn are those that have waited longest.
  for (int i = 0; i < 3; ++i) CHECK(connections[5].begins());
  CHECK(connections[0].gave_up == 1);
  CHECK(connections[2].gave_up == 0);
}

TEST_CASE("a request that begins to wait while memory is short may be the one that gives way") {
  Connections connections(5);
  for (int each = 0; each < 5; ++each) {
    while (connections[each].begins()) {
    }
  }
  CHECK(connections.held() > kLimit);
  connections[3].waits();
  CHECK(connections[3].gave_up == 1);
  CHECK(connections.held() == kLimit);
}

TEST_CASE("who goes on in time is not given up, and all memory goes back") {
  Connections connections(5);
  for (int each = 0; each < 4; ++each) {
    while (connections[each].begins()) {
    }
    connections[each].ends();
  }
  connections[0].waits();
  connections[0].goes_on();
  CHECK(connections.held() == kLimit);
  CHECK(connections[4].begins());
  CHECK_FALSE(connections[4].begins());
  CHECK(connections[0].gave_up == 0);
  for (Holder& each : connections.all) {
    while (each.requests > 0) each.ends();
  }
  CHECK(connections.held() == 0);
}

TEST_CASE("the search for the greatest looks at a few, those that have waited longest") {
  constexpr int kMany = 3 * StreamMemory::kCandidatesMax;
  Connections connections(kMany + 2);
  for (int each = 0; each < kMany; ++each) {
    CHECK(connections[each].begins());
    connections[each].waits();
  }
  Holder& last = connections[kMany - 1];
  for (int i = 0; i < 10; ++i) {
    CHECK(last.begins());
    last.waits();
  }
  while (connections[kMany].begins()) {
  }
  while (connections.held() <= kLimit) CHECK(connections[kMany + 1].begins());
  CHECK(connections[kMany + 1].begins());
  CHECK(connections[0].gave_up == 1);
  CHECK(last.gave_up == 0);
}

}  // namespace
