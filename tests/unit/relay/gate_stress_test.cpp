// The gate between the threads of several workers, used the way relay/exchange.cpp uses it. Worth most under
// ThreadSanitizer.
#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <doctest/doctest.h>

#include "proxy/relay/gate.hpp"

namespace {

using namespace spillway;
using namespace std::chrono_literals;
using admission::Reason;
using relay::Gate;
using relay::Permit;
using relay::Ticket;
using State = admission::Request::State;

constexpr int kWorkers = 4, kClients = 50, kRequests = 500;  // per worker, per client: 100,000 in all
constexpr int kCap = 8;
constexpr int kClasses = 3;
/// After a lost wake-up the test fails instead of hanging.
constexpr auto kPatience = 60s;

admission::Policy policy_of(int max_concurrent, int max_length = 64) {
  admission::Policy policy;
  policy.breaker.enabled = false;  // requests fail at random here
  policy.max_concurrent = max_concurrent;
  policy.classes = {{"normal", 0.8}, {"critical", 1.0}, {"background", 0.5}};
  policy.queue = {.max_length = max_length, .max_wait = 500us, .patience = 500us, .target = 50us, .interval = 200us};
  return policy;
}

struct World {
  /// Time passes with arrivals, so that the speed of the machine has no effect.
  Time now() { return start + 5us * ticks.fetch_add(1, std::memory_order_relaxed); }
  void reload(unsigned dice) {
    if (dice % 4 == 0) return gate.refuse_waiting(Reason::draining);
    const std::array policies{policy_of(kCap), policy_of(kCap / 2), policy_of(kCap, 0)};
    gate.configure(policies[dice % policies.size()], 0.2, now());
  }

  const bool reloading;
  const Time start = Clock::now();
  Gate gate{policy_of(kCap)};
  std::atomic<int> ticks{0};
  std::atomic<int> inside{0};
};

/// What the thread of a worker counts. Read it after the thread has ended.
struct Counts {
  int asked = 0, finished = 0, abandoned = 0, refused = 0;
  int waited = 0, left_too_late = 0, wrong = 0, most_inside = 0;
  std::array<int, admission::kReasons> reasons{};
};

class Worker {
 public:
  Worker(World& world, unsigned seed) : world_(world), random_(seed) {
    for (int i = 0; i < kClients; ++i) {
      clients_.push_back(std::make_unique<Client>(loop_.get_executor()));
      net::asio::co_spawn(loop_, serve(clients_.back().get()), net::asio::detached);
    }
  }

  void run() { loop_.run_for(kPatience); }
  const Counts& counts() const { return counts_; }
  bool all_served() const {
    return serving_ == 0 && std::none_of(clients_.begin(), clients_.end(),
                                         [](const auto& client) { return client->ticket.parking.occupied(); });
  }

 private:
  struct Client {
    explicit Client(net::Executor loop) : ticket(std::move(loop)) {}
    Ticket ticket;
    int request = 0;
  };

  net::Task<> serve(Client* client) {
    for (client->request = 0; client->request < kRequests; ++client->request) co_await one_request(client);
    if (--serving_ == 0) work_.reset();
  }

  net::Task<> one_request(Client* client) {
    Ticket& ticket = client->ticket;
    ticket.state = State::fresh;
    ticket.class_index = static_cast<int>(random_() % kClasses);
    if (random_() % 16 == 0) world_.gate.tick(world_.now());
    if (world_.reloading && random_() % 64 == 0) world_.reload(static_cast<unsigned>(random_() >> 8));

    ++counts_.asked;
    State state = world_.gate.arrive(ticket, world_.now());
    if (state == State::waiting) {
      ++counts_.waited;
      if (random_() % 8 == 0) net::asio::post(loop_, [this, client, r = client->request] { leave(*client, r); });
      // Some leave at once: how many of the others are decided before depends on the machine.
      const bool left = random_() % 16 == 0 && world_.gate.abandon(ticket);
      if (!left) co_await ticket.parking.wait();
      state = ticket.state;
    }
    if (state == State::admitted) {
      co_await hold_slot(client);
    } else if (state == State::refused) {
      ++counts_.refused;
      ++counts_.reasons[static_cast<std::size_t>(ticket.reason)];
    } else {
      ++counts_.abandoned;
      counts_.wrong += state != State::fresh;
    }
    co_await others_run();
  }

