#pragma once

#include <cstddef>

#include "proxy/net/hooked_list.hpp"
#include "proxy/telemetry/counters.hpp"

namespace spillway::relay {

/// A connection of HTTP/2, as far as the memory counts that its requests take beside bodies: heads above all. HPACK
/// makes a large head of a few bytes, and a client that opens no window keeps it for long.
class StreamMemoryHolder : public net::ListHook<class StreamMemoryHolderList> {
 public:
  using MemoryHook = net::ListHook<StreamMemoryHolderList>;

  /// Gives up what waits for the client, whose memory is needed, and tells so by `goes_on` and `changes` at once: it is
  /// freed within the turn.
  virtual void give_up_waiting() = 0;

 protected:
  StreamMemoryHolder() = default;
  ~StreamMemoryHolder() = default;

 private:
  friend class StreamMemory;
  std::size_t held_ = 0;
  std::size_t waiting_ = 0;  ///< part of it: what waits for the client
};

/// Memory that one worker's HTTP/2 connections hold for their requests, in bytes, against the worker's part of
/// `limits.http2.memory`. Beyond it the connection gives way that holds most while it makes the proxy wait: what waits
/// for the API ends by itself. If none waits, no further request begins. Owns none; one loop's.
class StreamMemory {
 public:
  /// Among so many of those that have waited longest the greatest is looked for: a bound on the time that it takes.
  static constexpr int kCandidatesMax = 16;
  /// One connection may hold the memory's part of so many.
  static constexpr std::size_t kConnectionsLeast = 4;

  /// `counter` is kept at what all hold, and must outlive this.
  explicit StreamMemory(telemetry::Counter& counter) : all_(counter) {}

  /// Whether one more request of `holder` may begin while all hold `limit` at most. Makes room if it can.
  bool admits(const StreamMemoryHolder& holder, std::size_t limit);
  /// A request, or the connection itself, holds `now` after `before`. Never refused.
  void changes(StreamMemoryHolder& holder, std::size_t before, std::size_t now);
  /// What holds `memory` waits for the client from now on. Makes room if all hold too much, and may give this one up.
  void waits(StreamMemoryHolder& holder, std::size_t memory, std::size_t limit);
  /// It does no longer.
  void goes_on(StreamMemoryHolder& holder, std::size_t memory);

 private:
  using Holders = net::HookedList<StreamMemoryHolder, StreamMemoryHolder::MemoryHook>;

  void make_room(std::size_t limit);
  StreamMemoryHolder& greatest();

  telemetry::Counter& all_;
  Holders waiting_;  ///< those that have waited longest first
};

}  // namespace spillway::relay
