#include "proxy/net/pipe.hpp"

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace net {

std::unique_ptr<Pipe> Pipe::open(MemoryBudget& budget, std::size_t limit) {
  std::unique_ptr<Pipe> pipe(new Pipe(budget));
  int ends[2];
  if (!pipe->memory_.grow_to(kSize, limit) || ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return nullptr;
  std::tie(pipe->out_, pipe->in_) = std::pair(ends[0], ends[1]);
  // Without the privilege for that, it holds what the system gives.
  ::fcntl(pipe->in_, F_SETPIPE_SZ, static_cast<int>(kSize));
  return pipe;
}

Pipe::~Pipe() {
  if (in_ < 0) return;
  ::close(in_);
  ::close(out_);
}

std::size_t Pipe::fill(Transport& from, std::uint64_t most, error_code& error) {
  const ssize_t size = from.splice_into(in_, static_cast<std::size_t>(std::min<std::uint64_t>(most, kSize)));
  if (size < 0) error = error_code(errno, asio::error::get_system_category());
  if (size <= 0) return 0;
  held_ += static_cast<std::size_t>(size);
  return static_cast<std::size_t>(size);
}

bool Pipe::write_now(Transport& to, error_code& error) {
  if (empty()) return true;
  const ssize_t size = to.splice_from(out_, held_);
  if (size > 0) {
    held_ -= static_cast<std::size_t>(size);
  } else if (size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
    error = error_code(size < 0 ? errno : EPIPE, asio::error::get_system_category());
  }
  return empty();
}

std::size_t Pipe::read(char* to, std::size_t most) {
  const ssize_t size = ::read(out_, to, std::min(most, held_));
  if (size <= 0) return 0;
  held_ -= static_cast<std::size_t>(size);
  return static_cast<std::size_t>(size);
}

}  // namespace net
