// The gate as a request sees it. The test polls the event loop, so that the steps have a fixed order.
#include "proxy/relay/gate.hpp"

#include <deque>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <doctest/doctest.h>

namespace {

using namespace spillway;
using namespace std::chrono_literals;
using admission::Reason;
using relay::Gate;
using relay::Permit;
using relay::Ticket;
using State = admission::Request::State;

constexpr int kNormal = 0, kCritical = 1;

admission::Policy policy_of(int max_concurrent, int max_length = 2) {
  admission::Policy policy;
  policy.max_concurrent = max_concurrent;
  policy.classes = {{"normal", 0.5}, {"critical", 1.0}};
  policy.queue = {.max_length = max_length, .max_wait = 1s};
  return policy;
}

/// A request on a given loop: it asks for a slot, waits if necessary, and holds its permit.
struct Visitor {
  Visitor(Gate& g, net::asio::io_context& loop, int class_index = kNormal) : gate(g), ticket(loop.get_executor()) {
    ticket.class_index = class_index;
  }

  void come(Time now) { net::asio::co_spawn(ticket.executor, visit(now), net::asio::detached); }
  net::Task<> visit(Time now) {
    State state = gate.arrive(ticket, now);
    if (state == State::waiting) {
      co_await ticket.parking.wait();
      state = ticket.state;
    }
    if (state == State::admitted) permit.emplace(gate, ticket);
    done = true;
  }
  bool waiting() const { return ticket.parking.occupied(); }

