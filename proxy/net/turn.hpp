#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/net/batch.hpp"
#include "proxy/net/clock.hpp"
#include "proxy/net/gather.hpp"
#include "proxy/net/parking.hpp"
#include "proxy/net/reactor_socket.hpp"

namespace net {

class QuietRead;
class Transport;

/// The turns of an event loop: a turn runs the handlers of what has been reported, and at its end sends what they want
/// to send, one after the other. So the peers of one turn are woken together, and the loop's next report tells of all
/// of them. The turn is the loop's reactor, which Asio asks for events when no handler is left: its end takes no post
/// and no system call of its own. With a `Batch` the sends take one system call together, and so do the reads of all
/// that has been reported. One loop's; the loop owns it.
class Turn final : public asio::detail::reactor {
  using Operation = asio::detail::operation;
  using Operations = asio::detail::op_queue<Operation>;

 public:
  /// A write that waits for the end of the turn, and a coroutine that waits for the write. Must not die meanwhile.
  class Write final {
   public:
    Write() = default;
    Write(const Write&) = delete;

    /// The coroutine waits.
    bool queued() const { return queued_; }
    /// The descriptor is about to be closed: nothing is sent, and the write fails with `operation_aborted`.
    void withdraw();
    /// What `Transport::write_now` said.
    bool all() const { return all_; }
    error_code error() const { return error_; }

   private:
    friend class Turn;

    Transport* transport_ = nullptr;  ///< null: it has been tried, or withdrawn
    Gather* output_ = nullptr;
    Parking parking_;
    error_code error_;
    bool queued_ = false;
    bool all_ = false;
  };

  /// A call that waits for what the system reports next, so that output of two turns goes out together. Must not die
  /// while it waits.
  class Late final : private Operation {
   public:
    using Call = void (*)(void* target);
    Late(Call call, void* target) : Operation(&Late::complete), call_(call), target_(target) {}
    Late(const Late&) = delete;

    bool waits() const { return waits_; }

   private:
    friend class Turn;
    static void complete(void* owner, Operation* base, const error_code& error, std::size_t size);

    Call call_;
    void* target_;
    bool waits_ = false;
  };

  enum class Order {
    first,  ///< before the others: it sets somebody to work, whom they would keep waiting
    normal
  };

  /// For a loop that nothing has used yet.
  static Turn& install(asio::io_context& loop);
  /// Null: the loop has none.
  static Turn* of(const Executor& executor);

  explicit Turn(asio::io_context& loop);

  /// For `co_await` in a handler of the loop: `transport.write_now(output)` at the end of the turn; then `write` tells
  /// what came of it. All three must stay, and nothing else may be written to the transport meanwhile.
  auto send(Write& write, Transport& transport, Gather& output, Order order) {
    join(write, transport, output, order);
    return write.parking_.wait();
  }
  /// A handler that has just been posted belongs to this turn: its end waits for it.
  void hold() { holds_ = true; }
  /// Resumes a coroutine in this turn, after what has been posted before. It must wait there until then. In a handler
  /// of the loop only.
  void resume(Parking& parking);

  /// Has it called when the handlers of the next report have run, or at once if there is nothing to report: the loop
  /// does not wait for events meanwhile. No effect on one that waits already.
  void put_off(Late& late);

  /// When the system was asked for events last: no clock has to be read where a turn more or less does not matter.
  Time began() const { return began_; }

  /// From here on reads and sends are collected for `batch`.
  void collect(std::unique_ptr<Batch> batch) { batch_ = std::move(batch); }
  bool collects() const { return batch_ != nullptr; }
  /// Has it performed with the other reads, when no handler is left. Where reads are collected, and in a handler only.
  void receive(QuietRead& read);

  void run(long usec, Operations& ops) override;

 private:
  /// An operation of the loop for many that go on: each of its own would take the loop's lock twice.
  template <void (Turn::*kGoOn)()>
  struct Together final : Operation {
    explicit Together(Turn& of) : Operation(&Together::complete), turn(of) {}
    static void complete(void* owner, Operation* base, const error_code& /*error*/, std::size_t /*size*/) {
      if (owner) (static_cast<Together*>(base)->turn.*kGoOn)();  // otherwise the loop has ended
    }
    Turn& turn;
  };

  void join(Write& write, Transport& transport, Gather& output, Order order);
  void end_waits();
  void expect_flush();
  void resume_waiting();
  void flush(Operations& ops);
  void flush_together();
  void call_due(Operations& ops);

  asio::detail::scheduler& scheduler_;
  std::unique_ptr<Batch> batch_;  ///< null: each has a system call of its own
  std::vector<QuietRead*> reads_;
  std::vector<Write*> writes_;  ///< in the order in which they go out
  std::ptrdiff_t first_ = 0;    ///< of them with `Order::first`
  std::vector<QuietRead*> ended_reads_;
  std::vector<Write*> ended_writes_;
  Together<&Turn::end_waits> ended_{*this};  ///< those that have ended go on
  std::vector<Parking*> waiting_, resumed_;  ///< to be resumed in this turn, and while they are
  Together<&Turn::resume_waiting> waking_{*this};
  std::vector<Transfer> transfers_;  ///< memory for `flush_together`
  std::vector<Late*> late_;          ///< put off since the last report
  std::vector<Late*> due_;           ///< put off before it
  Time began_ = Clock::now();
  bool expects_flush_ = false;  ///< counted as work of the loop
  bool holds_ = false;
  std::uint8_t held_ = 0;        ///< times that this turn has been held
  std::uint8_t unreported_ = 0;  ///< turns since the system was asked for events
};

}  // namespace net
