#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <queue>
#include <random>
#include <vector>

#include "proxy/admission/controller.hpp"

/// A discrete-event simulation of clients, the controller and an API of limited capacity. Deterministic for a seed,
/// without clock and threads.
namespace spillway::admission::simulation {

inline Duration seconds(double s) {
  return from_seconds(s);
}

/// An API that works on `slots` requests at a time and queues the others without limit.
struct Backend {
  int slots = 10;
  double service = 0.010;    ///< seconds of work per request
  bool exponential = false;  ///< distribution of the service time; otherwise constant with 5 % jitter, so that the
                             ///< slots do not work in lockstep
  double slowdown = 0;       ///< relative growth of the service time per request in its queue
  std::function<double(double)> slowness = nullptr;  ///< factor on the service time, by seconds since the start
  /// Another distribution: the time of one service, by the mean, a uniform number and the seconds since the start.
  std::function<double(double, double, double)> draw = nullptr;
  std::function<int(double)> slots_at = nullptr;  ///< instead of `slots`, by seconds since the start
  double hand_over = 0;  ///< seconds after an answer in which the proxy has not yet heard of it: the slot is idle
  /// Whether it is dead at the time: it refuses connections, and those who were inside get no answer.
  std::function<bool(double)> dead = nullptr;

  bool dead_now(double t) const { return dead && dead(t); }
  int slots_now(double t) const { return slots_at ? slots_at(t) : slots; }
  /// Requests per second that keep every slot busy: without `slowdown`, `slowness` and `slots_at`.
  double capacity() const { return slots / service; }
};

/// Poisson arrivals, independent of the answers (an open loop).
struct Source {
  int class_index = 0;
  std::function<double(double)> rate;  ///< requests per second, by seconds since the start
  double max_rate = 0;                 ///< upper bound of `rate`
  std::uint64_t key = 0;
  double deadline = 0;  ///< seconds after its arrival; 0: none
  double cost = 1;      ///< service time of its requests, relative to the backend's
  int calls = 1;        ///< of a journey: each after the answer to the one before, until one is refused
  double pause = 0;     ///< seconds between an answer and the next call
  int clients = 0;      ///< that begin journeys in turn, each with a random place among the cohorts; 0: no cohorts
};

inline Source steady(int class_index, double rate) {
  return {.class_index = class_index, .rate = [rate](double) { return rate; }, .max_rate = rate};
}

/// What became of one request. Times in seconds since the start.
struct Record {
  int class_index = 0;
  std::uint64_t key = 0;
  double arrived = 0;
  double ended = std::numeric_limits<double>::infinity();
  double served = 0;      ///< seconds of service
  bool answered = false;  ///< by the API; else refused, or still waiting at the end
  bool refused = false;
  bool failed = false;  ///< sent to an API that is dead
  Reason reason{};
  int call = 0;      ///< of its journey, from 0
  double place = 0;  ///< of its client among the cohorts
  double latency() const { return ended - arrived; }
};

class Simulation {
 public:
  Simulation(Policy policy, Backend backend, std::uint64_t seed)
      : controller(std::move(policy)), backend_(std::move(backend)), random_(seed) {}

  void add(Source source) {
    sources_.push_back(std::move(source));
    schedule_arrival(static_cast<int>(sources_.size()) - 1);
  }

  void run_until(double end) {
    if (now_ == 0) schedule({0, Event::tick, 0});
    while (!events_.empty() && events_.top().at <= end) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.at;
      switch (event.kind) {
        case Event::arrival:
          arrive(event.index);
          break;
        case Event::next_call: {
          const Record& last = records[static_cast<std::size_t>(event.index)];
          call(requests_[static_cast<std::size_t>(event.index)].source, last.call + 1, last.place);
          break;
        }
        case Event::done:
          done(event.index);
          break;
        case Event::told:
          told(event.index);
          break;
        case Event::unreachable:
          unreachable(event.index);
          break;
        case Event::tick:
          controller.tick(time());
          hand_out();
          if (on_tick) on_tick(now_);
          schedule({now_ + 0.010, Event::tick, 0});
          break;
      }
      most_in_flight = std::max(most_in_flight, controller.in_flight());
    }
    now_ = end;
  }

  Controller controller;
  std::deque<Record> records;
  std::function<void(double)> on_tick;
  int most_in_flight = 0;
  /// Slots of the API that work on a request at the moment.
  int busy() const { return busy_; }

 private:
  struct Tracked : Request {
    int id = 0, source = 0;
  };
  struct Event {
    double at;
    enum Kind { arrival, done, told, unreachable, tick, next_call } kind;
    int index;  // of the source or of the request
    bool operator>(const Event& other) const { return at > other.at; }
  };

  Time time() const { return Time{} + seconds(now_); }
  double uniform() { return (static_cast<double>(random_() >> 11) + 0.5) * 0x1p-53; }
  double exponential(double mean) { return -mean * std::log(uniform()); }
  void schedule(Event event) { events_.push(event); }

