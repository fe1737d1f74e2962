#pragma once

namespace support {

/// The system calls that preload/calls.cpp counts.
enum class Call : unsigned char { recv, epoll_ctl, poll };
inline constexpr int kCalls = 3;

}  // namespace support
