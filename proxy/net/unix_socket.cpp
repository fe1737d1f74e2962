#include "proxy/net/unix_socket.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace net {

namespace {

constexpr std::size_t kMaxGroupEntry = 1024 * 1024;  ///< a group with some ten thousand members

std::optional<gid_t> find_group(const std::string& name) {
  std::vector<char> space(4096);
  group entry{};
  group* found = nullptr;
  while (::getgrnam_r(name.c_str(), &entry, space.data(), space.size(), &found) == ERANGE &&
         space.size() < kMaxGroupEntry) {
    space.resize(2 * space.size());
  }
  if (found) return found->gr_gid;
  gid_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

}  // namespace

SocketFile::SocketFile(std::string path, bool owned) : path_(std::move(path)), owned_(owned) {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) != 0) return;
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

SocketFile::~SocketFile() {
  struct stat status {};
  if (!owned_ || ::lstat(path_.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path_.c_str());
}

bool is_left_over(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  struct stat status {};
  if (path.size() >= sizeof name.sun_path || ::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
    return false;
  }
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  // Only this answer says that nobody is there. A full queue is EAGAIN, a socket of another type EPROTOTYPE.
  const bool refused =
      ::connect(probe, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return refused;
}

std::string set_access(const config::Listen& listen) {
  const char* path = listen.address.path.c_str();
  if (listen.group) {
    const auto group = find_group(*listen.group);
    if (!group) return "there is no group " + *listen.group;
    if (::lchown(path, static_cast<uid_t>(-1), *group) != 0) {
      return "cannot give it to group " + *listen.group + ": " + std::strerror(errno);
    }
  }
  if (listen.mode) {
    mode_t mode = 0;
    std::from_chars(listen.mode->data(), listen.mode->data() + listen.mode->size(), mode, 8);
    if (::chmod(path, mode) != 0) return "cannot set its mode: " + std::string(std::strerror(errno));
  }
  return {};
}

}  // namespace net
