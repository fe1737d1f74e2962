#pragma once

#include <cstdint>
#include <optional>

#include "proxy/net/clock.hpp"
#include "proxy/text/intrusive_list.hpp"

namespace api::db {

struct PoolSettings {
  int size = 20;                                        ///< connections kept open once opened, at least 1
  int max_overflow = 30;                                ///< more of them under load, closed when nobody waits
  Duration timeout = std::chrono::seconds(10);          ///< longest wait for a connection
  Duration recycle = std::chrono::minutes(30);          ///< age at which a connection is replaced; 0: never
  bool wait_when_down = false;                          ///< wait for `timeout` also while no connection can be opened
  bool pre_ping = true;                                 ///< verify a connection that may have gone stale
  int capacity() const { return size + max_overflow; }  ///< hard limit of open connections
};

/// A connection that was used within this time is not pinged before use: a query on a dead one is sent again anyway.
inline constexpr Duration kTrustedFor = std::chrono::seconds(1);
/// The patience: how long a waiter waits before an overflow connection is opened for it. An opening costs PostgreSQL
/// the start of a process, and the connection is closed when nobody waits. So the patience is what an opening takes
/// (the ski rental rule: at most twice the cost of the best choice), clamped to 5–100 ms. It halves every 5 s in which
/// no connection is opened; otherwise one slow opening would prevent the next measurement.
inline constexpr Duration kOverflowPatience = std::chrono::milliseconds(5);
inline constexpr Duration kMaxOverflowPatience = std::chrono::milliseconds(100);
inline constexpr Duration kPatienceHalfLife = std::chrono::seconds(5);
/// Pause after the first failed attempt to open a connection. It doubles up to the maximum, which is short so that a
/// database that is up again is used within a second.
inline constexpr Duration kFirstBackoff = std::chrono::milliseconds(50);
inline constexpr Duration kMaxBackoff = std::chrono::milliseconds(250);

/// A connection as the policy sees it. The driver owns it, and may destroy it when `next_to_close` returns it.
struct Slot : text::Linked<Slot> {
  int home = 0;  ///< the driver's hint: prefer this slot for waiters with the same `home`
  // Written by the policy:
  Time opened{};
  Time last_used{};
  int generation = 0;
};

enum class PoolFailure : std::uint8_t {
  timeout,      ///< all connections were busy for `timeout`
  unreachable,  ///< none is open and opening one failed
  closing,      ///< the pool is being closed
};

/// A request for a connection. Its address must not change while it waits.
struct Waiter : text::Linked<Waiter> {
  int home = 0;
  enum class State : std::uint8_t { fresh, waiting, granted, failed };
  State state = State::fresh;
  Slot* slot = nullptr;                        ///< when granted
  bool verify = false;                         ///< when granted: the slot may have gone stale, ping before trusting it
  bool reused = false;                         ///< when granted: see `Lease::reused`
  PoolFailure failure = PoolFailure::timeout;  ///< when failed
  Time since{};
};

/// In which state a slot is returned.
enum class Returned : std::uint8_t {
  clean,    ///< idle, outside any transaction: can be reused
  discard,  ///< its state is unknown
  broken,   ///< the connection is lost; older ones may be lost, too
  silent,   ///< no answer in time; the idle ones may be silent, too, and are pinged at once
  moved,    ///< the server is no longer of the wanted kind (a primary), nor are those of the other connections
};

struct PoolGauges {
  int size = 0;
  int overflow = 0;    ///< 0 to `max_overflow`, even while a shrunk pool still has more
  int checked_in = 0;  ///< never negative
  int capacity = 0;
  int waiters = 0;
  std::int64_t connection_errors = 0;  ///< failed openings and lost connections, since the start
  std::int64_t recycled = 0;           ///< connections closed because of their age, since the start
  bool reachable = false;              ///< a connection is open, or the last attempt to open one succeeded
  int total() const { return size + overflow; }
  int in_use() const { return total() - checked_in; }
};

/// Decides which waiter gets which connection, and when connections are opened and closed, with the semantics of
/// SQLAlchemy's QueuePool. Pure: no I/O, no clock, no lock, no randomness. Events come with `now`; the driver then
/// fetches the decisions with `take_opens`, `next_decided`, `next_to_check` and `next_to_close`. Not thread-safe: the
/// driver serialises the calls.
///
/// Invariants, whatever the order of events:
///  - open and opening connections never exceed the capacity (after a shrink: never grow while above it);
///  - no waiter waits while a connection is idle;
///  - waiters are granted in the order in which they came;
///  - every granted slot comes back through `give_back` exactly once.
///
/// A waiter is not tied to the connection that is opened because of it: the first connection to become free, new or
/// returned, goes to the first waiter.
class PoolPolicy {
 public:
  explicit PoolPolicy(PoolSettings settings) : settings_(settings) {}

