#pragma once

#include "proxy/net/io.hpp"

namespace net {

/// Connects, without blocking. A unix socket whose queue is full says so at once and later tells nobody when it has
/// room: it is asked again, for as long as `*given_up` is false. Cancelling the socket ends a wait for TCP.
/// `socket` and `given_up` must outlive the call.
Task<error_code> connect(Socket* socket, asio::generic::stream_protocol::endpoint endpoint, const bool* given_up);

}  // namespace net
