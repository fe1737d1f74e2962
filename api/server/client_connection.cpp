#include "api/server/client_connection.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include "api/endpoints/problem.hpp"
#include "api/server/response_head.hpp"
#include "api/server/routes.hpp"
#include "api/server/validator.hpp"
#include "config/forwarded.hpp"

namespace api {

namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

/// How long the connection stays open after a refusal. Unread bytes at the close would reset the connection, and the
/// client could lose the response.
constexpr Duration kLinger = std::chrono::seconds(1);
/// A request, or the wait for one, must take this long before the connection checks whether its client has gone.
constexpr Duration kGoneCheckAfter = std::chrono::milliseconds(100);
/// If a cancelled query still runs after this time, its connection to the database is closed.
constexpr Duration kInterruptAgain = std::chrono::seconds(2);
/// Clients commonly send a request, or read a response, within milliseconds. A slower one may go on, but is evicted if
/// a new connection needs its place.
constexpr Duration kSlow = std::chrono::seconds(1);
/// How long a client that has just connected may take to send its request when the process is told to stop. Its bytes
/// may be on the way, and closing the connection now would be an error to it.
constexpr Duration kFreshMayTake = std::chrono::seconds(1);
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
/// Added to the limits of the pool and of PostgreSQL. A request that takes longer is interrupted.
constexpr Duration kGrace = std::chrono::seconds(1);
/// A result of `read_request`, beside those of the reader: the connection has ended.
constexpr int kEnded = -1;
/// Response bodies are at most some 50 KB. A buffer that is larger is released after the response.
constexpr std::size_t kKeptCapacity = 64 * 1024;

std::string_view detail_of(int status) {
  switch (status) {
    case 408:
      return "The request was not received in time";
    case 413:
      return "The body exceeds the limit";
    case 431:
      return "The header fields exceed the limit";
    case 501:
      return "The only transfer coding understood is chunked";
    default:
      return "The request is not valid HTTP/1.1";
  }
}

}  // namespace

ClientConnection::ClientConnection(Context context, net::Accepted accepted, bool surplus)
    : context_(context),
      socket_(std::move(accepted.socket)),
      peer_(accepted.peer.empty() ? "unix" : std::move(accepted.peer)),
      sender_{peer_, config::trusts(context.config.trusted_proxies, peer_), context.config.trusted_proxies},
      since_(Clock::now()),
      surplus_(surplus),
      reader_(context.config.limits) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
}

net::Task<> ClientConnection::run() {
  bool more = true;
  while (more) {
    const int status = co_await read_request();
    if (status == kEnded) break;
    if (status != RequestReader::kRequest) {
      co_await reject(status);
      break;
    }
    more = co_await serve();
  }
  close();
}

/// kRequest: a whole request has been read. kEnded: the connection has ended. Otherwise the status to refuse with.
net::Task<int> ClientConnection::read_request() {
  reader_.next();
  enter(reader_.has_bytes() ? Phase::receiving : Phase::idle);
  continue_sent_ = false;
  for (;;) {
    const int status = reader_.advance();
    if (status != RequestReader::kMore) co_return status;
    if (phase_ == Phase::idle && reader_.begun()) enter(Phase::receiving);
    if (reader_.head_done()) {
      const bool alive = co_await continue_body();
      if (!alive) co_return kEnded;
    }
    if (phase_ == Phase::idle && served_ && context_.shared.draining) co_return kEnded;
    error_code error;
    if (phase_ == Phase::idle && emptied_) {
      // Whatever comes now is reported. `sweep` looks for an end that came with the last request.
      auto [closed] = co_await socket_.wait_input();
      error = closed;
    } else {
      auto [closed] = co_await socket_.async_wait(net::Socket::wait_read, net::kAwait);
      error = closed;
    }
    if (error) co_return overdue_ ? 408 : kEnded;
    const std::size_t bytes = read_now(error);
    if (error == net::asio::error::would_block) continue;
    // The client has closed its sending side in the middle of a request, but may still read the refusal.
    if (error == net::asio::error::eof && phase_ == Phase::receiving) co_return 400;
    if (error) co_return kEnded;
    reader_.received(bytes);
  }
}

/// Reads what has come into the reader's room. `would_block`: nothing has.
std::size_t ClientConnection::read_now(error_code& error) {
  const net::asio::mutable_buffer room = reader_.room();
  const std::size_t bytes = socket_.read_some(room, error);
  emptied_ = bytes < room.size();
  return bytes;
}

