#include "proxy/net/hang_ups.hpp"

#include <array>

#include <sys/epoll.h>

namespace net {

HangUps::HangUps(Executor loop) : epoll_(std::move(loop)) {
  const int descriptor = ::epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) return;  // nothing can be watched then
  epoll_.assign(descriptor);
  wait();
}

bool HangUps::watch(int descriptor, Watched& watched) {
  epoll_event wanted{};
  wanted.events = EPOLLRDHUP | EPOLLET;  // and EPOLLHUP and EPOLLERR, which cannot be left out
  wanted.data.ptr = &watched;
  return epoll_.is_open() && ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, descriptor, &wanted) == 0;
}

void HangUps::stop() {
  error_code ignored;
  epoll_.close(ignored);
}

void HangUps::wait() {
  epoll_.async_wait(asio::posix::descriptor_base::wait_read, [this](error_code error) {
    if (error) return;
    report();
    wait();
  });
}

void HangUps::report() {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count = ::epoll_wait(epoll_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i)
      static_cast<Watched*>(events[static_cast<std::size_t>(i)].data.ptr)->on_peer_closed();
    if (count < static_cast<int>(events.size())) return;
  }
}

}  // namespace net
