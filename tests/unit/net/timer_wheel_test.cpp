#include "proxy/net/timer_wheel.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include <doctest/doctest.h>

namespace {

using namespace net;
using spillway::Duration;
using spillway::Time;
using namespace std::chrono_literals;

constexpr Duration kTick = TimerWheel::kTick;
constexpr Duration kWholeTurn = kTick * static_cast<int>(TimerWheel::kSlots);
/// A time between two ticks, as a real clock has.
constexpr Time kStart{1'000'003ms + 137ns};

struct Alarm final : Deadline {
  std::function<void()> then = [] {};
  int fired = 0;
  void on_deadline() override {
    ++fired;
    then();
  }
};

/// A wheel that is turned as an event loop does it: only when it has asked for a turn.
struct Loop {
  TimerWheel wheel{kStart};

  /// Turns the wheel until `end`. Returns the time of each turn.
  std::vector<Time> run_until(Time end) {
    std::vector<Time> turns;
    for (auto next = wheel.next_turn(); next && *next <= end; next = wheel.next_turn()) {
      REQUIRE((turns.empty() || *next > turns.back()));
      turns.push_back(*next);
      wheel.turn(*next);
    }
    wheel.turn(end);
    return turns;
  }
};

TEST_CASE("a deadline never fires early, fires at most one tick late, and only once") {
  for (const Duration delay :
       {Duration(1ns), Duration(1ms), kTick - 1ns, kTick, kTick + 1ns, Duration(999ms), Duration(5s),
        kWholeTurn - kTick, kWholeTurn - 1ns, kWholeTurn, kWholeTurn + 1ns, Duration(25s), Duration(30min)}) {
    CAPTURE(delay.count());
    Loop loop;
    Alarm alarm;
    const Time due = kStart + delay;
    loop.wheel.arm(alarm, due);
    CHECK(alarm.armed());
    loop.run_until(due - 1ns);
    CHECK(alarm.fired == 0);
    loop.run_until(due + kTick);
    CHECK(alarm.fired == 1);
    CHECK_FALSE(alarm.armed());
    loop.run_until(due + 3 * kWholeTurn);
    CHECK(alarm.fired == 1);
  }
}

TEST_CASE("a deadline that is already due fires at the next turn, not a whole round later") {
  for (const Duration ago : {Duration(0ns), Duration(1ns), kTick, Duration(3s), kWholeTurn, Duration(60s)}) {
    CAPTURE(ago.count());
    Loop loop;
    Alarm alarm;
    loop.wheel.arm(alarm, kStart - ago);
    CHECK(alarm.fired == 0);
    loop.run_until(kStart + kTick);
    CHECK(alarm.fired == 1);
  }
}

TEST_CASE("a late turn fires all deadlines that became due meanwhile") {
  for (const Duration gap : {5 * kTick, kWholeTurn - kTick, kWholeTurn, kWholeTurn + kTick, 10 * kWholeTurn}) {
    CAPTURE(gap.count());
    TimerWheel wheel(kStart);
    std::deque<Alarm> due, later;
    for (Duration delay = kTick / 2; delay <= gap - kTick; delay += gap / 50) {
      wheel.arm(due.emplace_back(), kStart + delay);
      wheel.arm(later.emplace_back(), kStart + gap + delay);
    }
    wheel.turn(kStart + gap);
    for (const Alarm& alarm : due) CHECK(alarm.fired == 1);
    for (const Alarm& alarm : later) CHECK(alarm.fired == 0);
    wheel.turn(kStart + 2 * gap);
    for (const Alarm& alarm : later) CHECK(alarm.fired == 1);
  }
}

TEST_CASE("a clock that stands still, or a turn told of an earlier time, fires nothing twice") {
  TimerWheel wheel(kStart);
  Alarm alarm;
  wheel.arm(alarm, kStart + 1s);
  wheel.turn(kStart + 2s);
  wheel.turn(kStart + 2s);
  wheel.turn(kStart);
  CHECK(alarm.fired == 1);
  wheel.arm(alarm, kStart + 3s);
  wheel.turn(kStart + 1s);
  CHECK(alarm.fired == 1);
  wheel.turn(kStart + 3s + kTick);
  CHECK(alarm.fired == 2);
}

TEST_CASE("arming again moves a deadline, sooner or later") {
  Loop loop;
  Alarm alarm;
  loop.wheel.arm(alarm, kStart + 1s);
  loop.wheel.arm(alarm, kStart + 20s);
  loop.run_until(kStart + 19s);
  CHECK(alarm.fired == 0);
  loop.wheel.arm(alarm, kStart + 19s + 50ms);
  loop.run_until(kStart + 19s + 60ms);
  CHECK(alarm.fired == 1);
  loop.run_until(kStart + 30s);
  CHECK(alarm.fired == 1);
}

TEST_CASE("a disarmed or destroyed deadline never fires") {
  Loop loop;
  Alarm alarm;
  loop.wheel.arm(alarm, kStart + 1s);
  alarm.disarm();
  CHECK_FALSE(alarm.armed());
  alarm.disarm();  // a second time has no effect
  {
    Alarm gone;
    loop.wheel.arm(gone, kStart + 1s);
  }
  CHECK(loop.wheel.next_turn() == std::nullopt);
  loop.run_until(kStart + 30s);
  CHECK(alarm.fired == 0);
}

TEST_CASE("a callback may disarm deadlines of the same turn and of later ones") {
  Loop loop;
  Alarm first, same_slot, next_slot, much_later;
  first.then = [&] {
    same_slot.disarm();
    next_slot.disarm();
    much_later.disarm();
  };
  loop.wheel.arm(first, kStart + 1s);
  loop.wheel.arm(same_slot, kStart + 1s);
  loop.wheel.arm(next_slot, kStart + 1s + kTick);
  loop.wheel.arm(much_later, kStart + 1s + kWholeTurn);
  loop.wheel.turn(kStart + 60s);
  CHECK(first.fired == 1);
  CHECK(same_slot.fired == 0);
  CHECK(next_slot.fired == 0);
  CHECK(much_later.fired == 0);
  CHECK(loop.wheel.next_turn() == std::nullopt);
}

TEST_CASE("a callback may destroy its own deadline and others") {
  TimerWheel wheel(kStart);
  int fired = 0;
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int i = 0; i < 8; ++i) {
    auto& alarm = alarms.emplace_back(std::make_unique<Alarm>());
    alarm->then = [&] {
      ++fired;
      auto doomed = std::move(alarms);  // all deadlines, also the one that is firing
      doomed.clear();
    };
    wheel.arm(*alarm, kStart + 1s + (i / 4) * kTick);
  }
  wheel.turn(kStart + 2s);
  CHECK(fired == 1);
  CHECK(wheel.next_turn() == std::nullopt);
}

