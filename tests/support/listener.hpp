#pragma once

namespace support {

/// A listening TCP socket on 127.0.0.1 with a free port. Closed at the end.
class Listener {
 public:
  /// The test fails if the socket cannot be made.
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int descriptor() const { return descriptor_; }
  int port() const { return port_; }

 private:
  int descriptor_;
  int port_ = 0;
};

}  // namespace support
