#pragma once

#include "proxy/net/batch.hpp"
#include "proxy/net/reactor_socket.hpp"
#include "proxy/net/turn.hpp"

namespace net {

/// A read that waits for the system to report input, see ReactorSocket. Where the loop's turn collects reads, it is
/// then performed with those of the other sockets. Without space it only waits, and whoever waits has to read all that
/// there is. It must outlive its wait.
class QuietRead final : public asio::detail::reactor_op {
 public:
  using Done = void (*)(void* target, error_code error, std::size_t size);
  QuietRead(Done told, void* target)
      : reactor_op(error_code(), &QuietRead::perform, &QuietRead::complete), told_(told), target_(target) {}

  // For the turn that collects it.
  /// It is still to be performed.
  bool pending() const { return pending_; }
  Transfer transfer() const { return Transfer::receive(descriptor_, space_); }
  void performed(int result);
  void perform_alone();
  /// Tells what came of it.
  void end();

 private:
  friend class ReadySocket;

  static status perform(reactor_op* base);
  static void complete(void* owner, asio::detail::operation* base, const error_code& error, std::size_t size);
  bool take(int result);

  Done told_;
  void* target_;
  class ReadySocket* socket_ = nullptr;
  Turn* turn_ = nullptr;  ///< that collects it
  asio::mutable_buffer space_;
  int descriptor_ = -1;
  bool collected_ = false;  ///< the turn has it
  bool pending_ = false;
  bool stopped_ = false;  ///< since it was collected: if nothing has come, it does not wait again
};

/// A socket that takes such reads besides Asio's.
class ReadySocket : public ReactorSocket {
 public:
  using ReactorSocket::ReactorSocket;

  /// `turn`: of the loop; null: it has none.
  void start(QuietRead& read, asio::mutable_buffer space, Turn* turn) {
    read.socket_ = this;
    read.turn_ = turn && turn->collects() && space.size() > 0 ? turn : nullptr;
    read.descriptor_ = native_handle();
    read.space_ = space;
    wait(read);
  }
  /// Ends its wait with `operation_aborted`, if it waits; those of others go on. What has been reported is read still:
  /// a report comes once.
  void stop(QuietRead& read) {
    if (read.collected_) {
      read.stopped_ = true;
    } else {
      stop_read(&read);
    }
  }
  /// The socket is about to be closed, and its descriptor may become another one's: it ends with `operation_aborted`.
  static void withdraw(QuietRead& read) {
    if (!read.pending_) return;
    read.pending_ = false;
    read.ec_ = asio::error::operation_aborted;
  }

 private:
  friend class QuietRead;
  void wait(QuietRead& read) {
    read.ec_ = {};
    read.bytes_transferred_ = 0;
    read.stopped_ = false;
    start_read(read, &read);
  }
};

}  // namespace net
