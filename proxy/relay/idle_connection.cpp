#include "proxy/relay/idle_connection.hpp"

#include <utility>

#include <sys/socket.h>

#include "proxy/relay/worker.hpp"

namespace spillway::relay {

ConnectionCount::ConnectionCount(telemetry::Counter& open_here, std::atomic<int>& open_in_all)
    : open_here_(&open_here), open_in_all_(&open_in_all) {
  open_here_->add();
  open_in_all_->fetch_add(1, std::memory_order_relaxed);
}

ConnectionCount::ConnectionCount(ConnectionCount&& other) noexcept
    : of_client(std::move(other.of_client)),
      open_here_(std::exchange(other.open_here_, nullptr)),
      open_in_all_(other.open_in_all_) {}

ConnectionCount::~ConnectionCount() {
  if (!open_here_) return;
  open_here_->subtract();
  open_in_all_->fetch_sub(1, std::memory_order_relaxed);
}

void IdleConnection::wait() {
  client_.socket.async_wait(net::Socket::wait_read, [this](net::error_code error) { wait_ended(error); });
}

void IdleConnection::end() {
  net::error_code ignored;
  client_.socket.cancel(ignored);
}

void IdleConnection::close() {
  closing_ = true;
  net::error_code ignored;
  client_.socket.close(ignored);  // ends the wait, too
}

bool IdleConnection::bytes_wait() {
  char byte;
  return ::recv(client_.socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void IdleConnection::wait_ended(net::error_code error) {
  const bool request_comes = !closing_ && (!error || bytes_wait());
  disarm();
  Worker& worker = worker_;
  Client client = std::move(client_);
  delete this;
  worker.idle_ended(std::move(client), request_comes);
}

}  // namespace spillway::relay
