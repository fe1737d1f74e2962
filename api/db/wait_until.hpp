#pragma once

#include <memory>

#include <boost/asio.hpp>

#include "proxy/net/clock.hpp"
#include "proxy/net/io.hpp"

namespace api::db {

using Descriptor = net::asio::posix::basic_stream_descriptor<net::Executor>;

/// Waits for the descriptor to become ready. False: it was not before the deadline. The descriptor must live until
/// then.
inline net::Task<bool> wait_until(Descriptor& descriptor, Descriptor::wait_type what, Time deadline) {
  net::Timer timer(descriptor.get_executor(), deadline);
  // The timer's handler may run after the end of this coroutine; then `waiting` is gone.
  const auto waiting = std::make_shared<Descriptor*>(&descriptor);
  timer.async_wait([weak = std::weak_ptr(waiting)](boost::system::error_code error) {
    const auto alive = weak.lock();
    if (!error && alive) (*alive)->cancel();
  });
  auto [error] = co_await descriptor.async_wait(what, net::kAwait);
  co_return !error;
}

}  // namespace api::db
