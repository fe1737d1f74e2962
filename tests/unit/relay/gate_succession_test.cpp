// What a gate passes on while workers go on using it.
#include <atomic>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include "proxy/relay/gate.hpp"

namespace {

using namespace spillway;
using relay::Gate;
using relay::Permit;
using relay::Ticket;

TEST_CASE("no age of what passes on is negative, whatever a worker learns meanwhile") {
  constexpr int kTimes = 20'000;
  admission::Policy policy;
  policy.max_concurrent = 10;
  policy.classes = {{"normal", 1.0}};
  Gate gate(policy);
  std::atomic<bool> over{false};
  std::atomic<int> answered{0};
  std::thread worker([&] {
    net::asio::io_context loop;
    Ticket ticket(loop.get_executor());
    while (!over) {
      ticket.state = admission::Request::State::fresh;
      if (gate.arrive(ticket, Clock::now()) != admission::Request::State::admitted) continue;
      Permit permit(gate, ticket);
      permit.complete(admission::Completion::success);
      permit.release(Clock::now());
      ++answered;
    }
  });
  while (answered == 0) std::this_thread::yield();
  int negative = 0;
  for (int i = 0; i < kTimes; ++i) {
    const admission::Learned learned = gate.learned();
    negative += learned.service.age < Duration::zero() || learned.classes.at(0).service.age < Duration::zero() ||
                learned.classes.at(0).breaker.in_state < Duration::zero();
  }
  over = true;
  worker.join();
  CHECK(negative == 0);
  CHECK(answered > 1);
}

}  // namespace
