#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include <sys/types.h>

#include "proxy/handover/frame.hpp"
#include "proxy/net/clock.hpp"

namespace spillway::handover {

// How long each side waits for the other. A step that takes longer ends the hand-over.
inline constexpr Duration kAnswer = std::chrono::seconds(5);     ///< a word
inline constexpr Duration kTransfer = std::chrono::seconds(10);  ///< the state, some MiB
inline constexpr Duration kPrepare = std::chrono::seconds(30);   ///< the successor takes the state and the listeners
inline constexpr Duration kStart = std::chrono::seconds(10);     ///< it starts its workers

/// One end of a connection between a process and its successor. Waits with a deadline; for one thread but `shut`.
class Link {
 public:
  Link() = default;
  /// Takes a connected unix socket.
  explicit Link(int descriptor);
  Link(Link&& other) noexcept;
  Link& operator=(Link&& other) noexcept;
  ~Link();

  /// Without a connection, and with errno set, if nobody listens there.
  static Link connect(const std::string& path);
  bool open() const { return descriptor_ >= 0; }

  /// `descriptor` goes with it as a copy; -1: none. False: the peer is gone, or did not read in time.
  bool send(const Frame& frame, Time until, int descriptor = -1);

  enum class Got : std::uint8_t { frame, ended, late, malformed };
  Got receive(Frame& frame, Time until);
  /// The oldest descriptor that has come and was not taken; the caller owns it. -1: there is none.
  int take_descriptor();
  /// Waits so long. True, and at once: the peer is gone, or `shut` was called.
  bool rest(Duration duration) const;

  struct Peer {
    pid_t pid = 0;
    uid_t uid = 0;
  };
  /// As the kernel knows it. Of a process that listens: who has called listen(2).
  std::optional<Peer> peer() const;
  /// Whether the peer has the user of this process.
  bool same_user() const;

  /// From any thread: every wait ends, and nothing is sent or received any more.
  void shut() const;

 private:
  bool wait(short events, Time until) const;
  Got read_some();

  int descriptor_ = -1;
  FrameReader reader_;
  std::deque<int> passed_;
};

}  // namespace spillway::handover
