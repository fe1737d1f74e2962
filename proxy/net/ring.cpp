#include "proxy/net/ring.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace net {

namespace {
/// Kernels before 6.1 do not know the flags that make a ring cheap for one thread; 5.10 is the first with the last one.
constexpr std::array kFlags{
    IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
    IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_R_DISABLED,
};
}  // namespace

std::unique_ptr<Ring> Ring::open(std::string& why) {
  auto ring = std::unique_ptr<Ring>(new Ring);
  int error = 0;
  for (const unsigned flags : kFlags) {
    error = -::io_uring_queue_init(kEntries, &ring->ring_, flags);
    if (error == 0) return ring;
    if (error != EINVAL) break;
  }
  ring->broken_ = true;
  why = std::generic_category().message(error);
  return nullptr;
}

Ring::~Ring() {
  if (!broken_) ::io_uring_queue_exit(&ring_);
}

bool Ring::begin() {
  // Version 2.3 of liburing declares a function for this, and does not export it.
  if (::syscall(SYS_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) < 0) return false;
  ::io_uring_register_ring_fd(&ring_);  // cheaper calls; it goes without
  // A filter may let a ring be made and not be used.
  ::io_uring_prep_nop(::io_uring_get_sqe(&ring_));
  if (::io_uring_submit_and_wait(&ring_, 1) != 1) return false;
  ::io_uring_cq_advance(&ring_, 1);
  return true;
}

void Ring::perform(std::span<Transfer> all) {
  while (!all.empty()) {
    const std::span<Transfer> some = all.first(std::min<std::size_t>(all.size(), kEntries));
    if (broken_) {
      for (Transfer& each : some) each.perform();
    } else {
      submit(some);
    }
    all = all.subspan(some.size());
  }
}

void Ring::submit(std::span<Transfer> some) {
  std::array<msghdr, kEntries> messages;
  for (std::size_t i = 0; i < some.size(); ++i) {
    Transfer& each = some[i];
    io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_);  // the ring is empty: there is one for each
    const iovec& first = each.pieces[0];
    if (!each.sends) {
      ::io_uring_prep_recv(entry, each.descriptor, first.iov_base, first.iov_len, Transfer::kReceives);
    } else if (each.count == 1) {
      ::io_uring_prep_send(entry, each.descriptor, first.iov_base, first.iov_len, Transfer::kSends);
    } else {
      messages[i] = each.message();
      ::io_uring_prep_sendmsg(entry, each.descriptor, &messages[i], Transfer::kSends);
    }
    entry->user_data = i;
  }
  std::size_t ended = 0, taken = some.size();
  while (ended < taken) {
    const int result = ::io_uring_submit_and_wait(&ring_, static_cast<unsigned>(taken - ended));
    ended += reap(some);
    if (result >= 0 || result == -EINTR) continue;
    // The kernel has no memory, for example. What it has taken ends; the rest is not given again.
    broken_ = true;
    taken = some.size() - ::io_uring_sq_ready(&ring_);
    for (io_uring_cqe* entry = nullptr; ended < taken; ended += reap(some)) ::io_uring_wait_cqe(&ring_, &entry);
  }
  if (!broken_) return;
  ::io_uring_queue_exit(&ring_);
  for (Transfer& each : some.subspan(taken)) each.perform();
}

/// Takes the results that are there, and says how many.
std::size_t Ring::reap(std::span<Transfer> some) {
  unsigned head = 0, count = 0;
  io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(&ring_, head, entry) {
    some[entry->user_data].result = entry->res;
    ++count;
  }
  ::io_uring_cq_advance(&ring_, count);
  return count;
}

}  // namespace net
