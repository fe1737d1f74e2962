// What the one mutex of the admission gate costs when threads hammer it: gate_contention [SECONDS]. A decision is the
// arrival of a request or its end; each reads the clock, as on the request path.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <sys/resource.h>

#include "proxy/relay/gate.hpp"

namespace {

using spillway::Clock;
using spillway::relay::Gate;
using spillway::relay::Permit;
using spillway::relay::Ticket;
using State = spillway::admission::Request::State;

double thread_cpu() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// So much work between two requests as a request costs besides, or none.
void work(int rounds) {
  for (int i = 0; i < rounds; ++i) asm volatile("" ::: "memory");
}

struct Result {
  double decisions = 0, cpu = 0, switches = 0;
};

Result hammer(Gate& gate, const std::atomic<bool>& stop, int rounds) {
  boost::asio::io_context loop;
  Ticket ticket(loop.get_executor());
  Result result;
  const double before = thread_cpu();
  while (!stop.load(std::memory_order_relaxed)) {
    const State state = gate.arrive(ticket, Clock::now());
    ++result.decisions;
    if (state == State::admitted) {
      Permit permit(gate, ticket);
      permit.complete(spillway::admission::Completion::success);
      ++result.decisions;
    } else {
      ticket.state = State::fresh;
    }
    work(rounds);
  }
  result.cpu = thread_cpu() - before;
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  result.switches = static_cast<double>(usage.ru_nvcsw);
  return result;
}

void measure(const char* what, int limit, int threads, int rounds, double seconds) {
  spillway::admission::Policy policy;
  policy.max_concurrent = limit;
  policy.queue.max_wait = {};  // nobody waits: what is full refuses
  Gate gate(policy);
  std::atomic<bool> stop{false};
  std::vector<Result> results(static_cast<std::size_t>(threads));
  std::vector<std::thread> running;
  for (Result& result : results) running.emplace_back([&] { result = hammer(gate, stop, rounds); });
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (std::thread& each : running) each.join();
  Result all;
  for (const Result& result : results) {
    all.decisions += result.decisions;
    all.cpu += result.cpu;
    all.switches += result.switches;
  }
  std::printf("%-22s %7d %14.2f %14.0f %18.4f\n", what, threads, all.decisions / seconds / 1e6,
              1e9 * all.cpu / all.decisions, all.switches / all.decisions);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2;
  constexpr int kRequest = 20'000;  // some 5 us: a tenth of what a request costs
  std::printf("%-22s %7s %14s %14s %18s\n", "", "threads", "M decisions/s", "CPU ns each", "sleeps/decision");
  for (const int threads : {1, 2, 4, 8, 16}) {
    measure("admitted", 100, threads, 0, seconds);
    measure("refused", 1, threads, 0, seconds);
    measure("admitted, with work", 100, threads, kRequest, seconds);
  }
}
