#pragma once

#include <string>

#include <sys/types.h>

#include "config/listen.hpp"

namespace net {

/// The file of a unix socket that this process has bound. The last owner removes it, unless another file has taken its
/// place. To be let go of while the socket is open: until then nothing else can be mistaken for the file.
class SocketFile {
 public:
  explicit SocketFile(std::string path);
  ~SocketFile();
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// Whether the path holds a socket's file that nobody listens at any more: one that may be removed. Does not wait: a
/// listener whose queue is full is one.
bool is_left_over(const std::string& path);

/// Gives the file of a socket the mode and the group that are asked for. Before listen(2), so that nobody connects
/// meanwhile. Empty, or one line that says why not.
std::string set_access(const config::Listen& listen);

}  // namespace net
