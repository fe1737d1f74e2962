// A stream as one side of a tunnel (RFC 8441).

#include <utility>

#include "proxy/relay/http2_connection.hpp"
#include "proxy/relay/http2_stream.hpp"

namespace spillway::relay {

void Http2Stream::start_read() {
  if (std::exchange(tunnel_reads_, true)) return;
  read_error_ = {};
  cancelled_ = false;
  connection_.ready(*this);
}

void Http2Stream::proceed_in_tunnel() {
  if (!tunnel_) return;
  if (tunnel_awaits_room_ && (gone_ || cancelled_ || pending_.empty())) {
    tunnel_awaits_room_ = false;
    net::error_code error;
    if (cancelled_) error = net::asio::error::operation_aborted;
    if (gone_) error = net::asio::error::connection_reset;
    // The read is looked at in the next turn: this may end the tunnel, and destroy the stream.
    if (tunnel_reads_) {
      connection_.ready(*this);
    } else {
      cancelled_ = false;
    }
    return tunnel_->on_room(*this, error);
  }
  const bool cancelled = std::exchange(cancelled_, false);
  if (!tunnel_reads_ || (incoming_.empty() && !ended_ && !gone_ && !cancelled)) return;
  tunnel_reads_ = false;
  if (!incoming_.empty()) {
    body_.append(incoming_);
    incoming_.clear();
  } else if (gone_) {
    read_error_ = net::asio::error::connection_reset;
  } else if (cancelled) {
    read_error_ = net::asio::error::operation_aborted;
  } else {
    read_error_ = net::asio::error::eof;
  }
  tunnel_->on_read(*this);
}

bool Http2Stream::write_now(net::Gather& output, net::error_code& error) {
  if (gone_) {
    error = net::asio::error::connection_reset;
    return false;
  }
  if (handed_ == 0) {
    const auto piece = output.pieces().front();
    pending_ = {static_cast<const char*>(piece.data()), piece.size()};
    handed_ = piece.size();
    connection_.session().resume(id_);
    connection_.produce();
  }
  output.consume(handed_ - pending_.size());
  handed_ = pending_.size();
  return handed_ == 0;
}

void Http2Stream::await_room() {
  tunnel_awaits_room_ = true;
  if (pending_.empty()) connection_.ready(*this);
}

void Http2Stream::shutdown_send() {
  if (gone_) return;
  last_ = true;
  connection_.session().resume(id_);
  connection_.produce();
}

}  // namespace spillway::relay
