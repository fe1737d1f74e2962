#pragma once

#include <string>

#include <sys/types.h>

#include "config/address.hpp"

namespace api {

/// A listening socket, non-blocking. Closes itself; removes its unix-socket file unless it was inherited.
class Listener {
 public:
  Listener() = default;
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  /// False: `error` says why. With systemd's LISTEN_FDS for this process, its first socket is taken instead.
  bool open(const config::Address& address, std::string& error);

  /// Copies of the descriptor listen on.
  void close();

  int descriptor() const { return descriptor_; }
  /// Where it listens in fact, as in `127.0.0.1:41234` when port 0 was asked for.
  std::string where() const;

 private:
  bool adopt(int descriptor, std::string& error);
  bool open_tcp(const config::Address& address, std::string& error);
  bool open_unix(const std::string& path, std::string& error);

  int descriptor_ = -1;
  std::string path_;  ///< of a unix socket to remove
  ino_t inode_ = 0;   ///< of that file
};

/// `127.0.0.1`, `::1`, or `unix`; empty for anything else.
std::string peer_address(int descriptor);

}  // namespace api
