#include "proxy/upstream/connection_pool.hpp"

#include <algorithm>

namespace spillway::upstream {

namespace {
/// Takes the connection that owns `stream` out of `from`; null if it is not there.
ConnectionPool::Lease extract(std::vector<ConnectionPool::Lease>& from, const net::Stream& stream) {
  const auto it = std::find_if(from.begin(), from.end(), [&](const auto& c) { return &c->stream == &stream; });
  if (it == from.end()) return nullptr;
  ConnectionPool::Lease connection = std::move(*it);
  from.erase(it);
  return connection;
}
}  // namespace

void Connection::on_deadline() {
  pool_.drop_idle(*this);
}

ConnectionPool::ConnectionPool(net::Timers& timers, net::BlockPool& blocks, telemetry::WorkerCounters& counters,
                               std::atomic<int>& open, const Addresses& addresses)
    : timers_(timers), blocks_(blocks), counters_(counters), open_(open), addresses_(addresses) {}

void ConnectionPool::configure(const ConnectionLimits& limits, std::shared_ptr<const tls::ClientContext> tls) {
  limits_ = limits;
  if (tls == tls_) return;
  tls_ = std::move(tls);
  close_idle();
}

ConnectionPool::Lease ConnectionPool::take_idle() {
  drop_gone();
  if (idle_.empty()) return nullptr;
  Lease connection = std::move(idle_.back());
  idle_.pop_back();
  connection->disarm();
  connection->stream.observe(nullptr);
  counters_.upstream_idle.subtract();
  counters_.upstream_active.add();
  return connection;
}

ConnectionPool::Lease ConnectionPool::open(const Endpoint& endpoint, net::Executor executor, net::error_code& error) {
  const bool beyond_limit = open_.fetch_add(1, std::memory_order_relaxed) >= limits_.max_connections;
  if (beyond_limit && limits_.enforced) {
    open_.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  net::Transport transport(std::move(executor));
  if (!transport.open(endpoint, error)) {  // no descriptor is left, which is not the fault of the API
    open_.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  if (tls_) {
    auto session = tls_->connect();
    if (!session) error = net::asio::error::no_memory;
    if (session) transport.secure(std::move(session));
  }
  counters_.upstream_active.add();
  auto connection = std::make_unique<Connection>(*this, std::move(transport), blocks_);
  connection->beyond_limit = beyond_limit;
  connection->endpoint = endpoint;
  connection->name = net::to_text(endpoint);
  connection->tls = tls_;
  connection->generation = addresses_.generation() - 1;  // not compared yet
  return connection;
}

void ConnectionPool::give(Lease connection, Time now) {
  if (closed_ || connection->stream.peer_closed() || connection->tls != tls_ || gone(*connection) ||
      idle_.size() >= static_cast<std::size_t>(limits_.max_idle))
    return discard(std::move(connection));
  connection->reused = true;
  connection->stream.observe(this);
  connection->stream.await_input(net::kBlockSize);
  timers_.arm(*connection, now + limits_.idle_timeout);
  counters_.upstream_active.subtract();
  counters_.upstream_idle.add();
  idle_.push_back(std::move(connection));
}

void ConnectionPool::discard(Lease connection) {
  counters_.upstream_active.subtract();
  destroy(std::move(connection));
}

void ConnectionPool::drop_idle(Connection& connection) {
  counters_.upstream_idle.subtract();
  destroy(extract(idle_, connection.stream));
}

bool ConnectionPool::gone(Connection& connection) const {
  const std::uint32_t now = addresses_.generation();
  if (connection.generation == now) return false;
  connection.generation = now;
  return !addresses_.has(connection.endpoint);
}

void ConnectionPool::drop_gone() {
  const std::uint32_t now = addresses_.generation();
  if (generation_ == now) return;
  generation_ = now;
  for (std::size_t i = idle_.size(); i-- > 0;) {
    if (gone(*idle_[i])) drop_idle(*idle_[i]);
  }
}

void ConnectionPool::destroy(Lease connection) {
  open_.fetch_sub(1, std::memory_order_relaxed);
  connection->disarm();
  connection->stream.close();
  connection->stream.observe(this);
  if (connection->stream.reading()) closing_.push_back(std::move(connection));
}

void ConnectionPool::on_unawaited_read(net::Stream& stream) {
  // The read of a closed connection has ended; or the API has closed an idle connection, or sent bytes unasked.
  if (Lease closed = extract(closing_, stream)) return;
  if (Lease idle = extract(idle_, stream)) {
    counters_.upstream_idle.subtract();
    destroy(std::move(idle));
  }
}

void ConnectionPool::close() {
  closed_ = true;
  close_idle();
}

void ConnectionPool::close_idle() {
  while (!idle_.empty()) drop_idle(*idle_.back());
}

}  // namespace spillway::upstream
