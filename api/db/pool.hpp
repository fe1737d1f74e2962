#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/db/connection.hpp"
#include "api/db/connector.hpp"
#include "api/db/histogram.hpp"
#include "api/db/interrupt.hpp"
#include "api/db/pool_policy.hpp"
#include "proxy/net/io.hpp"

namespace api::db {

class Pool;

/// The right to use one connection, until destruction. A connection that cannot be reused then (an unfinished query, an
/// open transaction) is closed.
class Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), entry_(other.entry_) {
    verify = other.verify;
    reused = other.reused;
  }
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { reset(); }

  explicit operator bool() const { return pool_ != nullptr; }
  Connection* operator->() const;
  void reset();

  bool verify = false;  ///< ping before trusting it
  bool reused = false;  ///< has served before: if it is dead, the database may still be up

 private:
  friend class Pool;
  struct Entry;
  Lease(Pool& pool, Entry& entry) : pool_(&pool), entry_(&entry) {}

  Pool* pool_ = nullptr;
  Entry* entry_ = nullptr;
};

enum class CheckoutFailure : std::uint8_t { timeout, unreachable, closing, interrupted };
inline constexpr std::size_t kCheckoutFailures = 4;
std::string_view name(CheckoutFailure failure);

/// What the pool has done since the start. Any thread may read it.
struct PoolCounts {
  std::atomic<std::int64_t> opened{0};
  std::atomic<std::int64_t> recycled{0};  ///< closed because of their age
  Histogram wait;                         ///< of requests, also of those that got no connection
  std::array<std::atomic<std::uint64_t>, kCheckoutFailures> failures{};
};

struct Checkout {
  Lease lease;
  CheckoutFailure failure{};  ///< when there is no lease
  bool waited = false;        ///< no connection was free at once
};

/// Acts on the decisions of PoolPolicy: one pool for all workers, with limits that hold exactly across them. A mutex
/// serialises the decisions. It is never held during I/O, and one worker never waits for it. A connection moves to the
/// event loop of the worker that leases it; connections that are there already are preferred.
class Pool : private Siblings {
 public:
  /// `homes`: the executors of the workers; every `home` is an index into them. The first one runs the pool's timers.
  Pool(std::vector<net::Executor> homes, ConnectOptions options, PoolSettings settings, bool echo);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Opens the first connection and begins to watch idle ones. Once, before the workers run.
  void start();
  /// On the thread of that home.
  net::Task<Checkout> acquire(int home, Interrupt& interrupt);
  /// From any thread.
  void configure(PoolSettings settings, bool echo);
  /// From any thread. Fails all waiters, closes connections when they are returned, and stops the timers.
  void close();

  /// From any thread, without a lock. The counts of connections and waiters are consistent with each other.
  PoolGauges gauges() const;
  const PoolCounts& counts() const { return counts_; }
  /// Why the last attempt to open a connection failed; empty if it succeeded.
  std::string last_error() const;
  /// At the last attempt the server refused the user, the password or the database.
  bool refused() const;

 private:
  friend class Lease;
  struct Waiting;
  using Lock = std::unique_lock<std::mutex>;

  void give_back(Lease::Entry& entry);
  void abandon(Waiting& waiter);
  void ping_idle() override;
  Time replaced_at() const override { return replaced_at_.load(std::memory_order_relaxed); }
  net::Task<> open_one(int home);
  net::Task<> check(Lease::Entry& entry);
  net::Task<> watch_idle();
  void act(Lock lock, int home);
  void publish();
  void arm();
  void on_timer();
  void echo(const char* event, const Connection& connection) const;

  const std::vector<net::Executor> homes_;
  const ConnectOptions options_;
  Connector connector_;

  mutable std::mutex mutex_;
  PoolPolicy policy_;                                   // guarded by mutex_
  std::vector<std::unique_ptr<Lease::Entry>> entries_;  // guarded by mutex_
  std::minstd_rand random_;                             // guarded by mutex_
  std::string last_error_;                              // guarded by mutex_
  std::string server_;                                  // guarded by mutex_; where the last connection leads
  bool refused_ = false;                                // guarded by mutex_
  bool silence_found_ = false;                          // guarded by mutex_; and no connection was opened since
  std::optional<Time> armed_for_;                       // guarded by mutex_
  bool closed_ = false;                                 // guarded by mutex_
  net::Timer timer_;                                    // on the thread of homes_[0]
  net::Timer watch_timer_;                              // on the thread of homes_[0]
  std::atomic<bool> echo_;
  std::atomic<Time> replaced_at_{Time::min()};  ///< see Siblings

  PoolCounts counts_;

  // Written under the mutex, read by `gauges`.
  std::atomic<std::uint64_t> shape_{0};  ///< size, overflow, checked_in, waiters: 16 bits each
  std::atomic<int> capacity_{0};
  std::atomic<std::int64_t> errors_{0};
  std::atomic<bool> reachable_{false};
};

}  // namespace api::db
