// Preloaded into a program under test: sockets take less than they are given, and calls are interrupted, again and
// again. Every second send or splice is cut to a few hundred bytes; every fifth call of these or of recv returns EINTR
// and does nothing. What is submitted to io_uring is cut likewise. Reads are not cut: the kernel never leaves bytes
// unread that fit, and whoever reads edge-triggered relies on that. At the end it writes to the file that
// PRELOADED_FAULTS_FILE names how often it has cut a call, interrupted one, and cut an entry of a ring.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>

#include <dlfcn.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/socket.h>

namespace {

std::atomic<unsigned> calls{0}, cut{0}, interrupted{0}, entries_cut{0};

template <class Function>
Function real(Function /*type*/, const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool interrupts() {
  if (++calls % 5 != 0) return false;
  ++interrupted;
  errno = EINTR;
  return true;
}

/// Bytes that a send of `size` may take.
std::size_t room(std::size_t size, std::atomic<unsigned>& count) {
  const unsigned at = calls;
  const std::size_t most = at % 2 == 0 ? size : 1 + at * 37 % 700;
  if (most < size) ++count;
  return std::min(size, most);
}

bool is_stream(int descriptor) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

struct Report {
  ~Report() {
    const char* const path = std::getenv("PRELOADED_FAULTS_FILE");
    if (path) std::ofstream(path) << cut << ' ' << interrupted << ' ' << entries_cut << '\n';
  }
} report;

}  // namespace

extern "C" {

ssize_t send(int descriptor, const void* bytes, std::size_t size, int flags) {
  static const auto next = real(&send, "send");
  if (!is_stream(descriptor)) return next(descriptor, bytes, size, flags);
  return interrupts() ? -1 : next(descriptor, bytes, room(size, cut), flags);
}

ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  static const auto next = real(&sendmsg, "sendmsg");
  if (!is_stream(descriptor) || message->msg_controllen > 0 || message->msg_iovlen == 0)
    return next(descriptor, message, flags);
  if (interrupts()) return -1;
  iovec first = message->msg_iov[0];
  first.iov_len = room(first.iov_len, cut);
  msghdr shorter = *message;
  shorter.msg_iov = &first;
  shorter.msg_iovlen = 1;
  if (first.iov_len == message->msg_iov[0].iov_len) shorter = *message;
  return next(descriptor, &shorter, flags);
}

ssize_t recv(int descriptor, void* bytes, std::size_t size, int flags) {
  static const auto next = real(&recv, "recv");
  return interrupts() ? -1 : next(descriptor, bytes, size, flags);
}

ssize_t splice(int from, off_t* from_at, int to, off_t* to_at, std::size_t size, unsigned flags) {
  static const auto next = real(&splice, "splice");
  return interrupts() ? -1 : next(from, from_at, to, to_at, room(size, cut), flags);
}

int io_uring_submit_and_wait(io_uring* ring, unsigned wanted) {
  static const auto next = real(&io_uring_submit_and_wait, "io_uring_submit_and_wait");
  for (unsigned at = ring->sq.sqe_head; at != ring->sq.sqe_tail; ++at) {
    io_uring_sqe& entry = ring->sq.sqes[at & *ring->sq.kring_mask];
    ++calls;
    if (entry.opcode == IORING_OP_SEND) entry.len = static_cast<unsigned>(room(entry.len, entries_cut));
    if (entry.opcode != IORING_OP_SENDMSG) continue;
    msghdr& message = *reinterpret_cast<msghdr*>(entry.addr);
    const std::size_t size = message.msg_iov[0].iov_len;
    message.msg_iov[0].iov_len = room(size, entries_cut);
    if (message.msg_iov[0].iov_len < size) message.msg_iovlen = 1;
  }
  return next(ring, wanted);
}

}  // extern "C"
