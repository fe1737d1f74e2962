#pragma once

#include <array>
#include <cstddef>
#include <span>

#include <sys/socket.h>
#include <sys/uio.h>

#include "proxy/net/gather.hpp"

namespace net {

/// One send or receive of a socket, which does not wait.
struct Transfer {
  static Transfer receive(int descriptor, boost::asio::mutable_buffer space);
  static Transfer send(int descriptor, const Gather& output);
  /// By a system call of its own.
  void perform();
  /// All pieces, as sendmsg(2) wants them.
  msghdr message();

  static constexpr int kReceives = MSG_DONTWAIT, kSends = MSG_DONTWAIT | MSG_NOSIGNAL;  ///< flags

  int descriptor = -1;
  bool sends = false;
  std::array<iovec, Gather::kPieces> pieces{};
  std::size_t count = 0;  ///< of the pieces in use
  int result = 0;  ///< once it has been performed: bytes, or an error as a negative `errno`; `-EAGAIN` if it would wait
};

/// Performs transfers of many sockets together. One thread's.
class Batch {
 public:
  virtual ~Batch() = default;
  /// The thread that calls this performs from here on. False: it cannot.
  virtual bool begin() = 0;
  /// Performs all, each once. Descriptors and memory are not used any more when it returns.
  virtual void perform(std::span<Transfer> all) = 0;
};

}  // namespace net
