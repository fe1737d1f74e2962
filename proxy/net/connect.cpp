#include "proxy/net/connect.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>

#include <boost/asio/basic_waitable_timer.hpp>
#include <sys/socket.h>

#include "proxy/net/clock.hpp"

namespace net {

namespace {
constexpr Duration kFirstPause = std::chrono::milliseconds(1);
constexpr Duration kLongestPause = std::chrono::milliseconds(16);
}  // namespace

Task<error_code> connect(Socket* socket, asio::generic::stream_protocol::endpoint endpoint, const bool* given_up) {
  if (endpoint.protocol().family() != AF_UNIX) {
    const auto [error] = co_await socket->async_connect(endpoint, kAwait);
    co_return error;
  }
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> pause(socket->get_executor());
  Duration length = kFirstPause;
  for (;;) {
    // Asio would take the full queue for a connection under way.
    const int result = ::connect(socket->native_handle(), endpoint.data(), static_cast<socklen_t>(endpoint.size()));
    if (result == 0) co_return error_code();
    if (errno != EAGAIN || *given_up) co_return error_code(errno, asio::error::get_system_category());
    pause.expires_after(length);
    co_await pause.async_wait(kAwait);
    length = std::min(2 * length, kLongestPause);
  }
}

}  // namespace net
