#include "proxy/net/ready_socket.hpp"

#include <cerrno>
#include <utility>

namespace net {

/// The report. Where a turn collects reads, it takes this one only once Asio has no part in it any more: `complete`.
QuietRead::status QuietRead::perform(reactor_op* base) {
  auto& self = *static_cast<QuietRead*>(base);
  if (self.space_.size() == 0 || self.turn_) return done_and_exhausted;
  Transfer transfer = self.transfer();
  transfer.perform();
  if (!self.take(transfer.result)) return not_done;
  // A short read has taken all there was: the next one waits for a new report.
  return self.bytes_transferred_ < self.space_.size() ? done_and_exhausted : done;
}

void QuietRead::complete(void* owner, asio::detail::operation* base, const error_code& /*error*/,
                         std::size_t /*size*/) {
  if (!owner) return;  // the loop ends
  auto& self = *static_cast<QuietRead*>(base);
  if (self.turn_ && !self.ec_) {
    self.collected_ = self.pending_ = true;
    return self.turn_->receive(self);
  }
  self.end();
}

void QuietRead::end() {
  collected_ = false;
  if (pending_) {  // there was nothing
    pending_ = false;
    if (!stopped_) return socket_->wait(*this);
    ec_ = asio::error::operation_aborted;
  }
  told_(target_, ec_, bytes_transferred_);
}

void QuietRead::performed(int result) {
  if (take(result)) pending_ = false;
}

void QuietRead::perform_alone() {
  if (!pending_) return;
  Transfer alone = transfer();
  alone.perform();
  performed(alone.result);
}

/// False: there was nothing to read.
bool QuietRead::take(int result) {
  if (result == -EAGAIN || result == -EWOULDBLOCK) return false;
  if (result < 0) ec_ = error_code(-result, asio::error::get_system_category());
  if (result == 0) ec_ = asio::error::eof;
  bytes_transferred_ = result > 0 ? static_cast<std::size_t>(result) : 0;
  return true;
}

}  // namespace net
