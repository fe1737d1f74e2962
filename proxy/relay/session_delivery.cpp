// How an answer goes to a client that does not take it at once.

#include "proxy/relay/session.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
/// As much of an answer is kept in memory for a slow client, so that the slot ends when the API is done. Of an answer
/// that will not fit, nothing is: the API would wait in the end all the same.
constexpr std::size_t kKeptMax = 4 * 1024 * 1024;
/// This part of `limits.buffered` is left to late requests, which are refused without memory; answers can wait.
constexpr std::uint64_t kLeftForRequests = 8;
}  // namespace

/// Keeps what the client has not taken, behind what is kept already. False: there is no memory for it. The last piece
/// of an answer always is: it frees the API.
bool Session::keep_output(bool last) {
  Exchange& x = *x_;
  const std::size_t size = backlog_.size() + x.output.size();
  const std::uint64_t all = x.settings->config.limits.buffered;
  const bool charged = size + x.download.remaining() <= kKeptMax &&
                       output_memory_.grow_to(backlog_.memory_with(x.output.size()), all - all / kLeftForRequests);
  if (!charged && !last) return false;
  for (const auto& piece : x.output.pieces()) backlog_.append({static_cast<const char*>(piece.data()), piece.size()});
  x.output = {};
  client_.await_writable();
  return true;
}

void Session::flush_backlog() {
  while (!backlog_.empty() && !client_lost_) {
    net::Gather output = backlog_.front();
    const std::size_t size = output.size();
    net::error_code error;
    const bool all = client_.write_now(output, error);
    backlog_.consume(size - output.size());
    output_memory_.shrink_to(backlog_.memory());
    client_lost_ = bool(error);
    if (!all && !error) return client_.await_writable();
  }
}

void Session::on_writable(net::Stream&) {
  flush_backlog();
  if (room_.occupied()) {
    room_.resume();
  } else if (client_lost_ && upstream_) {
    upstream_->stream.cancel();
  }
}

/// Neither the client nor the memory takes more: the API waits, with its slot, for the client, which must keep a rate.
net::Task<Failure> Session::await_client() {
  const Duration patience = x_->settings->config.timeouts.response;
  if (!holds_slot()) stream_with_slot();
  Time now = Clock::now();
  Time moved = now;
  taken_ = client_.taken();
  pace_.begin(now);
  tempo.begin(now);
  Failure failure;
  for (;;) {
    arm(now, std::min(patience - (now - moved), pace_.left(now)));
    client_.await_writable();
    co_await room_.wait();
    now = Clock::now();
    const std::uint64_t before = taken_;
    look(now);
    if (taken_ != before) moved = now;
    if (client_lost_ || ending_) co_return Failure::Kind::client_gone;
    if (taken_back_) co_return Failure::Kind::client_slow;
    if (backlog_.empty() && write_client(failure)) break;
    if (keep_output(false)) break;
    if (pace_.left(now) == Duration::zero()) co_return Failure::Kind::client_slow;
    if (now - moved >= patience) co_return Failure::Kind::client_gone;
  }
  pace_.end(0, now);
  tempo.end(0, now);
  co_return failure;
}

/// What the client has taken since the last look. The system takes more than the client has, so it is asked.
void Session::look(Time now) {
  if (!x_->response_started) return;  // an upload is looked at as it comes
  const std::uint64_t taken = client_.taken();
  const std::uint64_t more = taken - std::exchange(taken_, taken);
  pace_.moved(more, now);
  tempo.moved(more, now);
}

/// The API has done its part: only the client is waited for, without a slot.
net::Task<Failure> Session::deliver_backlog() {
  while (!backlog_.empty()) {
    const std::size_t before = backlog_.size();
    arm(Clock::now(), x_->settings->config.timeouts.response);
    client_.await_writable();
    co_await room_.wait();
    const bool stuck = timed_out_ && backlog_.size() == before;
    if (client_lost_ || stuck) co_return Failure::Kind::client_gone;
  }
  co_return Failure();
}

}  // namespace spillway::relay
