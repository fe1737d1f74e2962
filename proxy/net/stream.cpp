#include "proxy/net/stream.hpp"

#include <utility>

#include <boost/asio/post.hpp>

namespace net {

bool Stream::prepare_read(std::size_t space) {
  if (reading_) return false;
  in.reserve(space);
  prepare();
  return true;
}

void Stream::prepare() {
  read_error_ = {};
  reading_ = true;
  cancelled_ = false;
}

void Stream::await_input(std::size_t space) {
  if (peer_closed_ || filled_ || transport_.has_buffered()) return start_read(space);
  if (prepare_read(space)) transport_.read_quietly(quiet_read_, asio::buffer(in.space(), in.space_size()), turn_);
}

void Stream::start_read(std::size_t space) {
  if (prepare_read(space)) post_read();
}

void Stream::start_splice(Pipe& pipe, std::uint64_t most) {
  prepare();
  pipe_ = &pipe;
  most_ = most;
  post_read();
}

/// Now a read would nearly always find nothing: a wasted system call. After the other handlers of this turn it often
/// finds the bytes.
void Stream::post_read() {
  asio::post(transport_.executor(), [this] { begin_read(); });
}

void Stream::begin_read() {
  cancelled_ ? on_read(asio::error::operation_aborted, 0) : read_or_wait();
}

void Stream::read_or_wait() {
  const asio::mutable_buffer space = pipe_ ? asio::mutable_buffer() : asio::buffer(in.space(), in.space_size());
  error_code error;
  std::size_t size = 0;
  const tls::Step step = pipe_ ? try_splice(size, error) : transport_.try_read(space, size, error);
  if (step == tls::Step::done) return on_read(error, size);
  if (cancelled_) return on_read(asio::error::operation_aborted, 0);
  if (step == tls::Step::wants_read) return transport_.read_quietly(quiet_read_, space, turn_);
  transport_.async_wait_writable([this](error_code failed) { failed ? on_read(failed, 0) : begin_read(); });
}

/// As `Transport::try_read`.
tls::Step Stream::try_splice(std::size_t& size, error_code& error) {
  size = pipe_->fill(transport_, most_, error);
  if (error == asio::error::would_block) return tls::Step::wants_read;
  if (size == 0 && !error) error = asio::error::eof;
  return tls::Step::done;
}

void Stream::quiet_read_ended(void* self, error_code error, std::size_t size) {
  auto& stream = *static_cast<Stream*>(self);
  const bool anew = std::exchange(stream.reads_anew_, false);
  if (anew && error == asio::error::operation_aborted && !stream.cancelled_) return stream.begin_read();
  // For TLS or a pipe it has only waited. The report is used up, so that a wait that has been cancelled meanwhile
  // reads, too.
  const bool only_waited = stream.pipe_ || stream.transport_.tls();
  !error&& only_waited ? stream.read_or_wait() : stream.on_read(error, size);
}

void Stream::on_peer_closed() {
  peer_closed_ = true;
  if (!reading_) return;  // the next read finds it
  reads_anew_ = true;
  transport_.stop(quiet_read_);
}

void Stream::on_read(error_code error, std::size_t size) {
  reading_ = false;
  read_error_ = error;
  if (std::exchange(pipe_, nullptr)) {
    filled_ = true;  // whether there is more is not known
  } else {
    if (error != asio::error::operation_aborted) filled_ = transport_.may_have_more(size, in.space_size());
    in.produced(size);
  }
  if (parking_.occupied()) {
    parking_.resume();
  } else if (observer_) {
    observer_->on_unawaited_read(*this);
  }
}

void Stream::await_writable() {
  if (std::exchange(awaits_room_, true)) return;
  transport_.async_wait_writable([this](error_code error) {
    awaits_room_ = false;
    if (!error && std::exchange(ends_sending_, false)) shutdown_send();
    observer_ ? observer_->on_writable(*this) : ended();
  });
}

void Stream::shutdown_send() {
  ends_sending_ = !transport_.shutdown_send();
  if (ends_sending_) await_writable();
}

void Stream::await_hang_up() {
  if (std::exchange(awaits_hang_up_, true)) return;
  transport_.async_wait_hang_up([this](error_code error) {
    awaits_hang_up_ = false;
    if (!observer_) return ended();
    if (!error) observer_->on_hang_up(*this);
  });
}

/// No observer is told. A coroutine that waits until all operations have ended looks again.
void Stream::ended() {
  if (!reading_ && parking_.occupied()) parking_.resume();
}

void Stream::cancel() {
  cancelled_ = true;
  transport_.stop(quiet_read_);
  transport_.cancel();
}

void Stream::close() {
  withdraw();
  transport_.close();
}

void Stream::reset() {
  withdraw();
  transport_.reset();
}

/// The descriptor is about to be free for another connection.
void Stream::withdraw() {
  ReadySocket::withdraw(quiet_read_);
  write_.withdraw();
}

}  // namespace net
