#include "proxy/net/stream.hpp"

#include <algorithm>

#include <boost/asio/post.hpp>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace net {

void Gather::consume(std::size_t n) {
  size_ -= n;
  while (n > 0) {
    const std::size_t part = std::min(n, pieces_[first_].size());
    pieces_[first_] += part;
    n -= part;
    if (pieces_[first_].size() == 0) ++first_;
  }
}

void Stream::start_read(std::size_t space) {
  if (reading_) return;
  in.reserve(space);
  read_error_ = {};
  reading_ = true;
  cancelled_ = false;
  // Asio looks at the socket before it waits. Behind all that is ready now, that look often finds the bytes
  // already there; at once it would nearly always be a wasted system call.
  asio::post(socket_.get_executor(), [this] { begin_read(); });
}

void Stream::begin_read() {
  if (cancelled_) return on_read(asio::error::operation_aborted, 0);
  socket_.async_read_some(asio::buffer(in.space(), in.space_size()),
                          [this](error_code error, std::size_t size) { on_read(error, size); });
}

void Stream::on_read(error_code error, std::size_t size) {
  reading_ = false;
  read_error_ = error;
  in.produced(size);
  if (parking_.occupied()) {
    parking_.resume();
  } else if (observer_) {
    observer_->on_unawaited_read(*this);
  }
}

Task<error_code> Stream::writable() {
  const auto [error] = co_await socket_.async_wait(Socket::wait_write, kAwait);
  co_return error;
}

void Stream::await_writable() {
  if (std::exchange(awaits_room_, true)) return;
  socket_.async_wait(Socket::wait_write, [this](error_code) {
    awaits_room_ = false;
    observer_ ? observer_->on_writable(*this) : ended();
  });
}

void Stream::await_hang_up() {
  if (std::exchange(awaits_hang_up_, true)) return;
  socket_.async_wait(Socket::wait_error, [this](error_code error) {
    awaits_hang_up_ = false;
    if (!observer_) return ended();
    if (!error) observer_->on_hang_up(*this);
  });
}

/// Nobody is told any more; whoever waits for the end of all that is outstanding looks again.
void Stream::ended() {
  if (!reading_ && parking_.occupied()) parking_.resume();
}

std::uint64_t Stream::taken() const {
  int waiting = 0;
  ::ioctl(const_cast<Socket&>(socket_).native_handle(), TIOCOUTQ, &waiting);
  return written_ - static_cast<std::uint64_t>(waiting);
}

void Stream::cancel() {
  cancelled_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

bool Stream::write_now(Gather& output, error_code& error) {
  while (!output.empty()) {
    const auto pieces = output.pieces();  // one piece: a plain send, cheaper than a gathered one
    const std::size_t size =
        pieces.size() == 1 ? socket_.write_some(pieces.front(), error) : socket_.write_some(pieces, error);
    if (error == asio::error::would_block) {
      error = {};
      return false;
    }
    if (error) return false;
    written_ += size;
    output.consume(size);
  }
  return true;
}

bool Stream::stale() {
  char byte;
  const auto n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

bool Stream::bytes_wait() {
  char byte;
  return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void Stream::shutdown_send() {
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void Stream::close() {
  error_code ignored;
  socket_.close(ignored);
}

void Stream::reset() {
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

}  // namespace net
