#include "api/db/pool.hpp"

#include <algorithm>
#include <utility>

#include <poll.h>
#include <spdlog/spdlog.h>

#include "proxy/net/spawn.hpp"

namespace api::db {

namespace {

/// How often to look for idle connections that the server has closed: one poll(2) for all of them.
constexpr Duration kWatchInterval = std::chrono::seconds(1);

}  // namespace

struct Lease::Entry : Slot {
  Entry(net::Executor executor, Siblings& siblings) : connection(executor, siblings) {}
  Connection connection;
};

/// A waiter in the frame of `acquire`. The thread that decides about it wakes it once; only then does `acquire` end.
struct Pool::Waiting : Waiter {
  Waiting(Pool& the_pool, net::Executor executor) : pool(the_pool), timer(executor, Time::max()) {}

  /// On the waiter's own thread.
  void wake() {
    woken = true;
    timer.cancel();
  }
  /// It may be awake already: an opening that fails at once ends before the wait begins.
  net::Task<> wait() {
    while (!woken) co_await timer.async_wait(net::kAwait);
  }

  Pool& pool;
  net::Timer timer;
  bool woken = false;
};

std::string_view name(CheckoutFailure failure) {
  constexpr std::array<std::string_view, kCheckoutFailures> kNames{"timeout", "unreachable", "closing", "client_gone"};
  return kNames[static_cast<std::size_t>(failure)];
}

Connection* Lease::operator->() const {
  return &entry_->connection;
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  reset();
  pool_ = std::exchange(other.pool_, nullptr);
  entry_ = other.entry_;
  verify = other.verify;
  reused = other.reused;
  return *this;
}

void Lease::reset() {
  if (pool_) std::exchange(pool_, nullptr)->give_back(*entry_);
}

Pool::Pool(std::vector<net::Executor> homes, ConnectOptions options, PoolSettings settings, bool echo)
    : homes_(std::move(homes)),
      options_(std::move(options)),
      connector_(options_),
      policy_(settings),
      random_(std::random_device{}()),
      timer_(homes_.front()),
      watch_timer_(homes_.front()),
      echo_(echo) {
  publish();
}

/// Does not wait for threads that a frozen server or a slow look-up blocks.
Pool::~Pool() = default;

void Pool::start() {
  net::spawn_vital(homes_.front(), watch_idle(), "watching idle database connections");
  Lock lock(mutex_);
  policy_.probe(Clock::now());
  act(std::move(lock), 0);
}

net::Task<Checkout> Pool::acquire(int home, Interrupt& interrupt) {
  Waiting waiter(*this, homes_[static_cast<std::size_t>(home)]);
  waiter.home = home;
  const Time since = Clock::now();
  Lock lock(mutex_);
  auto state = policy_.acquire(waiter, since);
  act(std::move(lock), home);
  Checkout checkout;
  checkout.waited = state == Waiter::State::waiting;
  if (checkout.waited) {
    Interrupt::Scope scope(
        interrupt,
        [](void* target) {
          auto* waiting = static_cast<Waiting*>(target);
          waiting->pool.abandon(*waiting);
        },
        &waiter);
    co_await waiter.wait();
    state = waiter.state;
    counts_.wait.observe(Clock::now() - since);
  } else {
    counts_.wait.observe(Duration::zero());
  }
  if (state == Waiter::State::granted) {
    auto& entry = static_cast<Lease::Entry&>(*waiter.slot);
    entry.home = home;
    entry.connection.move_to(homes_[static_cast<std::size_t>(home)]);
    checkout.lease = Lease(*this, entry);
    checkout.lease.verify = waiter.verify;
    checkout.lease.reused = waiter.reused;
    echo("checkout", entry.connection);
  } else if (state == Waiter::State::fresh) {
    checkout.failure = CheckoutFailure::interrupted;
  } else {
    checkout.failure = waiter.failure == PoolFailure::timeout       ? CheckoutFailure::timeout
                       : waiter.failure == PoolFailure::unreachable ? CheckoutFailure::unreachable
                                                                    : CheckoutFailure::closing;
  }
  if (!checkout.lease) {
    counts_.failures[static_cast<std::size_t>(checkout.failure)].fetch_add(1, std::memory_order_relaxed);
  }
  co_return checkout;
}

void Pool::configure(PoolSettings settings, bool echo) {
  echo_ = echo;
  Lock lock(mutex_);
  policy_.configure(settings, Clock::now());
  act(std::move(lock), 0);
}

void Pool::close() {
  Lock lock(mutex_);
  closed_ = true;
  policy_.close();
  net::asio::post(homes_.front(), [this] {
    timer_.cancel();
    watch_timer_.cancel();
  });
  act(std::move(lock), 0);
}

PoolGauges Pool::gauges() const {
  const std::uint64_t shape = shape_.load(std::memory_order_relaxed);
  auto part = [shape](int index) { return static_cast<int>((shape >> (16 * index)) & 0xFFFF); };
  PoolGauges gauges;
  gauges.size = part(0);
  gauges.overflow = part(1);
  gauges.checked_in = part(2);
  gauges.waiters = part(3);
  gauges.capacity = capacity_.load(std::memory_order_relaxed);
  gauges.connection_errors = errors_.load(std::memory_order_relaxed);
  gauges.reachable = reachable_.load(std::memory_order_relaxed);
  return gauges;
}

std::string Pool::last_error() const {
  Lock lock(mutex_);
  return last_error_;
}

bool Pool::refused() const {
  Lock lock(mutex_);
  return refused_;
}

void Pool::give_back(Lease::Entry& entry) {
  const Connection& connection = entry.connection;
  const Returned how = connection.silent()     ? Returned::silent
                       : connection.broken()   ? Returned::broken
                       : connection.moved()    ? Returned::moved
                       : connection.reusable() ? Returned::clean
                                               : Returned::discard;
  echo(how == Returned::clean    ? "return"
       : how == Returned::silent ? "return silent"
       : how == Returned::broken ? "return broken"
       : how == Returned::moved  ? "return moved"
                                 : "return to discard",
       connection);
  const int home = entry.home;
  Lock lock(mutex_);
  silence_found_ = silence_found_ || how == Returned::silent;
  policy_.give_back(entry, how, Clock::now());
  act(std::move(lock), home);
}

/// On the waiter's own thread. If the waiter has been decided already, its wake-up is on the way.
void Pool::abandon(Waiting& waiter) {
  Lock lock(mutex_);
  if (!policy_.abandon(waiter, Clock::now())) return;
  act(std::move(lock), waiter.home);
  waiter.wake();
}

net::Task<> Pool::open_one(int home) {
  const net::Executor executor = homes_[static_cast<std::size_t>(home)];
  auto entry = std::make_unique<Lease::Entry>(executor, static_cast<Siblings&>(*this));
  entry->home = home;
  const Time start = Clock::now();
  ConnectError failure;
  const bool open = co_await connector_.connect(entry->connection, executor, failure);
  const std::string error = open ? std::string() : failure.message;
  if (open) {
    counts_.opened.fetch_add(1, std::memory_order_relaxed);
    echo("open", entry->connection);
  }

  Lock lock(mutex_);
  if (error != last_error_) {
    if (open) {
      spdlog::info("database reached again: {}", options_.description);
    } else {
      spdlog::warn("cannot connect to the database ({}): {}", options_.description, error);
    }
    last_error_ = error;
  }
  refused_ = !open && failure.permanent;
  if (open) {
    // There can be only one server of this kind, and it has changed: the older connections lead to a former one.
    std::string server = entry->connection.server();
    if (is_unique(options_.target) && !server_.empty() && server != server_) {
      spdlog::info("the database is now at {}", server);
      policy_.retire(Clock::now());
    }
    server_ = std::move(server);
    Slot& slot = *entry;
    entries_.push_back(std::move(entry));
    const Time now = Clock::now();
    if (std::exchange(silence_found_, false)) replaced_at_.store(now, std::memory_order_relaxed);
    policy_.opened(slot, now - start, now);
  } else {
    const double jitter = std::uniform_real_distribution<>()(random_);
    policy_.open_failed(Clock::now(), jitter);
  }
  act(std::move(lock), home);
}

void Pool::ping_idle() {
  Lock lock(mutex_);
  policy_.check_idle(Clock::now());
  act(std::move(lock), 0);
}

/// Pings an idle connection that may be silent. On the thread of its home.
net::Task<> Pool::check(Lease::Entry& entry) {
  const bool alive = co_await entry.connection.ping();
  const int home = entry.home;
  Lock lock(mutex_);
  silence_found_ = silence_found_ || entry.connection.silent();
  if (alive && entry.connection.moved()) policy_.retire(Clock::now());
  policy_.checked(entry, alive, Clock::now());
  act(std::move(lock), home);
}

/// Finds idle connections that the server has closed.
net::Task<> Pool::watch_idle() {
  std::vector<pollfd> sockets;
  std::vector<Slot*> slots;
  for (;;) {
    watch_timer_.expires_after(kWatchInterval);
    co_await watch_timer_.async_wait(net::kAwait);
    Lock lock(mutex_);
    if (closed_) co_return;
    sockets.clear();
    slots.clear();
    for (Slot* slot = policy_.first_idle(); slot; slot = slot->next()) {
      slots.push_back(slot);
      sockets.push_back({static_cast<Lease::Entry*>(slot)->connection.socket(), POLLRDHUP, 0});
    }
    if (slots.empty() || ::poll(sockets.data(), sockets.size(), 0) <= 0) continue;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (sockets[i].revents != 0) policy_.lost(*slots[i], Clock::now());
    }
    act(std::move(lock), 0);
  }
}

