#include "proxy/net/turn.hpp"

#include <cerrno>
#include <typeinfo>
#include <utility>

#include <boost/asio/detail/scheduler.hpp>

#include "proxy/net/transport.hpp"

namespace net {

namespace {
/// How often handlers that post may put off the end of a turn.
constexpr std::uint8_t kHeldMax = 2;
/// One transfer costs less alone.
constexpr std::size_t kFewest = 2;
/// How many turns may go by that only resume coroutines before the system is asked for events again.
constexpr std::uint8_t kUnreportedMax = 2;
}  // namespace

Turn::Turn(asio::io_context& loop)
    : asio::detail::reactor(loop), scheduler_(asio::use_service<asio::detail::scheduler>(loop)) {}

Turn& Turn::install(asio::io_context& loop) {
  auto* const turn = new Turn(loop);
  asio::add_service<asio::detail::reactor>(loop, turn);  // which owns it from here on
  return *turn;
}

Turn* Turn::of(const Executor& executor) {
  auto& reactor = asio::use_service<asio::detail::reactor>(executor.context());
  return typeid(reactor) == typeid(Turn) ? static_cast<Turn*>(&reactor) : nullptr;
}

void Turn::join(Write& write, Transport& transport, Gather& output, Order order) {
  write.transport_ = &transport;
  write.output_ = &output;
  write.error_ = {};
  write.queued_ = true;
  write.all_ = false;
  writes_.insert(order == Order::first ? writes_.begin() + first_++ : writes_.end(), &write);
  expect_flush();
}

void Turn::receive(QuietRead& read) {
  reads_.push_back(&read);
  expect_flush();
}

void Turn::expect_flush() {
  if (std::exchange(expects_flush_, true)) return;
  scheduler_.compensating_work_started();  // the completion of an operation ends work
}

void Turn::resume(Parking& parking) {
  waiting_.push_back(&parking);
  hold();
  constexpr bool kContinues = false;
  if (waiting_.size() == 1) scheduler_.post_immediate_completion(&waking_, kContinues);
}

/// Who asks for it meanwhile is resumed by another operation.
void Turn::resume_waiting() {
  resumed_.swap(waiting_);
  for (Parking* const each : resumed_) each->resume();
  resumed_.clear();
}

void Turn::put_off(Late& late) {
  if (std::exchange(late.waits_, true)) return;
  late_.push_back(&late);
  scheduler_.compensating_work_started();
}

void Turn::call_due(Operations& ops) {
  for (Late* const late : due_) ops.push(late);
  due_.clear();
}

/// Nobody is resumed meanwhile: that is for the handlers.
void Turn::flush(Operations& ops) {
  const bool together = batch_ && reads_.size() + writes_.size() >= kFewest;
  if (together) flush_together();
  for (QuietRead* const read : reads_) {
    if (!together) read->perform_alone();
  }
  for (Write* const write : writes_) {
    if (Transport* const transport = std::exchange(write->transport_, nullptr))
      write->all_ = transport->write_now(*write->output_, write->error_);
  }
  ended_reads_.swap(reads_);
  ended_writes_.swap(writes_);
  first_ = 0;
  expects_flush_ = false;
  ops.push(&ended_);
}

void Turn::end_waits() {
  for (QuietRead* const read : ended_reads_) read->end();
  for (Write* const write : ended_writes_) {
    write->queued_ = false;
    write->parking_.resume();
  }
  ended_reads_.clear();
  ended_writes_.clear();
}

/// All that are neither withdrawn nor over TLS.
void Turn::flush_together() {
  for (const QuietRead* const read : reads_) {
    if (read->pending()) transfers_.push_back(read->transfer());
  }
  for (const Write* const write : writes_) {
    if (write->transport_ && !write->transport_->tls()) {
      transfers_.push_back(Transfer::send(write->transport_->descriptor(), *write->output_));
    }
  }
  batch_->perform(transfers_);
  for (Transfer& each : transfers_) {
    if (each.result == -EINTR) each.perform();  // nothing has been transferred
  }
  auto next = transfers_.begin();
  for (QuietRead* const read : reads_) {
    if (read->pending()) read->performed((next++)->result);
  }
  for (Write* const write : writes_) {
    if (!write->transport_ || write->transport_->tls()) continue;
    Transport& transport = *std::exchange(write->transport_, nullptr);
    write->all_ = transport.wrote((next++)->result, *write->output_, write->error_);
  }
  transfers_.clear();
}

/// Asio calls this when the handlers of the last report have run. `usec` is 0 if more have been posted meanwhile.
void Turn::run(long usec, Operations& ops) {
  if (std::exchange(holds_, false) && held_ < kHeldMax) {
    ++held_;
    return;
  }
  held_ = 0;
  if (reads_.empty()) call_due(ops);  // otherwise not all handlers of the report have run
  if (!reads_.empty() || !writes_.empty()) flush(ops);
  // Whoever is resumed most often only goes on to wait: then the next call waits for events, and this one need not
  // look.
  if (!ops.empty() && unreported_ < kUnreportedMax) {
    ++unreported_;
    return;
  }
  unreported_ = 0;
  due_.insert(due_.end(), late_.begin(), late_.end());
  late_.clear();
  asio::detail::reactor::run(ops.empty() && due_.empty() ? usec : 0, ops);
  began_ = Clock::now();
  if (ops.empty()) call_due(ops);
}

void Turn::Late::complete(void* owner, Operation* base, const error_code& /*error*/, std::size_t /*size*/) {
  if (!owner) return;  // the loop has ended
  auto& self = *static_cast<Late*>(base);
  self.waits_ = false;
  self.call_(self.target_);
}

void Turn::Write::withdraw() {
  if (!transport_) return;
  transport_ = nullptr;
  error_ = asio::error::operation_aborted;
}

}  // namespace net
