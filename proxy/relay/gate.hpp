#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

#include "proxy/admission/connection_errors.hpp"
#include "proxy/admission/controller.hpp"
#include "proxy/admission/load_report.hpp"
#include "proxy/admission/retry_budget.hpp"
#include "proxy/net/parking.hpp"
#include "proxy/net/turn.hpp"
#include "proxy/telemetry/state.hpp"

namespace spillway::relay {

/// A request's place at the gate, and where its coroutine waits.
struct Ticket : admission::Request {
  explicit Ticket(net::Executor loop) : executor(std::move(loop)), turn(net::Turn::of(executor)) {}
  net::Executor executor;
  net::Turn* turn;  ///< of its loop, if that has one
  net::Parking parking;
  int in_flight = 0;    ///< requests in flight once it was admitted, itself included
  int limit = 0;        ///< requests in flight that were admitted then
  int pressure = 0;     ///< requests in flight and waiting then, against the limit, in hundredths; at most 100
  int retry_after = 0;  ///< seconds to tell the client, once refused
};

/// The admission controller for all workers. One mutex around pure decisions of some ten nanoseconds buys an
/// exact cap and one order of waiting across workers; with one worker it is never contended.
/// Requests whose wait ends are resumed on their own event loop.
class Gate {
 public:
  /// Told of a refusal (in `shadow`, of what would be one) and the numbers behind it, once a second at most.
  /// Called with the gate's lock held: must not call back.
  using Explain = std::function<void(const admission::Request&, const admission::Snapshot&)>;

  /// Told of each change of a breaker, likewise.
  using BreakerChanged = std::function<void(const admission::BreakerChange&)>;

  /// `retry_budget`: share of the requests in flight that may be under way for a second time.
  explicit Gate(admission::Policy policy, double retry_budget = 0.2, Explain explain = {},
                BreakerChanged breaker_changed = {});

  /// Admitted or refused at once, or waiting: then the coroutine parks in `ticket.parking` before anything else,
  /// and is resumed with the decision in `ticket.state`.
  admission::Request::State arrive(Ticket& ticket, Time now);

  /// The client of a waiting request went away. True: it left the queue, the caller resumes it.
  /// False: it has been decided, its resume is on the way.
  bool abandon(Ticket& ticket);

  /// Refuses this request, on its way to be resumed then, if it waits and would be late. Else returns when to ask
  /// again; `Time::max()`: never.
  Time expire(Ticket& ticket, Time now);

  void tick(Time now);
  void configure(admission::Policy policy, double retry_budget, Time now);
  void refuse_waiting(admission::Reason reason);

  /// A health poll has ended.
  void polled(bool healthy, const std::optional<admission::LoadReport>& report, Time now);

  /// Seconds to tell a client that was refused elsewhere.
  int retry_after();

  /// Whether a request may be sent a second time now; then `end_retry` once it has been.
  bool begin_retry();
  void end_retry();

  /// A request waits for a slot, or one was refused after `since` because none was free.
  bool short_of_slots(Time since) const;

  // For a hand-over to a successor; see proxy/README.md, Upgrades.
  /// Reads the clock itself: a worker may have come in between, and ages must not be negative.
  admission::Learned learned() const;
  void restore(const admission::Learned& learned, Time now);
  /// The database connection errors of which the API has told: the successor counts from there.
  std::uint64_t reported_errors() const;
  void restore_errors(std::uint64_t reported, Time now);
  /// What a process that has a successor still needs.
  struct Needs {
    int requests = 0;  ///< slots
    int streams = 0;
  };
  /// The predecessor: gives up the slots that it does not need for its requests, those that wait included, and for
  /// `spare` further ones. Returns what it needs, which may be more than it has.
  Needs give_up(int spare);
  /// The predecessor: has so many slots from now on. `kNoCeiling`: it has no successor any more.
  void set_ceiling(int slots, Time now);
  static constexpr int kNoCeiling = admission::Controller::kNoCeiling;
  /// The successor: leaves the predecessor what it needs, before anybody here gets a slot. Returns the slots that the
  /// predecessor may have already.
  int leave(const Needs& needs, Time now);

  telemetry::AdmissionState state(Time now = Clock::now()) const;
  admission::Snapshot snapshot(Time now) const;
  admission::SizedAdvice advice() const;

 private:
  friend class Permit;
  void reached(Ticket& ticket, Time now);
  void begin_stream(Ticket& ticket, const std::optional<admission::LoadReport>& report, Time now);
  void finish(Ticket& ticket, admission::Completion completion, const std::optional<admission::LoadReport>& report,
              Time now);
  // With the lock held:
  static void note_need(Ticket& ticket, const admission::LoadReport& report);
  void answered(const admission::LoadReport& report, Time now);
  void observe(const admission::LoadReport& report, Time now);
  void note_load(Ticket& ticket) const;
  void refused(Ticket& ticket, Time now);
  using Decided = text::List<admission::Request>;
  /// Takes the decided requests out of the controller, and tells what breakers did; `resume` them without the lock.
  Decided take_decided(Time now);
  static void resume(Decided decided);

  mutable std::mutex mutex_;
  int capacity_;
  Duration report_kept_;  // how long a report counts for the metrics
  admission::Controller controller_;
  admission::RetryBudget retries_;
  std::mt19937 random_{std::random_device{}()};  ///< spreads the clients that are told to come back
  Explain explain_;
  BreakerChanged breaker_changed_;
  Time explained_{};
  Time no_slot_{};  ///< when somebody was last refused for want of a slot
  admission::ConnectionErrors connection_errors_;
  admission::LoadReport load_;
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
  /// The API could be connected to.
  void reached() {
    if (ticket_->reach_pass.trial != 0) gate_->reached(*ticket_, Clock::now());
  }
  /// How the request ended; unless told, it counts as dropped: a forgotten path must not look like success.
  void complete(admission::Completion completion) { completion_ = completion; }
  void report(const admission::LoadReport& report) { report_ = report; }
  /// The answer is a stream: it leaves the slots, where the policy has room for it. A report counts now.
  void begin_stream(Time now) {
    completion_ = admission::Completion::stream;
    gate_->begin_stream(*ticket_, report_, now);
    report_.reset();
  }
  void release(Time now) { std::exchange(gate_, nullptr)->finish(*ticket_, completion_, report_, now); }

 private:
  Gate* gate_ = nullptr;
  Ticket* ticket_ = nullptr;
  admission::Completion completion_ = admission::Completion::dropped;
  std::optional<admission::LoadReport> report_;
};

}  // namespace spillway::relay