/// Takes the decisions of the policy, then acts on them without the lock. Runs on the thread of `home`; on any thread
/// if no waiter of a home can be decided.
void Pool::act(Lock lock, int home) {
  std::vector<std::unique_ptr<Lease::Entry>> closing;
  std::vector<Lease::Entry*> checking;
  std::vector<Waiting*> decided;
  while (Slot* slot = policy_.next_to_check()) checking.push_back(static_cast<Lease::Entry*>(slot));
  while (Slot* slot = policy_.next_to_close()) {
    auto it = std::find_if(entries_.begin(), entries_.end(), [slot](const auto& entry) { return entry.get() == slot; });
    closing.push_back(std::move(*it));
    *it = std::move(entries_.back());
    entries_.pop_back();
  }
  while (Waiter* waiter = policy_.next_decided()) decided.push_back(static_cast<Waiting*>(waiter));
  const int opens = policy_.take_opens();
  publish();
  arm();
  lock.unlock();

  for (auto& entry : closing) echo("close", entry->connection);
  closing.clear();
  for (Waiting* waiter : decided) net::asio::dispatch(waiter->timer.get_executor(), [waiter] { waiter->wake(); });
  for (Lease::Entry* entry : checking) {
    net::spawn_vital(homes_[static_cast<std::size_t>(entry->home)], check(*entry), "checking a connection");
  }
  for (int i = 0; i < opens; ++i) {
    net::spawn_vital(homes_[static_cast<std::size_t>(home)], open_one(home), "opening a database connection");
  }
}