  net::Task<> hold_slot(Client* client) {
    Permit permit(world_.gate, client->ticket);
    const int inside = world_.inside.fetch_add(1) + 1;
    counts_.most_inside = std::max(counts_.most_inside, inside);
    counts_.wrong += client->ticket.in_flight < 1 || client->ticket.in_flight > kCap;
    for (unsigned turns = static_cast<unsigned>(random_() % 4); turns > 0; --turns) co_await others_run();
    world_.inside.fetch_sub(1);
    ++counts_.finished;
    if (random_() % 2 == 0) {
      permit.complete(admission::Completion::success);
      permit.release(world_.now());
    }
  }

  /// The client leaves. Its request may have been decided or even answered already.
  void leave(Client& client, int request) {
    if (!client.ticket.parking.occupied() || client.request != request) return;
    if (world_.gate.abandon(client.ticket)) {
      client.ticket.parking.resume();
    } else {
      ++counts_.left_too_late;
    }
  }

  net::Task<> others_run() {
    co_await net::asio::post(loop_.get_executor(), net::asio::use_awaitable_t<net::Executor>());
  }

  World& world_;
  std::mt19937 random_;
  Counts counts_;
  int serving_ = kClients;
  net::asio::io_context loop_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  net::asio::executor_work_guard<net::Executor> work_{loop_.get_executor()};
  std::vector<std::unique_ptr<Client>> clients_;
};

Counts run(World& world) {
  std::deque<Worker> workers;
  for (unsigned i = 0; i < kWorkers; ++i) workers.emplace_back(world, i + 1);
  std::vector<std::thread> threads;
  for (Worker& worker : workers) threads.emplace_back([&worker] { worker.run(); });
  for (std::thread& thread : threads) thread.join();

  Counts sum;
  for (const Worker& worker : workers) {
    CHECK(worker.all_served());
    const Counts& counts = worker.counts();
    sum.asked += counts.asked;
    sum.finished += counts.finished;
    sum.abandoned += counts.abandoned;
    sum.refused += counts.refused;
    sum.waited += counts.waited;
    sum.left_too_late += counts.left_too_late;
    sum.wrong += counts.wrong;
    sum.most_inside = std::max(sum.most_inside, counts.most_inside);
    for (std::size_t i = 0; i < sum.reasons.size(); ++i) sum.reasons[i] += counts.reasons[i];
  }
  return sum;
}

void check_nothing_is_lost(const World& world, const Counts& sum) {
  CAPTURE(sum.finished);
  CAPTURE(sum.refused);
  CAPTURE(sum.abandoned);
  CHECK(sum.asked == kWorkers * kClients * kRequests);
  CHECK(sum.asked == sum.finished + sum.refused + sum.abandoned);
  CHECK(sum.most_inside == kCap);  // reached, and never exceeded
  CHECK(sum.wrong == 0);
  CHECK(world.inside == 0);
  CHECK(world.gate.state().in_flight == 0);
  CHECK(world.gate.state().queue_length == 0);
  // There was enough contention.
  CHECK(sum.waited > 1000);
  CHECK(sum.abandoned > 100);
  CHECK(sum.left_too_late > 100);
}

TEST_CASE(
    "with four workers and 100,000 requests the cap is exact, every slot comes back, and no request is left waiting") {
  World world{.reloading = false};
  const Counts sum = run(world);
  check_nothing_is_lost(world, sum);
  CHECK(sum.finished > 1000);  // most are refused: how many depends on the machine
  for (const Reason expected : {Reason::queue_full, Reason::queue_timeout}) {
    CHECK(sum.reasons[static_cast<std::size_t>(expected)] > 100);
  }
}

TEST_CASE("the same holds while the policy changes and drains start and end") {
  World world{.reloading = true};
  const Counts sum = run(world);
  check_nothing_is_lost(world, sum);
  for (const Reason expected : {Reason::capacity, Reason::queue_full, Reason::draining}) {
    CHECK(sum.reasons[static_cast<std::size_t>(expected)] > 100);
  }
}

}  // namespace
