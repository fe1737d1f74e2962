#include "proxy/net/stream.hpp"

#include <boost/asio/post.hpp>

namespace net {

void Stream::start_read(std::size_t space) {
  if (reading_) return;
  in.reserve(space);
  read_error_ = {};
  reading_ = true;
  cancelled_ = false;
  // Asio tries a read before it waits. Now that read would nearly always find nothing: a wasted system call. After
  // the other handlers of this turn it often finds the bytes.
  asio::post(transport_.executor(), [this] { begin_read(); });
}

void Stream::begin_read() {
  if (cancelled_) return on_read(asio::error::operation_aborted, 0);
  transport_.async_read(asio::buffer(in.space(), in.space_size()),
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
  transport_.cancel();
}

}  // namespace net