  // Thinning: candidates come at the highest rate, and the right share of them is kept. While the rate is 0 a candidate
  // every 10 ms is enough: hours without requests pass in no time.
  void schedule_arrival(int index) {
    const Source& source = sources_[static_cast<std::size_t>(index)];
    const double gap = exponential(1 / source.max_rate);
    schedule({now_ + (source.rate(now_) == 0 ? std::max(gap, 0.010) : gap), Event::arrival, index});
  }

  void arrive(int index) {
    const Source& source = sources_[static_cast<std::size_t>(index)];
    schedule_arrival(index);
    if (uniform() * source.max_rate > source.rate(now_)) return;
    call(index, 0,
         source.clients > 0 ? place_of(static_cast<int>(random_() % static_cast<unsigned>(source.clients))) : 0);
  }

  /// Evenly spread.
  static double place_of(int client) { return std::fmod(client * 0.6180339887498949, 1); }

  void call(int index, int number, double place) {
    const Source& source = sources_[static_cast<std::size_t>(index)];
    Record& record = records.emplace_back();
    Tracked& request = requests_.emplace_back();
    record.class_index = request.class_index = source.class_index;
    record.key = request.key = source.key;
    record.arrived = now_;
    record.call = number;
    record.place = request.place = place;
    request.source = index;
    if (source.deadline > 0) request.deadline = time() + seconds(source.deadline);
    const int id = request.id = static_cast<int>(requests_.size()) - 1;
    controller.arrive(request, time());
    decided(id);
    hand_out();
  }

  void hand_out() {
    while (Request* request = controller.next_decided()) decided(static_cast<Tracked*>(request)->id);
  }

  void decided(int id) {
    const Request& request = requests_[static_cast<std::size_t>(id)];
    Record& record = records[static_cast<std::size_t>(id)];
    if (request.state == Request::State::admitted && backend_.dead_now(now_)) {
      record.failed = true;
      schedule({now_ + kRefused, Event::unreachable, id});
    } else if (request.state == Request::State::refused) {
      record.refused = true;
      record.reason = request.reason;
      record.ended = now_;
    } else if (request.state == Request::State::admitted) {
      controller.reached(requests_[static_cast<std::size_t>(id)], time());
      backlog_.push_back(id);
      work();
    }
  }

  void work() {
    while (busy_ < backend_.slots_now(now_) && !backlog_.empty()) {
      ++busy_;
      const int id = backlog_.front();
      backlog_.pop_front();
      double service = backend_.service * (1 + backend_.slowdown * static_cast<double>(backlog_.size()));
      service *= sources_[static_cast<std::size_t>(requests_[static_cast<std::size_t>(id)].source)].cost;
      if (backend_.slowness) service *= backend_.slowness(now_);
      const double drawn = backend_.draw          ? backend_.draw(service, uniform(), now_)
                           : backend_.exponential ? exponential(service)
                                                  : service * (0.95 + 0.1 * uniform());
      records[static_cast<std::size_t>(id)].served = drawn;
      schedule({now_ + drawn, Event::done, id});
    }
  }

  void done(int id) {
    --busy_;
    Record& record = records[static_cast<std::size_t>(id)];
    const bool lost = backend_.dead_now(now_);
    record.answered = !lost;
    record.failed = lost;
    record.ended = now_;
    const Source& source = sources_[static_cast<std::size_t>(requests_[static_cast<std::size_t>(id)].source)];
    if (record.call + 1 < source.calls) schedule({now_ + source.pause, Event::next_call, id});
    if (backend_.hand_over > 0) {
      schedule({now_ + backend_.hand_over, Event::told, id});
    } else {
      told(id);
    }
    work();
  }

  void told(int id) {
    const bool lost = records[static_cast<std::size_t>(id)].failed;
    controller.finish(requests_[static_cast<std::size_t>(id)], lost ? Completion::dropped : Completion::success,
                      time());
    hand_out();
  }

  void unreachable(int id) {
    records[static_cast<std::size_t>(id)].ended = now_;
    controller.finish(requests_[static_cast<std::size_t>(id)], Completion::unreachable, time());
    hand_out();
  }

  static constexpr double kRefused = 0.0001;  // seconds until a connection is refused

  Backend backend_;
  std::mt19937_64 random_;
  double now_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Source> sources_;
  std::deque<Tracked> requests_;
  std::deque<int> backlog_;
  int busy_ = 0;
};

/// The `q` quantile of `value`, in seconds, of the records that `pick` accepts.
template <typename Pick>
double latency_quantile(const std::deque<Record>& records, double q, Pick pick) {
  std::vector<double> values;
  for (const Record& record : records) {
    if (pick(record)) values.push_back(record.latency());
  }
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

}  // namespace spillway::admission::simulation
