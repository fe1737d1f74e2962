#pragma once

#include <cstdint>

#include <openssl/types.h>

namespace tls {

/// A connected, non-blocking descriptor as OpenSSL reads and writes it. Unlike OpenSSL's own sockets it knows whether
/// the last read has taken all that had come: to try once more would be a system call for nothing. One thread's.
class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  /// Has `ssl` use `number`. Must outlive `ssl`; the caller closes the descriptor. Without memory `ssl` gets none, and
  /// its first step fails.
  void attach(SSL* ssl, int number);
  /// The descriptor is closed: its number may soon be another one's. Reads and writes fail from here on.
  void detach() { number_ = -1; }

  /// The last read got less than it had room for, so that nothing is left until the system reports more.
  bool drained() const { return drained_; }
  /// Bytes that the system has taken.
  std::uint64_t sent() const { return sent_; }

 private:
  struct Calls;

  int number_ = -1;
  bool drained_ = true;
  bool ended_ = false;  ///< the peer sends no more
  std::uint64_t sent_ = 0;
};

}  // namespace tls
