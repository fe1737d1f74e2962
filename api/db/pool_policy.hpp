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
  bool pre_ping = true;                                 ///< verify a connection that may have gone stale
  int capacity() const { return size + max_overflow; }  ///< hard limit of open connections
};

/// A connection used this recently is not verified again: what broke in between shows in the query itself.
inline constexpr Duration kTrustedFor = std::chrono::seconds(1);
/// An overflow connection costs PostgreSQL a process start of a few milliseconds, and goes when nobody waits. Only a
/// waiter that has waited for as long as an opening takes makes it worth while (the ski rental rule: at most twice the
/// cost of the best choice): where processors are short openings take longer, and fewer of them make it worse. At
/// least the first of these, and at most the second, however far away the database is. What openings took counts half
/// after each half-life without one, or nobody would find out that they have become cheap.
inline constexpr Duration kOverflowPatience = std::chrono::milliseconds(5);
inline constexpr Duration kMaxOverflowPatience = std::chrono::milliseconds(100);
inline constexpr Duration kPatienceHalfLife = std::chrono::seconds(5);
/// Pause after the first failed attempt to open a connection. Doubles up to the maximum, which is short because a
/// database that is back shall be noticed within a second.
inline constexpr Duration kFirstBackoff = std::chrono::milliseconds(50);
inline constexpr Duration kMaxBackoff = std::chrono::milliseconds(250);

/// A connection as the policy sees it. The driver owns it, from `opened` until `next_to_close` hands it back.
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

/// Someone who needs a connection. Its address must not change while it waits.
struct Waiter : text::Linked<Waiter> {
  int home = 0;
  enum class State : std::uint8_t { fresh, waiting, granted, failed };
  State state = State::fresh;
  Slot* slot = nullptr;  ///< when granted
  bool verify = false;   ///< when granted: the slot may have gone stale, ping before trusting it
  bool reused = false;   ///< when granted: the slot has served before; its being dead says nothing about the database
  PoolFailure failure = PoolFailure::timeout;  ///< when failed
  Time since{};
};

/// How a slot comes back.
enum class Returned : std::uint8_t {
  clean,    ///< idle, outside any transaction: fit for the next
  discard,  ///< works perhaps, but its state is unknown
  broken,   ///< the connection is lost: others opened before may be, too
  silent,   ///< no answer in time. Who uses another silent one waits as long: the idle ones are checked at once
  moved,    ///< the server is no longer one that is wanted (a primary): the other connections lead there, too
};

struct PoolGauges {
  int size = 0;
  int overflow = 0;    ///< 0 to `max_overflow`, also while a smaller pool waits for what it has too many of
  int checked_in = 0;  ///< never negative
  int capacity = 0;
  int waiters = 0;
  std::int64_t connection_errors = 0;  ///< failed openings and lost connections, since the start
  bool reachable = false;              ///< a connection is open, or the last attempt to open one succeeded
  int total() const { return size + overflow; }
  int in_use() const { return total() - checked_in; }
};

/// Decides who gets which connection and when one is opened or closed, with the semantics of SQLAlchemy's QueuePool.
/// Pure: no I/O, no clock, no lock, no randomness. Events come with `now`; what they lead to is fetched afterwards
/// with `take_opens`, `next_decided`, `next_to_check` and `next_to_close`. Not thread-safe: the driver serialises
/// calls.
///
/// Invariants, whatever the order of events:
///  - open and opening connections never exceed the capacity (after a shrink: never grow while above it);
///  - nobody waits beside an idle connection;
///  - waiters are granted in the order in which they came;
///  - every granted slot comes back through `give_back` exactly once.
///
/// A waiter is not tied to the connection that is opened because of it: the first connection to become free, new or
/// returned, goes to the first in line.
class PoolPolicy {
 public:
  explicit PoolPolicy(PoolSettings settings) : settings_(settings) {}

  /// Asks for one connection to be opened although nobody waits, to learn whether the database can be reached.
  void probe(Time now);
  /// A fresh waiter: granted, waiting or failed, also left in `waiter.state`.
  Waiter::State acquire(Waiter& waiter, Time now);
  /// A waiter goes away (client closed). False: it is decided already and has to be served as such.
  bool abandon(Waiter& waiter, Time now);
  void give_back(Slot& slot, Returned how, Time now);
  /// An opening that `take_opens` asked for has succeeded, and took this long.
  void opened(Slot& slot, Duration took, Time now);
  /// …or failed. `jitter` is random in [0, 1): without it, many processes would knock in step.
  void open_failed(Time now, double jitter);
  /// An idle connection turned out to be closed by the other side.
  void lost(Slot& slot, Time now);
  /// A query has had no answer for long: are the idle connections silent, too?
  void check_idle(Time now);
  /// What came of a check that `next_to_check` asked for.
  void checked(Slot& slot, bool alive, Time now);
  /// Connections opened so far are not used again: the server that is wanted is another one now.
  void retire(Time now);
  /// Time has passed. Due at `next_deadline`.
  void tick(Time now);
  /// New settings keep all state. Connections that are too many are closed at once if idle, else when they return.
  void configure(PoolSettings settings, Time now);
  /// Fails everyone who waits and closes what comes back.
  void close();

  /// How many connections to start opening now; each is answered with `opened` or `open_failed`.
  int take_opens();
  /// The next waiter whose wait has ended, in order of decision, or null. Those decided within `acquire` are not here.
  Waiter* next_decided() { return decided_.pop_front(); }
  /// The next slot to ping, or null. Nobody else gets it until `checked`.
  Slot* next_to_check() { return to_check_.pop_front(); }
  /// The next slot to close and destroy, or null.
  Slot* next_to_close() { return to_close_.pop_front(); }
  /// When `tick` has something to do; nothing: no need.
  std::optional<Time> next_deadline() const;

  /// The first idle slot, for a walk with `Slot::next()`.
  Slot* first_idle() const { return idle_.front(); }
  PoolGauges gauges() const;
  /// Nothing open, nothing opening: after `close`, the pool may be destroyed.
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
  int opens_due_ = 0;                      ///< of `opening_`: not yet taken by the driver
  Duration patience_ = kOverflowPatience;  ///< of waiters, before an overflow connection is opened
  Time patience_since_{};                  ///< last measured or faded
  int failures_ = 0;                       ///< consecutive failed openings
  Time retry_at_{};                        ///< no opening before, while `failures_` > 0
  Time suspect_since_ = Time::min();       ///< connections not used since are verified
  int generation_ = 0;                     ///< slots of older ones are closed
  bool probe_wanted_ = false;
  bool ever_opened_ = false;
  bool closing_ = false;
  std::int64_t errors_ = 0;
};

}  // namespace api::db