/// Answers `Expect: 100-continue`: the client sends the body only after that. False: the connection has ended.
net::Task<bool> ClientConnection::continue_body() {
  if (continue_sent_) co_return true;
  continue_sent_ = true;
  if (!boost::beast::iequals(reader_.message()[http::field::expect], "100-continue")) co_return true;
  auto [error, bytes] = co_await net::asio::async_write(socket_, net::asio::buffer(kContinue), net::kAwait);
  co_return !error;
}

/// Handles one request and writes its response. False: close the connection.
net::Task<bool> ClientConnection::serve() {
  enter(Phase::handling);
  request_began_ = since_;
  interrupt_.reset();
  client_gone_ = false;
  probed_ = false;
  served_ = true;
  response_.clear();
  trace_ = {};
  Request request =
      make_request(reader_.message(), sender_, made_up_id_, {context_.home, interrupt_, &response_.needed_database});
  request_id_ = request.request_id;
  co_await handle(request);
  if (response_.unanswered && !client_gone_) {
    response_.unanswered = false;
    answer_db_error(request, response_, DbError::statement_timeout);
  }
  if (response_.validated && response_.status == 200) validate();
  const bool keep_alive = reader_.keep_alive() && !context_.shared.draining && !surplus_;
  const bool with_body = request.method != Method::head && !bodiless(response_.status);
  bool reusable = false;
  if (!response_.unanswered) reusable = co_await write(keep_alive, with_body);
  account(request.client, request.path, with_body);
  if (!keep_alive) reusable = false;
  co_return reusable;
}

net::Task<> ClientConnection::handle(Request& request) {
  const RouteMatch match = match_route(context_.routes, request.method, request.path);
  route_ = match.route;
  endpoint_ = match.route ? match.route->endpoint : Endpoint::other;
  // Monitoring must get an answer above all under load.
  const bool monitoring = match.route && match.route->access == Access::monitoring;
  if (context_.shared.spans) begin_trace(request, monitoring);
  surplus_ = surplus_ && context_.shared.connections > context_.shared.max_connections;
  if (surplus_ && !monitoring) {
    answer_unavailable(request, response_, kTooManyConnections);
    response_.reason = "connections";
    co_return;
  }
  const Counted in_flight(context_.shared.in_flight);
  in_flight_ = in_flight.before() + 1;
  if (in_flight.before() >= context_.config.limits.in_flight && !monitoring) {
    answer_unavailable(request, response_, "Too many requests in progress, please retry");
    response_.reason = "in_flight";
    co_return;
  }
  try {
    co_await dispatch(match, context_.endpoints, request, response_);
  } catch (const std::exception& error) {
    spdlog::error("request {}: {}", request.request_id, error.what());
    answer_problem(request, response_, 500, "An unexpected error occurred");
  }
}

/// Gives the response an ETag, and leaves out the body if the client has it already.
void ClientConnection::validate() {
  // Answers to bearers of tokens are not for shared caches, and may change at any time.
  if (response_.cache_control.empty()) response_.cache_control = "private, no-cache";
  response_.etag = entity_tag(response_.body);
  const auto [begin, end] = reader_.message().equal_range(http::field::if_none_match);
  for (auto field = begin; field != end; ++field) {
    if (!none_match_lists(field->value(), response_.etag)) continue;
    response_.status = 304;
    return;
  }
}

/// Writes what fits, and leaves the rest in `buffers`.
void ClientConnection::write_now(std::span<net::asio::const_buffer> buffers, error_code& error) {
  std::size_t sent = socket_.write_some(buffers, error);
  if (error == net::asio::error::would_block) error.clear();
  for (net::asio::const_buffer& each : buffers) {
    const std::size_t part = std::min(sent, each.size());
    each += part;
    sent -= part;
  }
}

/// Writes `response_`. False: the connection has ended.
net::Task<bool> ClientConnection::write(bool keep_alive, bool with_body) {
  enter(Phase::writing);
  const Keep keep = !keep_alive ? Keep::no : reader_.message().version() == 10 ? Keep::told : Keep::yes;
  head_.clear();
  append_head(head_, response_, keep, context_.endpoints.services.pool.gauges(), request_id_);
  std::array<net::asio::const_buffer, 2> buffers{net::asio::buffer(head_)};
  if (with_body) buffers[1] = net::asio::buffer(response_.body);
  error_code error;
  if (!reader_.has_bytes()) write_now(buffers, error);
  // A client that sends many requests in one go waits its turn between two of them.
  if (!error && net::asio::buffer_size(buffers) > 0) {
    auto [failed, bytes] = co_await net::asio::async_write(socket_, buffers, net::kAwait);
    error = failed;
  }
  if (response_.body.capacity() > kKeptCapacity) response_.body = std::string();
  co_return !error;
}

