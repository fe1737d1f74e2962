#include "proxy/relay/connection.hpp"

#include <algorithm>

#include "proxy/relay/connection_table.hpp"
#include "proxy/relay/exchange.hpp"
#include "proxy/relay/http2_connection.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
/// How long an answered connection keeps its buffer and exchange: most next requests come sooner.
/// How long a closed connection is read on, so that the client gets to see the answer instead of a reset.
constexpr Duration kLinger = std::chrono::seconds(2);
/// Room for the rest of a head that has come in part. More than that, and the block doubles.
constexpr std::size_t kHeadSpace = 512;
/// What a connection with an unfinished head takes beside its buffer: connection, exchange, coroutine frames; 3.6 KiB
/// were measured.
constexpr std::size_t kConnectionCost = 4 * 1024;
}  // namespace

/// Over TLS the client has said in the handshake what it speaks.
Connection::Protocol Connection::protocol_of(const Client& client) {
  if (!client.http2) return Protocol::http1;
  return client.transport.tls() ? Protocol::http2 : Protocol::either;
}

Connection::Connection(Worker& worker, Client client)
    : worker_(worker),
      protocol_(protocol_of(client)),
      stream_(std::move(client.transport), worker.blocks()),
      peer_(std::move(client.peer)),
      balancer_(std::move(client.balancer)),
      counted_(std::move(client.counted)),
      http1_(worker, *this, stream_, peer_) {
  if (balancer_) http1_.told_by(*balancer_);
}

Connection::~Connection() {
  if (exchange_) worker_.give_exchange(std::move(exchange_));
}

// GCC 12 inlines the `operator new` of a coroutine's frame but not its `operator delete`, and takes them for a
// mismatch.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
net::Task<> Connection::serve(Worker& worker, Client client) {
  Next next = Next::request;
  {
    Connection c(worker, std::move(client));
    worker.connections().opened();
    while (next == Next::request) {
      const bool waits = c.begin_wait();
      if (waits) co_await c.stream_.wait_read();
      next = c.end_wait(waits);
      if (next != Next::request) break;
      if (c.protocol_ == Protocol::either) co_await c.find_protocol();
      if (c.protocol_ == Protocol::http2) {
        co_await c.serve_http2();
        next = Next::close;
        break;
      }
      Failure failure;
      const bool whole = c.begin_exchange(failure);
      if (!whole && c.protocol_ == Protocol::either) {
        failure = c.timed_out_ ? Failure::Kind::client_timeout : Failure::Kind::client_gone;
      } else if (!whole) {
        failure = co_await c.read_head();
      }
      if (!failure) failure = c.parse_head();
      co_await c.exchange_->run(failure);
      if (c.http1_.end() != End::keep_alive) next = co_await c.leave_exchange();
    }
    c.disarm();
    if (next == Next::idle && !c.stream_.busy()) {
      Client idle{std::move(c.stream_.transport()), std::move(c.peer_), std::move(c.counted_)};
      idle.balancer = std::move(c.balancer_);
      worker.connections().is_idle(std::move(idle), c.ending_, c.gave_way_);
    } else {
      c.stream_.close();
      c.stream_.observe(nullptr);
      while (c.stream_.busy()) co_await c.stream_.wait_read();
    }
  }
  worker.connections().closed();
}
#pragma GCC diagnostic pop

/// Before the first byte of a request. A connection that was just used keeps its buffer for a moment. False: there is
/// no need to wait.
bool Connection::begin_wait() {
  http1_.shrink_input();
  if (!stream_.in.empty()) return false;
  worker_.connections().is_recently_used(*this);
  arm(Clock::now(), std::min(ConnectionTable::kKeepBuffer, worker_.settings()->idle_for));
  stream_.await_input();  // a close that it does not tell is seen when the buffer has been given back
  return true;
}

Connection::Next Connection::end_wait(bool waited) {
  if (waited) {
    worker_.connections().was_recently_used();
    if (closing_) return Next::close;
    if (stream_.in.empty()) return timed_out_ || ending_ ? Next::idle : Next::close;
  }
  disarm();
  worker_.connections().is_busy(*this);
  return Next::request;
}

/// Whether the client begins with the preface of HTTP/2, which is no request of HTTP/1. The answer is `either` if it
/// sends no more than a part of it, which may be that of a request, too.
net::Task<> Connection::find_protocol() {
  arm(Clock::now(), worker_.settings()->config.timeouts.request_head);
  std::string_view come = stream_.in.view();
  while (come.size() < http2::kPreface.size() && http2::kPreface.starts_with(come)) {
    worker_.connections().reads_head(*this, kConnectionCost + stream_.in.capacity());
    if (timed_out_) break;
    stream_.start_read(1);
    co_await stream_.wait_read();
    if (stream_.read_error()) break;
    come = stream_.in.view();
  }
  worker_.connections().has_head(*this);
  disarm();
  if (come.starts_with(http2::kPreface)) {
    protocol_ = Protocol::http2;
  } else if (!http2::kPreface.starts_with(come)) {
    protocol_ = Protocol::http1;
  }
}

