#include "tests/bench/fleet/fleet.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <queue>
#include <random>

namespace fleet {
namespace {

using admission::Completion;
using admission::Controller;
using spillway::Duration;
using spillway::Time;
using State = admission::Request::State;

constexpr double kTick = 0.010;         ///< seconds; while requests wait
constexpr int kTicksOfIdle = 25;        ///< so many ticks between those of a replica where nobody waits
constexpr double kFreeElsewhere = 0.1;  ///< of the fleet's slots

Time at(double seconds) {
  return Time{} + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

/// A number from 0 to 1 for a client, another one for each seed. It rises with time, as in classify::Cohorts.
double place_of(std::uint64_t client, std::uint64_t seed) {
  std::uint64_t x = client * 0x9E3779B97F4A7C15 + (seed + 1) * 0xD1B54A32D192ED03;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

struct Call : admission::Request {
  int replica = 0, client = 0, number = 0;
  double began = 0;
  bool broken = false;  // its replica is gone
  bool live = false;
};

struct Replica {
  std::unique_ptr<Controller> controller;
  std::deque<Call*> backlog;
  int busy = 0;
  bool there = true;
};

class Fleet {
 public:
  Fleet(const Shape& shape, double warm_up, double seconds, std::uint64_t seed)
      : shape_(shape),
        begin_(warm_up),
        end_(warm_up + seconds),
        random_(seed),
        balancer_(shape.balancing, shape.replicas),
        replicas_(static_cast<std::size_t>(shape.replicas)) {
    for (Replica& replica : replicas_) replica.controller = std::make_unique<Controller>(shape.policy);
    outcome_.answered_by_replica.resize(replicas_.size());
    outcome_.answered_of_client.resize(static_cast<std::size_t>(std::max(shape.clients, 1)));
  }

  Outcome run() {
    schedule(0, Event::arrival);
    schedule(0, Event::tick);
    if (shape_.lost > 0) schedule(begin_ + shape_.lost_from, Event::lose);
    if (shape_.lost > 0) schedule(begin_ + shape_.lost_until, Event::add);
    while (!events_.empty() && events_.top().at <= end_) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.at;
      happen(event);
    }
    return std::move(outcome_);
  }

 private:
  struct Event {
    double at;
    enum Kind : std::uint8_t { arrival, next_call, worked, queried, tick, lose, add } kind;
    Call* call;
    bool operator>(const Event& other) const { return at > other.at; }
  };

  void happen(const Event& event) {
    switch (event.kind) {
      case Event::arrival:
        schedule(now_ + exponential(shape_.calls / shape_.offered), Event::arrival);
        if (counts()) ++outcome_.tasks;
        call(shape_.clients > 0 ? static_cast<int>(random_() % static_cast<unsigned>(shape_.clients)) : 0, 0);
        break;
      case Event::next_call:
        call(event.call->client, event.call->number + 1);
        give(event.call);
        break;
      case Event::worked:
        done(*event.call);
        break;
      case Event::queried:
        --querying_;
        if (!pooler_.empty()) {
          Call* next = pooler_.front();
          pooler_.pop_front();
          query(*next);
        }
        done(*event.call);
        break;
      case Event::tick:
        tick();
        schedule(now_ + kTick, Event::tick);
        break;
      case Event::lose:
        for (int i = 0; i < lost(); ++i) lose(i);
        break;
      case Event::add:
        for (int i = 0; i < lost(); ++i) add(i);
        break;
    }
  }

  // --- Clients ---------------------------------------------------------------------------------------------------

  void call(int client, int number) {
    if (counts()) ++outcome_.offered;
    const int chosen = balancer_.choose(random_);
    if (chosen < 0) {
      if (counts()) ++outcome_.broken;
      return;
    }
    Call& call = take();
    call.replica = chosen;
    call.client = client;
    call.number = number;
    call.began = now_;
    if (shape_.clients > 0) {
      const auto own = shape_.one_seed ? 0 : static_cast<std::uint64_t>(chosen) + 1;
      call.place = std::fmod(place_of(static_cast<std::uint64_t>(client), own) + now_ / shape_.rotate, 1);
    }
    balancer_.sent(chosen);
    replica_of(call).controller->arrive(call, at(now_));
    decided(call);
    hand_out(replica_of(call));
  }

  void end(Call& call) {
    balancer_.ended(call.replica);
    const bool in_time = now_ - call.began <= shape_.patience;
    if (counts()) {
      ++(in_time ? outcome_.answered : outcome_.late);
      if (in_time) {
        outcome_.latencies.push_back(now_ - call.began);
        ++outcome_.answered_by_replica[static_cast<std::size_t>(call.replica)];
        ++outcome_.answered_of_client[static_cast<std::size_t>(call.client)];
        if (call.number + 1 == shape_.calls) ++outcome_.whole;
      }
    }
    if (in_time && call.number + 1 < shape_.calls) {
      schedule(now_ + shape_.pause, Event::next_call, &call);
    } else {
      give(&call);
    }
  }

  // --- The proxy of a replica ------------------------------------------------------------------------------------

  void decided(Call& call) {
    if (call.state == State::refused) {
      balancer_.ended(call.replica);
      if (counts()) {
        ++outcome_.refused;
        const int slots = shape_.slots * (shape_.replicas - gone_);
        if (in_flight_ < (1 - kFreeElsewhere) * slots) ++outcome_.stranded;
      }
      give(&call);
    } else if (call.state == State::admitted) {
      ++in_flight_;
      replica_of(call).backlog.push_back(&call);
      work(replica_of(call));
    }
  }

  void hand_out(Replica& replica) {
    while (admission::Request* request = replica.controller->next_decided()) decided(static_cast<Call&>(*request));
  }

  void tick() {
    ++ticks_;
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
      Replica& replica = replicas_[i];
      if (!replica.there || (replica.controller->queue_length() == 0 && (ticks_ + i) % kTicksOfIdle != 0)) continue;
      replica.controller->tick(at(now_));
      hand_out(replica);
    }
  }

  // --- The API and its database ----------------------------------------------------------------------------------

  void work(Replica& replica) {
    while (replica.busy < shape_.slots && !replica.backlog.empty()) {
      ++replica.busy;
      Call& call = *replica.backlog.front();
      replica.backlog.pop_front();
      if (shape_.database.cores == 0) {
        schedule(now_ + exponential(shape_.service), Event::worked, &call);
      } else if (shape_.database.connections > 0 && querying_ >= shape_.database.connections) {
        pooler_.push_back(&call);
      } else {
        query(call);
      }
    }
  }

  void query(Call& call) {
    ++querying_;
    const double crowd = std::max(1.0, static_cast<double>(querying_) / shape_.database.cores);
    const double slower = crowd * (1 + shape_.database.thrash * std::log2(crowd));
    schedule(now_ + exponential(shape_.database.query) * slower, Event::queried, &call);
  }

  void done(Call& call) {
    if (call.broken) return give(&call);
    Replica& replica = replica_of(call);
    --replica.busy;
    --in_flight_;
    replica.controller->finish(call, Completion::success, at(now_));
    end(call);
    hand_out(replica);
    work(replica);
  }

  // --- Replicas come and go --------------------------------------------------------------------------------------

  int lost() const { return static_cast<int>(shape_.lost * shape_.replicas); }

  void lose(int index) {
    Replica& replica = replicas_[static_cast<std::size_t>(index)];
    for (Call& call : calls_) {
      if (!call.live || call.broken || call.replica != index || call.state == State::fresh) continue;
      const bool working = call.state == State::admitted;
      if (!working) replica.controller->abandon(call);
      const bool queued = std::find(replica.backlog.begin(), replica.backlog.end(), &call) != replica.backlog.end();
      if (working) --in_flight_;
      if (counts()) ++outcome_.broken;
      call.broken = true;
      if (!working || queued) give(&call);  // no event will come for it
    }
    std::erase_if(pooler_, [this](Call* call) {
      if (call->broken) give(call);
      return call->broken;
    });
    replica = {};
    replica.there = false;
    ++gone_;
    balancer_.lose(index);
  }

  void add(int index) {
    Replica& replica = replicas_[static_cast<std::size_t>(index)];
    replica.controller = std::make_unique<Controller>(shape_.policy);
    replica.there = true;
    --gone_;
    balancer_.add(index);
  }

  // --- Odds and ends ---------------------------------------------------------------------------------------------

  bool counts() const { return now_ >= begin_; }
  double exponential(double mean) { return -mean * std::log((static_cast<double>(random_() >> 11) + 0.5) * 0x1p-53); }
  void schedule(double when, Event::Kind kind, Call* call = nullptr) { events_.push({when, kind, call}); }
  Replica& replica_of(const Call& call) { return replicas_[static_cast<std::size_t>(call.replica)]; }

  Call& take() {
    if (free_.empty()) free_.push_back(&calls_.emplace_back());
    Call& call = *free_.back();
    free_.pop_back();
    call = Call();
    call.live = true;
    return call;
  }
  void give(Call* call) {
    call->live = false;
    free_.push_back(call);
  }

  const Shape& shape_;
  double begin_, end_, now_ = 0;
  std::mt19937_64 random_;
  Balancer balancer_;
  std::vector<Replica> replicas_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::deque<Call> calls_;  // keep their addresses
  std::vector<Call*> free_;
  std::deque<Call*> pooler_;
  int querying_ = 0, in_flight_ = 0, gone_ = 0;
  std::size_t ticks_ = 0;
  Outcome outcome_;
};

}  // namespace

Outcome run(const Shape& shape, double warm_up, double seconds, std::uint64_t seed) {
  return Fleet(shape, warm_up, seconds, seed).run();
}

}  // namespace fleet
