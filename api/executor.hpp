#pragma once

#include <chrono>

#include <boost/asio.hpp>

namespace api {

namespace asio = boost::asio;

/// The concrete executor everywhere: the type-erased one costs an allocation and a virtual call per operation.
using Executor = asio::io_context::executor_type;
template <class T = void>
using Awaitable = asio::awaitable<T, Executor>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

/// Results instead of exceptions: `auto [error, n] = co_await socket.async_read_some(buffer, kAsTuple);`
inline constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable_t<Executor>{});

}  // namespace api
