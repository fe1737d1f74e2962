#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

namespace api::auth {

enum class Line : std::uint8_t { familiar, strangers };

/// Two queues of password checks, served in turn: every second check is one of the familiar if any waits, however many
/// strangers log in. Pure and not thread-safe.
class CheckLines {
 public:
  using Check = std::function<void()>;

  /// `places`: the length of each queue. A check keeps its place until `done`.
  explicit CheckLines(std::size_t places) : places_(places) {}

  bool full(Line line) const { return taken(line) >= places_; }
  /// False: the queue is full.
  bool join(Line line, Check check) {
    if (full(line)) return false;
    ++taken_[index(line)];
    waiting_[index(line)].push_back(std::move(check));
    return true;
  }
  /// A check must be waiting.
  Check next() {
    if (waiting_[turn_].empty()) turn_ = 1 - turn_;
    Check check = std::move(waiting_[turn_].front());
    waiting_[turn_].pop_front();
    turn_ = 1 - turn_;
    return check;
  }
  void done(Line line) { --taken_[index(line)]; }

 private:
  static std::size_t index(Line line) { return static_cast<std::size_t>(line); }
  std::size_t taken(Line line) const { return taken_[index(line)]; }

  const std::size_t places_;
  std::array<std::deque<Check>, 2> waiting_;
  std::array<std::size_t, 2> taken_{};
  std::size_t turn_ = 0;  // the queue that is served next, unless it is empty
};

}  // namespace api::auth
