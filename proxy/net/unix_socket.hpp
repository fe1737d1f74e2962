#pragma once

#include <atomic>
#include <string>

#include <sys/types.h>

#include "config/listen.hpp"

namespace net {

/// The file of a unix socket that this process has bound. The last owner removes it, unless another file has replaced
/// it. Release it while the socket is open: until then no other file can have the same inode.
class SocketFile {
 public:
  /// `owned`: see `own`.
  explicit SocketFile(std::string path, bool owned = true);
  ~SocketFile();
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  /// Whether this process removes it: not while another one serves there. From any thread.
  void own(bool owned) { owned_ = owned; }

 private:
  std::string path_;
  std::atomic<bool> owned_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// Whether the path holds a socket's file that nobody listens at any more: one that may be removed. Does not wait: a
/// listener whose queue is full is one.
bool is_left_over(const std::string& path);

/// Sets the mode and the group of a socket's file. Call it before listen(2), so that nobody connects meanwhile. Empty,
/// or one line that says why it failed.
std::string set_access(const config::Listen& listen);

}  // namespace net
