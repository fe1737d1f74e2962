#include "proxy/net/descriptors.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>

#include <sys/resource.h>
#include <sys/stat.h>

namespace net {

namespace {
/// Three standard streams, and a few for each event loop and listener.
constexpr int kGuess = 64;
}  // namespace

int raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kGuess;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max()));
}

int open_descriptors() {
  // Linux tells the number since 6.2; before, the folder must be read.
  struct stat folder {};
  if (::stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0) return static_cast<int>(folder.st_size);
  std::error_code error;
  int count = -1;  // the folder itself is open, too
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end; it.increment(error)) {
    ++count;
  }
  return error || count < 0 ? kGuess : count;
}

}  // namespace net
