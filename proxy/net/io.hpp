#pragma once

#include <cstddef>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "proxy/net/clock.hpp"

namespace net {

namespace asio = boost::asio;
using boost::system::error_code;

/// The concrete executor everywhere: the type-erased default costs an allocation and a virtual call per operation.
using Executor = asio::io_context::executor_type;

/// A coroutine on a worker's event loop. Parameters are passed by value: GCC 12 mishandles some references.
template <class T = void>
using Task = asio::awaitable<T, Executor>;

/// TCP and unix sockets alike.
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;

using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

/// Completion by value `(error_code, ...)`: no exceptions on the request path.
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<Executor>> kAwait{asio::use_awaitable_t<Executor>{}};

/// Gives the memory to the heap that this thread keeps for frames of `Task`.
void clear_frames();

}  // namespace net

/// Where the frames of `Task` live: `frames.cpp`.
template <>
void* boost::asio::detail::awaitable_frame_base<net::Executor>::operator new(std::size_t size);
template <>
void boost::asio::detail::awaitable_frame_base<net::Executor>::operator delete(void* frame, std::size_t size);
