#include "proxy/relay/idle_connection.hpp"

#include <utility>

#include "proxy/relay/connection_table.hpp"
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
  client_.transport.async_wait_readable([this](net::error_code error) { wait_ended(error); });
}

void IdleConnection::end() {
  client_.transport.cancel();
}

void IdleConnection::close() {
  closing_ = true;
  client_.transport.close();  // ends the wait, too
}

void IdleConnection::wait_ended(net::error_code error) {
  const bool request_comes = !closing_ && (!error || has_unread());
  disarm();
  Worker& worker = worker_;
  Client client = std::move(client_);
  delete this;
  worker.connections().idle_ended(std::move(client), request_comes);
}

}  // namespace spillway::relay
