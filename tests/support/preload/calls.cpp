// Preloaded into a program under test: counts some of its system calls. The file that PRELOADED_CALLS_FILE names gets
// the counts while the program runs: 64-bit numbers, in the order of the enumeration `Call` in calls.hpp.

#include "tests/support/preload/calls.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Counts = std::atomic<std::uint64_t>[support::kCalls];

/// Null: nobody wants to know.
Counts* open_counts() {
  const char* const path = std::getenv("PRELOADED_CALLS_FILE");
  const int file = path ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return nullptr;
  void* const memory = ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<Counts*>(memory);
}

void count(support::Call call) {
  static Counts* const counts = open_counts();
  if (counts) (*counts)[static_cast<int>(call)].fetch_add(1, std::memory_order_relaxed);
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" ssize_t recv(int socket, void* buffer, size_t size, int flags) {
  static auto* const real = next<decltype(::recv)>("recv");
  count(support::Call::recv);
  return real(socket, buffer, size, flags);
}

extern "C" int epoll_ctl(int epoll, int operation, int descriptor, epoll_event* event) noexcept {
  static auto* const real = next<decltype(::epoll_ctl)>("epoll_ctl");
  count(support::Call::epoll_ctl);
  return real(epoll, operation, descriptor, event);
}

extern "C" int poll(pollfd* descriptors, nfds_t number, int timeout) {
  static auto* const real = next<decltype(::poll)>("poll");
  count(support::Call::poll);
  return real(descriptors, number, timeout);
}
