#pragma once

#include <optional>
#include <utility>

#include "proxy/net/io.hpp"

namespace net {

/// A place where one coroutine waits until `resume()`. Both from the same event loop; for another thread
/// post the resume there. A coroutine must not be parked when the object dies.
class Parking {
 public:
  bool occupied() const { return parked_.has_value(); }

  /// For `co_await`. What `asio::async_initiate` does, without a coroutine of its own for each wait.
  auto wait() {
    return [this](auto* frame) -> Thread* {
      parked_.emplace(std::move(*frame->detach_thread()));
      return nullptr;
    };
  }

  /// Runs the parked coroutine up to its next wait, which may destroy this object.
  void resume() {
    Thread thread = std::move(*parked_);
    parked_.reset();
    thread.launch();
  }

 private:
  using Thread = asio::detail::awaitable_thread<Executor>;
  std::optional<Thread> parked_;
};

}  // namespace net