void Pool::publish() {
  const PoolGauges gauges = policy_.gauges();
  const auto part = [](int value, int index) {
    return static_cast<std::uint64_t>(std::min(value, 0xFFFF)) << (16 * index);
  };
  shape_.store(part(gauges.size, 0) | part(gauges.overflow, 1) | part(gauges.checked_in, 2) | part(gauges.waiters, 3),
               std::memory_order_relaxed);
  capacity_.store(gauges.capacity, std::memory_order_relaxed);
  errors_.store(gauges.connection_errors, std::memory_order_relaxed);
  counts_.recycled.store(gauges.recycled, std::memory_order_relaxed);
  reachable_.store(gauges.reachable, std::memory_order_relaxed);
}

/// Sets the timer for the next deadline of the policy. A later deadline does not move it: when it fires, it is set
/// again.
void Pool::arm() {
  const std::optional<Time> due = closed_ ? std::nullopt : policy_.next_deadline();
  if (!due || (armed_for_ && *armed_for_ <= *due)) return;
  armed_for_ = due;
  net::asio::post(homes_.front(), [this] {
    Lock lock(mutex_);
    if (!armed_for_ || closed_) return;
    timer_.expires_at(*armed_for_);
    timer_.async_wait([this](boost::system::error_code error) {
      if (!error) on_timer();
    });
  });
}

void Pool::on_timer() {
  Lock lock(mutex_);
  armed_for_.reset();
  policy_.tick(Clock::now());
  act(std::move(lock), 0);
}

void Pool::echo(const char* event, const Connection& connection) const {
  if (!echo_.load(std::memory_order_relaxed)) return;
  const PoolGauges state = gauges();
  spdlog::info("pool {} pid={} size={} overflow={} checked_in={} waiters={}", event, connection.backend_pid(),
               state.size, state.overflow, state.checked_in, state.waiters);
}

}  // namespace api::db
