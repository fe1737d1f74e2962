#pragma once

#include <mutex>
#include <optional>
#include <utility>

#include "proxy/admission/controller.hpp"
#include "proxy/net/parking.hpp"
#include "proxy/telemetry/state.hpp"
#include "proxy/upstream/load_report.hpp"

namespace spillway::relay {

/// A request's place at the gate, and where its coroutine waits.
struct Ticket : admission::Request {
  explicit Ticket(net::Executor loop) : executor(std::move(loop)) {}
  net::Executor executor;
  net::Parking parking;
  int in_flight = 0;  ///< requests in flight once it was admitted, itself included
};

/// The admission controller for all workers. One mutex around pure decisions of some ten nanoseconds buys an
/// exact cap and one order of waiting across workers; with one worker it is never contended.
/// Requests whose wait ends are resumed on their own event loop.
class Gate {
 public:
  explicit Gate(admission::Policy policy) : capacity_(policy.max_concurrent), controller_(std::move(policy)) {}

  /// Admitted or refused at once, or waiting: then the coroutine parks in `ticket.parking` before anything else,
  /// and is resumed with the decision in `ticket.state`.
  admission::Request::State arrive(Ticket& ticket, Time now);

  /// The client of a waiting request went away. True: it left the queue, the caller resumes it.
  /// False: it has been decided, its resume is on the way.
  bool abandon(Ticket& ticket);

  void tick(Time now);
  void configure(admission::Policy policy, Time now);
  void refuse_waiting(admission::Reason reason);

  /// What the API reports of itself, on a response or a health poll.
  void observe(const upstream::LoadReport& report, Time now);

  telemetry::AdmissionState state() const;

 private:
  friend class Permit;
  void finish(Ticket& ticket, admission::Completion completion, const std::optional<upstream::LoadReport>& report,
              Time now);
  /// Takes the decided requests out of the controller; call with the lock held, `resume` them without it.
  admission::Request* take_decided();
  static void resume(admission::Request* decided);

  mutable std::mutex mutex_;
  int capacity_;
  admission::Controller controller_;
  upstream::LoadReport load_;
  std::optional<Time> load_at_;
};

/// The right to have one request in flight. The slot goes back when it dies, and in no other way.
class Permit {
 public:
  Permit() = default;
  Permit(Gate& gate, Ticket& ticket) : gate_(&gate), ticket_(&ticket) {}
  Permit(Permit&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), ticket_(other.ticket_) {}
  Permit& operator=(Permit&&) = delete;
  ~Permit() {
    if (gate_) release(Clock::now());
  }

  bool held() const { return gate_ != nullptr; }
  /// How the request ended; unless told, it counts as dropped: a forgotten path must not look like success.
  void complete(admission::Completion completion) { completion_ = completion; }
  void report(const upstream::LoadReport& report) { report_ = report; }
  void release(Time now) { std::exchange(gate_, nullptr)->finish(*ticket_, completion_, report_, now); }

 private:
  Gate* gate_ = nullptr;
  Ticket* ticket_ = nullptr;
  admission::Completion completion_ = admission::Completion::dropped;
  std::optional<upstream::LoadReport> report_;
};

}  // namespace spillway::relay
