#pragma once

#include <optional>
#include <utility>

#include <boost/asio/async_result.hpp>

#include "proxy/net/io.hpp"

namespace net {

/// A place where one coroutine waits until `resume()`. Both from the same event loop; for another thread
/// post the resume there. A coroutine must not be parked when the object dies.
class Parking {
 public:
  bool occupied() const { return handler_.has_value(); }

  Task<> wait() {
    asio::use_awaitable_t<Executor> token;
    return asio::async_initiate<asio::use_awaitable_t<Executor>, void()>(
        [this](Handler handler) { handler_.emplace(std::move(handler)); }, token);
  }

  /// Runs the parked coroutine up to its next wait, which may destroy this object.
  void resume() {
    Handler handler = std::move(*handler_);
    handler_.reset();
    handler();
  }

 private:
  using Handler = asio::async_result<asio::use_awaitable_t<Executor>, void()>::handler_type;
  std::optional<Handler> handler_;
};

}  // namespace net
