#include "proxy/net/transport.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "proxy/net/clock.hpp"
#include "proxy/net/keepalive.hpp"

namespace net {

namespace {
/// Pauses between attempts to connect to a unix socket whose queue is full.
constexpr Duration kFirstPause = std::chrono::milliseconds(1);
constexpr Duration kLongestPause = std::chrono::milliseconds(16);
}  // namespace

bool Transport::open(const Endpoint& endpoint, error_code& error) {
  socket_.open(endpoint.protocol(), error);
  if (error) return false;
  socket_.non_blocking(true, error);
  if (!error && endpoint.protocol().family() != AF_UNIX) {
    socket_.set_option(asio::ip::tcp::no_delay(true), error);
    keep_alive(socket_.native_handle());
  }
  return true;
}

Task<error_code> Transport::connect(Endpoint endpoint, const bool* given_up) {
  if (endpoint.protocol().family() != AF_UNIX) {
    const auto [error] = co_await socket_.async_connect(endpoint, kAwait);
    co_return error;
  }
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> pause(executor());
  Duration length = kFirstPause;
  for (;;) {
    // Asio would mistake EAGAIN for a connection under way and wait for an event that never comes.
    const int result = ::connect(socket_.native_handle(), endpoint.data(), static_cast<socklen_t>(endpoint.size()));
    if (result == 0) co_return error_code();
    if (errno != EAGAIN || *given_up) co_return error_code(errno, asio::error::get_system_category());
    pause.expires_after(length);
    co_await pause.async_wait(kAwait);
    length = std::min(2 * length, kLongestPause);
  }
}

Task<error_code> Transport::writable() {
  const auto [error] = co_await socket_.async_wait(Socket::wait_write, kAwait);
  co_return error;
}

void Transport::cancel() {
  error_code ignored;
  socket_.cancel(ignored);
}

bool Transport::write_now(Gather& output, error_code& error) {
  if (tls_) return write_tls(output, error);
  if (output.empty()) return true;
  Transfer transfer = Transfer::send(socket_.native_handle(), output);
  transfer.perform();
  return wrote(transfer.result, output, error);
}

/// If a part has been taken, the socket is full: to try again would be a system call for nothing.
bool Transport::wrote(int result, Gather& output, error_code& error) {
  if (result == -EAGAIN || result == -EWOULDBLOCK) return false;
  if (result < 0) {
    error = error_code(-result, asio::error::get_system_category());
    return false;
  }
  written_ += static_cast<std::size_t>(result);
  output.consume(static_cast<std::size_t>(result));
  return output.empty();
}

ssize_t Transport::splice_into(int pipe, std::size_t most) {
  ssize_t size = 0;
  do {
    size = ::splice(socket_.native_handle(), nullptr, pipe, nullptr, most, SPLICE_F_NONBLOCK);
  } while (size < 0 && errno == EINTR);
  return size;
}

ssize_t Transport::splice_from(int pipe, std::size_t most) {
  ssize_t size = 0;
  do {
    size = ::splice(pipe, nullptr, socket_.native_handle(), nullptr, most, SPLICE_F_NONBLOCK);
  } while (size < 0 && errno == EINTR);
  if (size > 0) written_ += static_cast<std::uint64_t>(size);
  return size;
}

std::uint64_t Transport::taken() const {
  int waiting = 0;
  ::ioctl(const_cast<ReadySocket&>(socket_).native_handle(), TIOCOUTQ, &waiting);
  return (tls_ ? tls_->sent() : written_) - static_cast<std::uint64_t>(waiting);
}

std::size_t Transport::read_now(asio::mutable_buffer space, bool peek, error_code& error) {
  std::size_t size = 0;
  do {
    size = socket_.receive(space, peek ? Socket::message_peek : 0, error);
  } while (error == asio::error::interrupted);
  return size;
}

bool Transport::has_unread() {
  if (tls_ && !tls_->established()) return false;
  char byte;
  if (::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) return true;
  // Only now: TLS would take off the socket what the system has not reported yet, and then never does.
  return tls_ && tls_->has_buffered() && tls_->peek() == tls::Step::done;
}

bool Transport::stale() {
  if (tls_) return tls_->peek() != tls::Step::wants_read;
  char byte;
  const auto n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

bool Transport::shutdown_send() {
  if (tls_ && tls_->close() == tls::Step::wants_write) return false;
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  return true;
}

void Transport::close() {
  if (tls_) tls_->close();  // whether or not the socket takes it now
  if (tls_) tls_->detach();
  error_code ignored;
  socket_.close(ignored);
}

void Transport::reset() {
  if (tls_) tls_->detach();
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

}  // namespace net