TEST_CASE("a callback that arms itself again is not called twice in one turn") {
  TimerWheel wheel(kStart);
  Alarm alarm;
  Time now = kStart;
  Duration again{};
  alarm.then = [&] { wheel.arm(alarm, now + again); };
  for (const Duration delay : {Duration(-1s), Duration(0s), Duration(1ns), kTick, kWholeTurn, -kWholeTurn}) {
    CAPTURE(delay.count());
    again = delay;
    alarm.fired = 0;
    wheel.arm(alarm, now);
    now += 3 * kWholeTurn;
    wheel.turn(now);
    CHECK(alarm.fired == 1);
    CHECK(alarm.armed());
    now += std::max(delay, Duration(0)) + 2 * kTick;
    wheel.turn(now);
    CHECK(alarm.fired == 2);
  }
}

TEST_CASE("a wheel asks for turns only while a deadline is armed, and once per round for far ones") {
  Loop loop;
  CHECK(loop.wheel.next_turn() == std::nullopt);
  Alarm soon, far;
  loop.wheel.arm(soon, kStart + 25ms);
  loop.wheel.arm(far, kStart + 60s);
  CHECK(loop.run_until(kStart + 59s).size() == 1 + 5);
  CHECK(soon.fired == 1);
  CHECK(loop.run_until(kStart + 60s + kTick).size() == 1);
  CHECK(far.fired == 1);
  CHECK(loop.wheel.next_turn() == std::nullopt);
}

/// A wheel, and a naive list of the armed deadlines and their times.
class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    for (int i = 0; i < 60; ++i) {
      Entry& entry = entries_.emplace_back();
      entry.alarm.then = [this, &entry] { fired(entry); };
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      const int dice = below(10);
      if (dice < 5) {
        arm(entries_[static_cast<std::size_t>(below(60))]);
      } else if (dice < 6) {
        disarm(entries_[static_cast<std::size_t>(below(60))]);
      } else {
        now_ += below(40) == 0 ? kTick * below(4000) : Duration(below(25'000'000));
        wheel_.turn(now_);
      }
      check(dice >= 6);
    }
    CHECK(fired_ > steps / 10);
  }

 private:
  struct Entry {
    Alarm alarm;
    std::optional<Time> at;
    Time known_at{};  // when it was armed
  };

  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  void arm(Entry& entry) {
    constexpr int kDelays[] = {-50, 0, 1, 30, 300, 12'000, 45'000};
    const Duration delay = below(2) * Duration(below(1'000'000)) + std::chrono::milliseconds(kDelays[below(7)]);
    entry.at = now_ + delay;
    entry.known_at = now_;
    wheel_.arm(entry.alarm, *entry.at);
  }
  void disarm(Entry& entry) {
    entry.at.reset();
    entry.alarm.disarm();
  }
  void fired(Entry& entry) {
    ++fired_;
    REQUIRE(entry.at);
    CHECK(*entry.at <= now_);
    entry.at.reset();
    // Callbacks arm and disarm, too.
    if (below(4) == 0) arm(entry);
    if (below(4) == 0) arm(entries_[static_cast<std::size_t>(below(60))]);
    if (below(4) == 0) disarm(entries_[static_cast<std::size_t>(below(60))]);
  }
  void check(bool turned) {
    std::optional<Time> latest_turn;  // when a turn is needed, so that no deadline is more than a tick late
    int disagreements = 0, late = 0;
    for (const Entry& entry : entries_) {
      disagreements += entry.alarm.armed() != entry.at.has_value();
      if (!entry.at) continue;
      const Time due = std::max(*entry.at, entry.known_at);
      late += turned && due <= now_ - kTick;
      latest_turn = std::min(latest_turn.value_or(due + kTick), due + kTick);
    }
    REQUIRE(disagreements == 0);
    REQUIRE(late == 0);
    const auto next = wheel_.next_turn();
    REQUIRE(next.has_value() == latest_turn.has_value());
    if (next) CHECK(*next <= *latest_turn);
  }

  std::mt19937 random_;
  std::deque<Entry> entries_;
  Time now_ = kStart;
  TimerWheel wheel_{kStart};
  int fired_ = 0;
};

TEST_CASE("random arming, disarming and turning agrees with a naive list of deadlines") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    World(seed).run(3000);
  }
}

}  // namespace