net::Task<> Connection::serve_http2() {
  const std::string_view balancer = balancer_ ? std::string_view(*balancer_) : std::string_view();
  http2_ = std::make_unique<Http2Connection>(worker_, *this, stream_, peer_, balancer);
  co_await http2_->run();
}

/// False: its head has not come whole yet.
bool Connection::begin_exchange(Failure& failure) {
  if (!exchange_) exchange_ = worker_.take_exchange();
  exchange_->begin(http1_, worker_.settings(), Clock::now());
  http1_.begin(*exchange_, exchange_->settings(), exchange_->request(), exchange_->text());
  return scan_head(failure);
}

/// Looks at the bytes of the head that have come. False: more are needed.
bool Connection::scan_head(Failure& failure) {
  http::Violation violation;
  const bool ended = http1_.scan_head(violation);
  if (violation) failure = Failure::bad_request(violation);
  return ended;
}

Failure Connection::parse_head() {
  const http::Violation violation = http1_.parse_head();
  return violation ? Failure::bad_request(violation) : Failure();
}

/// Reads the rest of a head. Most heads are complete at once. An incomplete one may stay for long, so it is kept in as
/// small a block as holds it until it is complete.
net::Task<Failure> Connection::read_head() {
  arm(exchange_->began(), exchange_->settings().config.timeouts.request_head);
  const Failure failure = co_await read_rest_of_head();
  worker_.connections().has_head(*this);
  disarm();
  if (failure) co_return failure;
  timed_out_ = evicted_ = false;  // complete after all
  if (stream_.in.size() < net::kBlockSize) stream_.in.reserve(net::kBlockSize - stream_.in.size());
  co_return failure;
}

net::Task<Failure> Connection::read_rest_of_head() {
  Failure failure;
  do {
    // A read that began while the request before waited in the queue keeps the buffer where it is.
    if (!stream_.reading()) stream_.in.fit(kHeadSpace);
    worker_.connections().reads_head(*this, kConnectionCost + stream_.in.capacity());
    if (timed_out_) co_return Failure::Kind::client_timeout;
    stream_.start_read(1);
    co_await stream_.wait_read();
    if (stream_.read_error()) co_return timed_out_ ? Failure::Kind::client_timeout : Failure::Kind::client_gone;
  } while (!scan_head(failure));
  co_return failure;
}

/// What follows a request after which the connection does not simply stay open.
net::Task<Connection::Next> Connection::leave_exchange() {
  Next next = Next::close;
  if (http1_.end() == End::drain_body) {
    const bool drained = co_await drain_body();
    if (drained) next = Next::request;
  }
  if (http1_.end() == End::linger && !evicted_) co_await linger();
  if (http1_.end() == End::reset) stream_.reset();
  co_return next;
}

/// Reads and drops the rest of a small body, so that the next request can follow. False: the rest did not come.
net::Task<bool> Connection::drain_body() {
  arm(Clock::now(), exchange_->settings().config.timeouts.request_body);
  while (!http1_.body_complete()) {
    if (stream_.in.empty()) {  // else it came while the answer was sent
      if (timed_out_) co_return false;
      stream_.start_read();
      co_await stream_.wait_read();
      if (stream_.in.empty()) co_return false;
    }
    if (http1_.skip_body()) co_return false;
  }
  co_return true;
}

net::Task<> Connection::linger() {
  stream_.shutdown_send();
  arm(Clock::now(), kLinger);
  while (!timed_out_) {
    if (!stream_.reading()) stream_.in.consume(stream_.in.size());
    http1_.shrink_input();
    stream_.start_read(1);  // into the block there is
    co_await stream_.wait_read();
    if (stream_.read_error()) break;
  }
}

void Connection::end() {
  ending_ = true;
  http1_.refuse_next();
  stream_.cancel();
}

void Connection::drain() {
  if (http2_) http2_->drain();
}

void Connection::stop_exchanges() {
  if (http2_) return http2_->stop_exchanges();
  ending_ = true;
  http1_.refuse_next();
  if (exchange_) exchange_->stop();
}

void Connection::close_idle() {
  if (http2_) return http2_->close_idle();
  closing_ = true;
  end();
  stream_.close();
}

void Connection::release_buffer() {
  gave_way_ = timed_out_ = true;
  stream_.cancel();
}

void Connection::evict() {
  if (http2_) return http2_->evict();
  evicted_ = timed_out_ = true;
  stream_.cancel();
}

void Connection::abort() {
  if (http2_) return http2_->abort();
  ending_ = timed_out_ = true;
  http1_.refuse_next();
  stream_.reset();
  if (exchange_) exchange_->abort();
}

/// Code that waits in a loop looks at `timed_out_` before it waits again: the deadline may fire in the turn in which
/// what was waited for has come, and it fires once.
void Connection::arm(Time from, Duration timeout) {
  timed_out_ = false;
  worker_.timers().arm(*this, from + timeout);
}

void Connection::on_deadline() {
  timed_out_ = true;
  stream_.cancel();
}

}  // namespace spillway::relay
