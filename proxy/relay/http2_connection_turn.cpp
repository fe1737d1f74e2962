// The turns of a connection of HTTP/2, and its writes.

#include <utility>

#include <boost/asio/post.hpp>

#include "proxy/relay/http2_connection.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
/// Frames that have been made and that the socket has not taken.
constexpr std::size_t kOutputMax = 64 * 1024;
/// So much output, half a record of TLS, does not wait for more.
constexpr std::size_t kPutOffMax = 8 * 1024;
/// What nghttp2 takes for a frame that waits to be sent.
constexpr std::size_t kFrameCost = 192;
}  // namespace

void Http2Connection::ask_for_turn() {
  if (std::exchange(turning_, true)) return;
  worker_.turn().hold();
  net::asio::post(worker_.executor(), [this] {
    turning_ = false;
    turn();
    end_turn();
  });
}

void Http2Connection::turn() {
  resume_ready();
  if (!lost_) make_frames();
  if (puts_off()) {
    worker_.turn().put_off(late_write_);
  } else if (!lost_) {
    write();
  }
  if (!ready_.empty()) ask_for_turn();
  if (closing_) return;
  find_place();
  set_deadline();
  if (over()) wake();
}

void Http2Connection::write_late(void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  if (!connection.lost_) connection.write();
  connection.end_turn();
}

/// `run` ends when no exchange and no turn uses the connection any more.
void Http2Connection::end_turn() {
  if (ending_.occupied() && carried_ == 0 && !turning_ && !late_write_.waits()) ending_.resume();
}

/// Those that are there now: what happens meanwhile is for the next turn.
void Http2Connection::resume_ready() {
  Ready now;
  now.swap(ready_);
  while (!now.empty()) {
    Http2Stream& stream = now.front();
    now.pop_front();
    stream.proceed();
  }
}

void Http2Connection::produce() {
  session_.produce(worker_.turn().began());
  ask_for_turn();
}

void Http2Connection::make_frames() {
  session_.produce(worker_.turn().began());
  if (session_.abuse() && !abuse_told_) report_abuse();  // before the client hears of it
}

/// While the loop is busy, the next report is likely to bring answers of further streams. Together they cost one record
/// of TLS and one send, and the client's next requests come together, too.
bool Http2Connection::puts_off() const {
  return !output_.empty() && output_.size() < kPutOffMax && !streams_.empty() && !over() && !closing_;
}

/// One write for what all streams have to send.
void Http2Connection::write() {
  bool more = true;
  while (more) {
    make_frames();
    more = full();
    while (!output_.empty()) {
      net::Gather output = output_.front();
      const std::size_t size = output.size();
      net::error_code error;
      const bool all = stream_.write_now(output, error);
      output_.consume(size - output.size());
      if (output.size() < size) blocked_since_ = {};
      if (output_counted_ > 0) count_output(0);
      if (error) return lose();
      if (all) continue;
      if (blocked_since_ == Time{}) blocked_since_ = Clock::now();
      stream_.await_writable();
      return count_output(output_.memory() + session_.queued() * kFrameCost);
    }
  }
}

/// Output that the client does not read counts as memory of its requests. May lose the connection.
void Http2Connection::count_output(std::size_t memory) {
  StreamMemory& all = worker_.stream_memory();
  if (output_counted_ > 0) all.goes_on(*this, output_counted_);
  all.changes(*this, output_counted_, memory);
  output_counted_ = memory;
  if (memory > 0) all.waits(*this, memory, worker_.stream_memory_limit());
}

bool Http2Connection::full() const {
  return output_.size() >= kOutputMax;
}

void Http2Connection::lose() {
  lost_ = true;
  output_.clear();
  if (output_counted_ > 0) count_output(0);
  wake();
}

}  // namespace spillway::relay