  /// Opens one connection although nobody waits, to find out whether the database can be reached.
  void probe(Time now);
  /// Takes a fresh waiter. Its new state: granted, waiting or failed.
  Waiter::State acquire(Waiter& waiter, Time now);
  /// Removes a waiter whose client has gone. False: it has been decided already, and `next_decided` returns it.
  bool abandon(Waiter& waiter, Time now);
  void give_back(Slot& slot, Returned how, Time now);
  /// A connection that `take_opens` asked for has been opened, within `took`.
  void opened(Slot& slot, Duration took, Time now);
  /// It could not be opened. `jitter`: random in [0, 1), so that many processes do not retry at the same time.
  void open_failed(Time now, double jitter);
  /// The server has closed an idle connection.
  void lost(Slot& slot, Time now);
  /// A query has had no answer for long: pings the idle connections, which may be silent, too.
  void check_idle(Time now);
  /// The result of a ping that `next_to_check` asked for.
  void checked(Slot& slot, bool alive, Time now);
  /// Closes the idle connections now and the others when they are returned: another server has taken over.
  void retire(Time now);
  /// Call it at `next_deadline`: fails waiters that time out, and opens connections that are due.
  void tick(Time now);
  /// Changes the settings. Surplus connections are closed at once if they are idle, otherwise when they are returned.
  void configure(PoolSettings settings, Time now);
  /// Fails all waiters. Connections are closed when they are returned.
  void close();

  /// How many connections the driver must begin to open. It reports each with `opened` or `open_failed`.
  int take_opens();
  /// The next waiter whose wait has ended, in order of decision, or null. Those decided within `acquire` are not here.
  Waiter* next_decided() { return decided_.pop_front(); }
  /// The next slot to ping, or null. It is granted to nobody until `checked`.
  Slot* next_to_check() { return to_check_.pop_front(); }
  /// The next slot to close and destroy, or null.
  Slot* next_to_close() { return to_close_.pop_front(); }
  /// When to call `tick`; empty: not at all.
  std::optional<Time> next_deadline() const;

  /// The first idle slot, for a walk with `Slot::next()`.
  Slot* first_idle() const { return idle_.front(); }
  PoolGauges gauges() const;
  /// No connection is open or being opened.
  bool empty() const { return open() == 0; }

 private:
  int established() const { return static_cast<int>(idle_.size()) + in_use_ + checking_; }
  int open() const { return established() + opening_; }
  void place(Slot& slot, Time now);
  void grant(Waiter& waiter, Slot& slot, bool reused, Time now);
  void fail(Waiter& waiter, PoolFailure failure);
  void fail_all(PoolFailure failure);
  Slot* take_idle(int home, Time now);
  bool expired(const Slot& slot, Time now) const;
  bool doubtful(const Slot& slot, Time now) const;
  void suspect(Time now);
  void fade_patience(Time now);
  void plan_opens(Time now);

  PoolSettings settings_;
  text::List<Slot> idle_;  ///< most recently used first
  text::List<Waiter> waiters_;
  text::List<Waiter> decided_;
  text::List<Slot> to_check_;
  text::List<Slot> to_close_;
  int in_use_ = 0;
  int checking_ = 0;  ///< being pinged, or in `to_check_`
  int opening_ = 0;
  int opens_due_ = 0;                      ///< of `opening_`: not taken by the driver yet
  Duration patience_ = kOverflowPatience;  ///< see kOverflowPatience
  Time patience_since_{};                  ///< when it was last measured or halved
  int failures_ = 0;                       ///< consecutive failed openings
  Time retry_at_{};                        ///< no attempt before this time, while `failures_` > 0
  Time suspect_since_ = Time::min();       ///< connections that were not used since are pinged before use
  int generation_ = 0;                     ///< slots of older generations are closed
  bool probe_wanted_ = false;
  bool ever_opened_ = false;
  bool closing_ = false;
  std::int64_t errors_ = 0;
  std::int64_t recycled_ = 0;
};

}  // namespace api::db