  Gate& gate;
  Ticket ticket;
  std::optional<Permit> permit;
  bool done = false;
};

struct Scene {
  explicit Scene(admission::Policy policy) : gate(std::move(policy)) {}
  void come(Visitor& visitor) {
    visitor.come(now);
    loop.poll();
    loop.restart();
  }
  void poll() {
    loop.poll();
    loop.restart();
  }
  net::asio::io_context loop;
  Gate gate;
  Time now = Clock::now();  ///< the destructor of a permit reads the real clock
};

TEST_CASE("a permit is a slot, which its destructor gives back") {
  Scene scene(policy_of(4));
  {
    Visitor first(scene.gate, scene.loop), second(scene.gate, scene.loop);
    scene.come(first);
    scene.come(second);
    REQUIRE(second.permit);
    CHECK(first.ticket.in_flight == 1);
    CHECK(second.ticket.in_flight == 2);
    CHECK(scene.gate.state().in_flight == 2);

    first.permit->release(scene.now);
    CHECK_FALSE(first.permit->held());
    first.permit.reset();  // has nothing left to give back
    CHECK(scene.gate.state().in_flight == 1);

    Permit moved = std::move(*second.permit);
    CHECK(moved.held());
    CHECK_FALSE(second.permit->held());
    second.permit.reset();
    CHECK(scene.gate.state().in_flight == 1);
  }
  CHECK(scene.gate.state().in_flight == 0);
}

TEST_CASE("a waiting request is resumed on its own event loop with the slot that another one gives back") {
  Scene scene(policy_of(2));
  net::asio::io_context other_loop;
  Visitor first(scene.gate, scene.loop), second(scene.gate, other_loop);
  scene.come(first);
  second.come(scene.now);
  other_loop.poll();
  other_loop.restart();
  CHECK(second.waiting());
  CHECK(scene.gate.state().queue_length == 1);

  first.permit.reset();
  CHECK(scene.gate.state().in_flight == 1);  // decided at once, so that no arrival comes in between
  scene.poll();
  CHECK_FALSE(second.done);
  other_loop.poll();
  CHECK(second.done);
  CHECK(second.permit);
  CHECK(second.ticket.in_flight == 1);
}

TEST_CASE("a client that leaves while its request waits leaves the queue, and its coroutine continues") {
  Scene scene(policy_of(2));
  Visitor first(scene.gate, scene.loop), second(scene.gate, scene.loop);
  scene.come(first);
  scene.come(second);
  REQUIRE(scene.gate.abandon(second.ticket));
  CHECK(scene.gate.state().queue_length == 0);
  CHECK(second.ticket.state == State::fresh);
  second.ticket.parking.resume();
  CHECK(second.done);
  CHECK_FALSE(second.permit);

  first.permit.reset();
  scene.poll();
  CHECK(scene.gate.state().in_flight == 0);
}

TEST_CASE("a client that leaves after the decision is resumed once, with that decision") {
  Scene scene(policy_of(2));
  Visitor first(scene.gate, scene.loop), second(scene.gate, scene.loop);
  scene.come(first);
  scene.come(second);
  first.permit.reset();  // the second is admitted and will be resumed
  CHECK_FALSE(scene.gate.abandon(second.ticket));
  CHECK(second.waiting());
  scene.poll();
  CHECK(second.permit);
  CHECK_FALSE(scene.gate.abandon(second.ticket));
  CHECK(scene.gate.state().in_flight == 1);
}

TEST_CASE("a request that has waited too long is resumed with the reason") {
  Scene scene(policy_of(2));
  Visitor first(scene.gate, scene.loop), second(scene.gate, scene.loop);
  scene.come(first);
  scene.come(second);
  scene.gate.tick(scene.now + 1s - 1ns);
  scene.poll();
  CHECK(second.waiting());
  scene.gate.tick(scene.now + 1s);
  scene.poll();
  CHECK(second.done);
  CHECK(second.ticket.state == State::refused);
  CHECK(second.ticket.reason == Reason::queue_timeout);
}

TEST_CASE("a request that waits is resumed at its deadline, with the refusal") {
  Scene scene(policy_of(2));
  Visitor first(scene.gate, scene.loop), second(scene.gate, scene.loop);
  second.ticket.deadline = scene.now + 300ms;
  scene.come(first);
  scene.come(second);
  CHECK(scene.gate.expire(second.ticket, scene.now + 299ms) == second.ticket.deadline);
  scene.poll();
  CHECK(second.waiting());
  CHECK(scene.gate.expire(second.ticket, scene.now + 300ms) == Time::max());
  scene.poll();
  CHECK(second.done);
  CHECK(second.ticket.state == State::refused);
  CHECK(second.ticket.reason == Reason::deadline);
  CHECK(scene.gate.state().queue_length == 0);
}

TEST_CASE("a full queue evicts a request for a better arrival, and the evicted one is resumed, too") {
  Scene scene(policy_of(2, 1));
  Visitor one(scene.gate, scene.loop, kCritical), two(scene.gate, scene.loop, kCritical);
  Visitor normal(scene.gate, scene.loop), another(scene.gate, scene.loop);
  Visitor critical(scene.gate, scene.loop, kCritical);
  for (Visitor* visitor : {&one, &two, &normal, &another}) scene.come(*visitor);
  CHECK(normal.waiting());
  CHECK(another.ticket.state == State::refused);
  CHECK(another.ticket.reason == Reason::queue_full);

  scene.come(critical);
  CHECK(critical.waiting());
  scene.poll();
  CHECK(normal.ticket.state == State::refused);
  CHECK(normal.ticket.reason == Reason::queue_full);
  one.permit.reset();
  scene.poll();
  CHECK(critical.permit);
}

TEST_CASE("a drain refuses all waiting requests, and a reload decides them anew") {
  Scene scene(policy_of(2));
  Visitor first(scene.gate, scene.loop), second(scene.gate, scene.loop), third(scene.gate, scene.loop);
  for (Visitor* visitor : {&first, &second, &third}) scene.come(*visitor);
  scene.gate.configure(policy_of(4), 0.2, scene.now);
  scene.poll();
  CHECK(second.permit);
  CHECK(scene.gate.state().limit == 4);
  CHECK(scene.gate.state().capacity == 4);
  CHECK(third.waiting());
  scene.gate.refuse_waiting(Reason::draining);
  scene.poll();
  CHECK(third.ticket.state == State::refused);
  CHECK(third.ticket.reason == Reason::draining);
  CHECK(scene.gate.state().in_flight == 2);
}

TEST_CASE("a load report is kept with its time, from a poll or a response") {
  Scene scene(policy_of(4));
  CHECK_FALSE(scene.gate.state().load_at);
  admission::LoadReport load;
  load.pool_size = 20;
  scene.gate.polled(true, load, scene.now);
  CHECK(scene.gate.state().load == load);
  CHECK(scene.gate.state().load_at == scene.now);

  Visitor silent(scene.gate, scene.loop), telling(scene.gate, scene.loop);
  scene.come(silent);
  scene.come(telling);
  silent.permit->release(scene.now + 1s);
  CHECK(scene.gate.state().load_at == scene.now);
  load.pool_waiters = 3;
  telling.permit->report(load);
  telling.permit->release(scene.now + 2s);
  CHECK(scene.gate.state().load == load);
  CHECK(scene.gate.state().load_at == scene.now + 2s);
}

TEST_CASE("a report on a response shows the pool after it, and the next request is refused while the pool is full") {
  Scene scene(policy_of(4));
  admission::LoadReport full;
  full.pool_size = full.pool_capacity = 2;
  Visitor first(scene.gate, scene.loop), second(scene.gate, scene.loop);
  scene.come(first);
  first.permit->complete(admission::Completion::success);
  first.permit->report(full);
  first.permit->release(scene.now);
  scene.come(second);
  CHECK(second.ticket.state == State::refused);
  CHECK(second.ticket.reason == Reason::pool);
  CHECK(scene.gate.snapshot(scene.now).pool_capacity_pct == 100);
  full.pool_checked_in = 2;
  scene.gate.polled(true, full, scene.now);
  Visitor third(scene.gate, scene.loop);
  scene.come(third);
  CHECK(third.permit);
}

TEST_CASE("an unreachable API opens the breaker, and a successful poll allows trials") {
  admission::Policy policy = policy_of(4);
  policy.breaker = {.enabled = true, .open_for = 8s, .trial_requests = 1};
  Scene scene(policy);
  Visitor first(scene.gate, scene.loop), second(scene.gate, scene.loop), third(scene.gate, scene.loop);
  scene.come(first);
  first.permit->complete(admission::Completion::unreachable);
  first.permit->release(scene.now);
  CHECK(scene.gate.state().breaker == 2);
  scene.come(second);
  CHECK(second.ticket.reason == Reason::breaker);
  CHECK(second.ticket.retry_after >= 8);
  CHECK(second.ticket.retry_after <= 12);

  scene.gate.polled(false, {}, scene.now);
  CHECK(scene.gate.state().breaker == 2);
  scene.gate.polled(true, {}, scene.now);
  scene.come(third);
  REQUIRE(third.permit);
  third.permit->complete(admission::Completion::success);
  third.permit->release(scene.now);
  CHECK(scene.gate.state().breaker == 0);

  SUBCASE("and a reload changes none of it") {
    Visitor fourth(scene.gate, scene.loop);
    scene.come(fourth);
    fourth.permit->complete(admission::Completion::unreachable);
    fourth.permit->release(scene.now);
    scene.gate.configure(policy, 0.2, scene.now);
    CHECK(scene.gate.state().breaker == 2);
  }
}

TEST_CASE("a trial connect ends when it is connected, and other requests need not wait for its answer") {
  admission::Policy policy = policy_of(4);
  policy.breaker = {.enabled = true, .trial_requests = 1};
  Scene scene(policy);
  Visitor first(scene.gate, scene.loop), trial(scene.gate, scene.loop), next(scene.gate, scene.loop);
  scene.come(first);
  first.permit->complete(admission::Completion::unreachable);
  first.permit->release(scene.now);
  scene.gate.polled(true, {}, scene.now);
  scene.come(trial);
  REQUIRE(trial.permit);
  CHECK(scene.gate.state().breaker == 1);
  trial.permit->reached();
  CHECK(scene.gate.state().breaker == 0);
  trial.permit->reached();  // has no further effect
  trial.permit.reset();
  scene.come(next);
  CHECK(next.permit);
}

TEST_CASE("each change of a breaker is reported once") {
  std::vector<std::string> told;
  admission::Policy policy = policy_of(4);
  policy.breaker = {.enabled = true};
  Gate gate(policy, 0.2, {}, [&](const admission::BreakerChange& change) {
    told.push_back(std::string(change.class_name) + ":" + std::string(name(change.change.state)));
  });
  net::asio::io_context loop;
  const Time now = Clock::now();
  for (int i = 0; i < 20; ++i) {
    Ticket ticket(loop.get_executor());
    ticket.class_index = kCritical;
    REQUIRE(gate.arrive(ticket, now) == State::admitted);
    const Permit permit(gate, ticket);  // its destructor reports `dropped`
  }
  gate.polled(true, {}, now);
  CHECK(told == std::vector<std::string>{"critical:open", "critical:half_open"});
}

TEST_CASE("retries in flight are limited, and a place that is given back is free again") {
  Scene scene(policy_of(4));
  for (int i = 0; i < admission::RetryBudget::kLeast; ++i) CHECK(scene.gate.begin_retry());
  CHECK_FALSE(scene.gate.begin_retry());
  scene.gate.end_retry();
  CHECK(scene.gate.begin_retry());
}

TEST_CASE("a refusal is explained with the numbers behind it, at most once a second") {
  struct Told {
    Reason reason;
    admission::Snapshot numbers;
  };
  std::vector<Told> told;
  admission::Policy policy = policy_of(4, 0);
  relay::Gate gate(policy, 0.2, [&](const admission::Request& request, const admission::Snapshot& numbers) {
    told.push_back({request.reason, numbers});
  });
  net::asio::io_context loop;
  std::deque<Ticket> tickets;
  std::vector<Permit> permits;
  const Time now = Clock::now();
  const auto come = [&](Time at) {
    Ticket& ticket = tickets.emplace_back(loop.get_executor());
    const State state = gate.arrive(ticket, at);
    if (state == State::admitted) permits.emplace_back(gate, ticket);
    return state;
  };
  CHECK(come(now) == State::admitted);
  CHECK(come(now) == State::admitted);
  CHECK(told.empty());
  for (int i = 0; i < 100; ++i) CHECK(come(now + i * 1ms) == State::refused);
  REQUIRE(told.size() == 1);
  CHECK(told[0].reason == Reason::capacity);
  CHECK(told[0].numbers.in_flight == 2);
  CHECK(told[0].numbers.limit == 4);
  CHECK(told[0].numbers.classes[0].share == 2);
  CHECK(come(now + 1s) == State::refused);
  CHECK(told.size() == 2);

  policy.mode = admission::Mode::shadow;
  gate.configure(policy, 0.2, now + 2s);
  CHECK(come(now + 2s) == State::admitted);
  REQUIRE(told.size() == 3);
  CHECK(told[2].numbers.mode == admission::Mode::shadow);
}

TEST_CASE("a pool of which nothing has been heard for a while is told as unknown; its counter stays") {
  struct Row {
    Duration polls, kept;
  };
  for (const Row& row : {Row{1s, 15s}, Row{0s, 15s}, Row{60s, 180s}}) {
    admission::Policy policy = policy_of(10);
    policy.poll_interval = row.polls;
    Gate gate(policy);
    const Time now = Time{} + 1h;
    CHECK(gate.state(now).load.pool_capacity == 0);
    gate.polled(true, admission::LoadReport{.pool_size = 5, .pool_capacity = 5, .connection_errors = 7}, now);
    CHECK(gate.state(now + row.kept).load.pool_capacity == 5);
    CHECK(gate.state(now + row.kept + 1s).load.pool_capacity == 0);
    CHECK(gate.state(now + row.kept + 1s).connection_errors == 7);
    CHECK(gate.state(now + row.kept + 1s).load_at == now);
    gate.polled(true, admission::LoadReport{.pool_size = 5, .pool_capacity = 5}, now + 1h);
    CHECK(gate.state(now + 1h).load.pool_capacity == 5);
    CHECK(gate.state(now + 1h).connection_errors == 7);
  }
}

}  // namespace
