#include "proxy/relay/idle_connection.hpp"

#include <array>
#include <utility>

#include "proxy/net/proxy_header.hpp"
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

/// Takes what belongs to the header, and nothing of what follows. False: the connection ends here.
bool IdleConnection::read_proxy_header() {
  constexpr std::size_t kAtOnce = 256;  // most headers are whole
  std::array<char, kAtOnce> bytes;
  net::error_code error;
  std::string& header = *client_.proxy_header;
  const std::size_t held = header.size();
  const std::size_t size = client_.transport.read_now(net::asio::buffer(bytes), true, error);
  if (error == net::asio::error::would_block) return true;
  if (error) return false;  // it has left, as checks of a load balancer do
  header.append(bytes.data(), size);
  const net::ProxyHeader read = net::parse_proxy_header(header);
  if (read.state == net::ProxyHeader::State::invalid) {
    worker_.connections().lacks_proxy_header(client_, 400, read.error);
    return false;
  }
  const bool complete = read.state == net::ProxyHeader::State::complete;
  client_.transport.read_now(net::asio::buffer(bytes, complete ? read.size - held : size), false, error);
  if (!complete) return true;
  client_.proxy_header.reset();
  if (!read.client.empty()) {
    client_.balancer = std::make_unique<const std::string>(std::exchange(client_.peer, read.client));
  }
  return worker_.connections().is_introduced(*this, client_);
}

void IdleConnection::wait() {
  client_.transport.async_wait_readable([this](net::error_code error) { wait_ended(error); });
}

/// A client that sends parts of a record must send a request within the time for a head: they take memory.
void IdleConnection::wait_for_record() {
  if (!std::exchange(record_begun_, true)) {
    worker_.timers().arm(*this, Clock::now() + worker_.settings()->config.timeouts.request_head);
  }
  wait();
}

void IdleConnection::end() {
  if (!introduced()) return close();  // a client that has not even been named has no request on its way
  client_.transport.cancel();
}

void IdleConnection::close() {
  closing_ = true;
  client_.transport.close();  // ends the wait, too
}

void IdleConnection::on_deadline() {
  if (!introduced()) worker_.connections().lacks_proxy_header(client_, 408, "it did not come in time");
  end();
}

void IdleConnection::wait_ended(net::error_code error) {
  const bool secure = client_.transport.tls() != nullptr;
  // Over TLS what has come may be no data: a part of a record, or new keys. It has no deadline of its own.
  if (!closing_ && !error && secure && !client_.transport.stale()) return wait_for_record();
  // Nor is an end: it would have to be waited for once more. When many connections end at once, each would be taken for
  // one that is idle before its turn has come, and again and again.
  bool request_comes = !closing_ && ((!error && !secure) || has_unread());
  if (request_comes && !introduced()) {
    request_comes = read_proxy_header();
    if (request_comes && (!introduced() || !client_.handshake)) return wait();
  }
  disarm();
  Worker& worker = worker_;
  if (request_comes && gave_way_ != Time{} && Clock::now() - gave_way_ < ConnectionTable::kKeepBuffer) {
    worker.connections().was_in_time();
  }
  Client client = std::move(client_);
  delete this;
  worker.connections().idle_ended(std::move(client), request_comes);
}

}  // namespace spillway::relay
