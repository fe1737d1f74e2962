// What a transport does when it speaks TLS.

#include <algorithm>
#include <cstring>

#include "proxy/net/transport.hpp"

namespace net {

void Transport::secure(std::unique_ptr<tls::Session> session) {
  tls_ = std::move(session);
  tls_->attach(socket_.native_handle());
}

Task<error_code> Transport::handshake() {
  for (;;) {
    const tls::Step step = tls_->handshake();
    if (step == tls::Step::done) co_return error_code();
    const bool waits = step == tls::Step::wants_read || step == tls::Step::wants_write;
    if (!waits) co_return error_of(step);
    const auto what = step == tls::Step::wants_read ? Socket::wait_read : Socket::wait_write;
    const auto [error] = co_await socket_.async_wait(what, kAwait);
    if (error) co_return error;
  }
}

error_code Transport::error_of(tls::Step step) const {
  if (step == tls::Step::closed) return asio::error::eof;
  if (step == tls::Step::truncated) return asio::error::connection_aborted;
  if (tls_->system_error() != 0) return {tls_->system_error(), asio::error::get_system_category()};
  return boost::system::errc::make_error_code(boost::system::errc::protocol_error);
}

tls::Step Transport::try_read(asio::mutable_buffer space, std::size_t& size, error_code& error) {
  if (!tls_) {
    size = read_now(space, false, error);
    return error == asio::error::would_block ? tls::Step::wants_read : tls::Step::done;
  }
  const tls::Step step = tls_->read(static_cast<char*>(space.data()), space.size(), size);
  if (step == tls::Step::wants_read || step == tls::Step::wants_write) return step;
  if (step != tls::Step::done) error = error_of(step);
  return tls::Step::done;
}

bool Transport::write_tls(Gather& output, error_code& error) {
  char record[tls::Session::kRecord];
  while (!output.empty()) {
    std::string_view next(static_cast<const char*>(output.pieces().front().data()), output.pieces().front().size());
    if (next.size() < tls::Session::kRecord && output.pieces().size() > 1) {
      // One record of all pieces: each record costs a system call, and its head and tag.
      std::size_t size = 0;
      for (const auto& piece : output.pieces()) {
        const std::size_t part = std::min(piece.size(), sizeof record - size);
        std::memcpy(record + size, piece.data(), part);
        size += part;
      }
      next = {record, size};
    }
    std::size_t written = 0;
    const tls::Step step = tls_->write(next, written);
    if (step == tls::Step::wants_write) return false;
    if (step != tls::Step::done) {
      error = step == tls::Step::failed ? error_of(step) : asio::error::broken_pipe;
      return false;
    }
    output.consume(std::min(written, output.size()));
  }
  return true;
}

}  // namespace net
