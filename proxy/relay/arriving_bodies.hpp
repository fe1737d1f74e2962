#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "proxy/net/clock.hpp"
#include "proxy/net/hooked_list.hpp"

namespace spillway::relay {

/// Bytes of `limits.buffered` that bodies hold which are still arriving, of all workers. Counts only.
struct ArrivingMemory {
  std::atomic<std::size_t> held{0};     ///< by all, those that have been given up included
  std::atomic<std::size_t> leaving{0};  ///< by those that have been given up, until they have given it back
};

/// How much bodies that are still arriving may hold of `limit` bytes, `others` of which are in use by anything else:
/// half, so that a client which sends slowly leaves room to those that do not. Less where responses have taken more: a
/// sixteenth stays free for the next body. A sixteenth also at least: responses leave an eighth to requests.
std::size_t room_for_arriving(std::size_t limit, std::size_t others);

/// A request's body that is buffered while its client still sends it.
class ArrivingBody : public net::ListHook<class ArrivingBodyList> {
 public:
  using ArrivingHook = net::ListHook<ArrivingBodyList>;

  /// Ends the exchange, whose client is slow: another body needs the memory.
  virtual void take_memory_back() = 0;

 protected:
  ArrivingBody() = default;
  ~ArrivingBody() = default;

 private:
  friend class ArrivingBodies;
  std::size_t memory_ = 0;
  double received_ = 0;
  Time since_{};
  bool leaving_ = false;
};

/// Those of one worker. Decides whose memory is taken back when all workers' together hold too much: the slowest's, by
/// the mean rate since its exchange began to wait for it. Owns none.
class ArrivingBodies {
 public:
  /// Among so many of those that have waited longest the slowest is looked for: a bound on the time that it takes.
  static constexpr int kCandidatesMax = 64;

  /// `memory` must outlive this.
  explicit ArrivingBodies(ArrivingMemory& memory) : all_(memory) {}

  /// So much of it has come so far, and it holds `memory` bytes, until `ends`. One without memory is not looked at.
  void holds(ArrivingBody& body, std::size_t memory, std::uint64_t received, Time now);
  /// It has come, or nobody waits for it any more. One that was given up holds its memory until `gave_back`.
  void ends(ArrivingBody& body);
  void gave_back(ArrivingBody& body);
  /// The one to give up next; null: none. Of `limit` bytes `used` are in use by anybody. A worker that holds less than
  /// its part gives up none: the memory is held elsewhere. Nor does one with a single body.
  ArrivingBody* next_to_give_up(std::size_t used, std::size_t limit, std::size_t workers, Time now);

 private:
  using Bodies = net::HookedList<ArrivingBody, ArrivingBody::ArrivingHook>;

  ArrivingBody& slowest(Time now);

  ArrivingMemory& all_;
  Bodies bodies_;         ///< those that have waited longest first
  std::size_t held_ = 0;  ///< by them
};

}  // namespace spillway::relay
