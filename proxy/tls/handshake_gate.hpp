#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include <boost/intrusive/list.hpp>

namespace tls {

/// Admits handshakes: at most a number is under way at a time. A handshake costs computation when the client has sent
/// something, and memory until it has ended, so one that has not sent anything holds no place. When all places are
/// taken, others wait in order for one. A handshake whose client has been silent for `kPatience` then gives its place
/// up: so clients that say hello and fall silent keep nobody out for long. Pure. One thread's.
class HandshakeGate {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Hook = boost::intrusive::list_base_hook<boost::intrusive::tag<class HandshakeList>,
                                                boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  /// Longer than most clients take to answer. With 100 places such clients leave room for 500 handshakes a second.
  static constexpr auto kPatience = std::chrono::milliseconds(200);

  /// One handshake. Gives its place back when it dies.
  class Entry : public Hook {
   public:
    explicit Entry(HandshakeGate& gate) : gate_(gate) {}
    Entry(const Entry&) = delete;
    ~Entry() { gate_.leave(*this); }

    /// It may compute.
    bool admitted() const { return admitted_; }

   private:
    friend class HandshakeGate;
    HandshakeGate& gate_;
    Time silent_since_{};
    bool admitted_ = false;
  };

  void set_limit(std::size_t limit) { limit_ = limit; }
  std::size_t under_way() const { return under_way_; }
  bool full() const { return under_way_ >= limit_; }

  /// Its client has sent its first bytes. It waits for `next`.
  void arrive(Entry& entry) { queue_.push_back(entry); }
  /// An admitted one waits for its client; or no longer.
  void waits_for_client(Entry& entry, Time now) {
    entry.silent_since_ = now;
    silent_.push_back(entry);
  }
  void goes_on(Entry& entry) { entry.Hook::unlink(); }
  /// It has ended: its place is free.
  void leave(Entry& entry) {
    entry.Hook::unlink();
    if (entry.admitted_) --under_way_;
    entry.admitted_ = false;
  }

  struct Next {
    Entry* admitted = nullptr;
    Entry* evicted = nullptr;  ///< has to end for it
  };
  /// Admits the one that has waited longest for a place, if there is one. Call it after all of the above.
  Next next(Time now) {
    if (queue_.empty()) return {};
    Entry* evicted = nullptr;
    if (full()) {
      if (silent_.empty() || now < silent_.front().silent_since_ + kPatience) return {};
      evicted = &silent_.front();
      leave(*evicted);
    }
    Entry& first = queue_.front();
    queue_.pop_front();
    first.admitted_ = true;
    ++under_way_;
    return {&first, evicted};
  }
  /// The one that has waited longest for a place; null: none waits.
  Entry* first_waiting() { return queue_.empty() ? nullptr : &queue_.front(); }
  /// When `next` may admit one without anything else happening; nothing: not before.
  std::optional<Time> next_at() const {
    if (queue_.empty() || silent_.empty()) return std::nullopt;
    return silent_.front().silent_since_ + kPatience;
  }

 private:
  using List =
      boost::intrusive::list<Entry, boost::intrusive::base_hook<Hook>, boost::intrusive::constant_time_size<false>>;

  List queue_;   ///< without a place
  List silent_;  ///< with a place, waiting for their clients; oldest first
  std::size_t limit_ = 1;
  std::size_t under_way_ = 0;
};

}  // namespace tls