/// Refuses a request that could not be read to its end. Then discards what still arrives, so that the client receives
/// the response.
net::Task<> ClientConnection::reject(int status) {
  response_.clear();
  made_up_id_ = make_request_id();
  request_id_ = made_up_id_;
  endpoint_ = Endpoint::other;
  in_flight_ = 0;
  trace_ = {};
  request_began_ = since_;
  Request request{.caller = {context_.home, interrupt_}};
  request.client = peer_;
  request.request_id = made_up_id_;
  answer_problem(request, response_, status, detail_of(status));
  const bool written = co_await write(false, true);
  account(peer_, "", true);
  if (!written) co_return;
  enter(Phase::lingering);
  error_code ignored;
  socket_.shutdown(net::Socket::shutdown_send, ignored);
  reader_.discard();
  for (;;) {
    // The bytes are not reported to the reader, so each read overwrites the last one.
    auto [closed] = co_await socket_.async_wait(net::Socket::wait_read, net::kAwait);
    if (closed) break;
    error_code error;
    read_now(error);
    if (error && error != net::asio::error::would_block) break;
  }
}

void ClientConnection::sweep(Time now) {
  const ApiConfig& config = context_.config;
  const Duration spent = now - since_;
  switch (phase_) {
    case Phase::idle:
      if (spent > (context_.shared.draining ? kFreshMayTake : config.timeouts.keep_alive)) {
        close();
      } else if (spent > kGoneCheckAfter && !looked_) {
        looked_ = true;
        if (input_has_ended()) close();
      }
      break;
    case Phase::receiving:
      if (spent > config.timeouts.request) {
        overdue_ = true;
        error_code ignored;
        socket_.cancel(ignored);
      }
      break;
    case Phase::writing:
      if (spent > config.timeouts.request) close();
      break;
    case Phase::lingering:
      if (spent > kLinger) close();
      break;
    case Phase::closing:
      break;
    case Phase::handling: {
      if (spent < kGoneCheckAfter) break;
      client_gone_ = client_gone_ || client_has_gone();
      // PostgreSQL's own limit comes first, unless a pooler is in between or the server is silent.
      const auto& database = config.database;
      const bool overdue = database.statement_timeout > Duration::zero() &&
                           spent > database.pool_timeout + database.statement_timeout + kGrace;
      if (!client_gone_ && !overdue) break;
      if (interrupt_.raised() && now - interrupted_at_ < kInterruptAgain) break;
      interrupted_at_ = now;
      interrupt_.raise();
      break;
    }
  }
}

/// A client that has closed its sending side may still read the response. A write tells: if the client has gone, its
/// system answers with a reset. Every client of HTTP/1.1 skips an interim response 100 (RFC 9110, 15.2.1).
bool ClientConnection::client_has_gone() {
  pollfd client{socket_.native_handle(), POLLRDHUP, 0};
  if (::poll(&client, 1, 0) <= 0) return false;
  if ((client.revents & (POLLHUP | POLLERR)) != 0) return true;
  if (probed_ || reader_.message().version() < 11) return false;
  probed_ = true;
  const ssize_t sent = ::send(client.fd, kContinue.data(), kContinue.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? errno != EAGAIN : static_cast<std::size_t>(sent) < kContinue.size();
}

/// All input has been read, and the client sends no more.
bool ClientConnection::input_has_ended() {
  char next = 0;
  const ssize_t size = ::recv(socket_.native_handle(), &next, 1, MSG_PEEK | MSG_DONTWAIT);
  return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

void ClientConnection::drain() {
  if (is_idle()) close();
}

bool ClientConnection::is_idle() {
  if (phase_ != Phase::idle || !served_) return false;
  pollfd client{socket_.native_handle(), POLLIN, 0};
  return ::poll(&client, 1, 0) == 0;
}

bool ClientConnection::is_slow(Time now) const {
  return phase_ != Phase::handling && phase_ != Phase::closing && now - since_ > kSlow;
}

bool ClientConnection::is_evictable_surplus() const {
  return surplus_ && (phase_ == Phase::idle || phase_ == Phase::receiving || phase_ == Phase::lingering);
}

/// Moves to the end of the worker's list, which is ordered by the beginning of the phase.
void ClientConnection::enter(Phase phase) {
  phase_ = phase;
  since_ = Clock::now();
  looked_ = false;
  idle_.reset();
  if (phase == Phase::idle && served_) idle_.emplace(context_.shared.idle);
  context_.connections.erase(*this);
  context_.connections.push_back(*this);
}

void ClientConnection::close() {
  if (phase_ != Phase::closing) enter(Phase::closing);
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace api
