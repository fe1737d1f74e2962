#include "proxy/relay/http2_connection.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "proxy/net/spawn.hpp"
#include "proxy/relay/connection.hpp"
#include "proxy/relay/connection_table.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
/// Streams kept for the next requests.
constexpr std::size_t kSpareStreams = 16;
/// What is kept for a connection beyond `limits.buffered`, so that slots are free: as much as for one of HTTP/1.
constexpr std::size_t kUnpaidMax = net::kBlockSize;
/// How long streams that the client has opened before it heard of the end may be on their way.
constexpr Duration kRoundTrip = std::chrono::seconds(1);
/// How long a closed connection is read on, so that the client gets to see the answer instead of a reset.
constexpr Duration kLinger = std::chrono::seconds(2);
/// What a connection takes whose head is unfinished, beside the head.
constexpr std::size_t kConnectionCost = 24 * 1024;
}  // namespace

Http2Connection::Http2Connection(Worker& worker, Connection& connection, net::Stream& stream, std::string_view peer,
                                 std::string_view balancer)
    : worker_(worker),
      connection_(connection),
      stream_(stream),
      peer_(peer),
      balancer_(balancer),
      session_(*this, worker.settings()->config.limits.http2, worker.settings()->config.limits.request_head.head),
      output_(worker.blocks()),
      input_memory_(worker.shared().buffered),
      late_write_(&Http2Connection::write_late, this),
      began_(Clock::now()) {
  stream_.observe(this);
  stream_.watch_peer(worker.hang_ups());
}

Http2Connection::~Http2Connection() {
  count_output(0);
  streams_.clear_and_dispose([](Http2Stream* each) { delete each; });
}

net::Task<> Http2Connection::run() {
  if (worker_.draining()) drain();
  while (!over()) {
    if (!stream_.in.empty()) {
      session_.receive(stream_.in.view(), worker_.turn().began());
      stream_.in.consume(stream_.in.size());
    }
    turn();
    if (over()) break;
    co_await wait_for_bytes();
  }
  closing_ = true;
  find_place();
  lose_streams();
  co_await close();
  ask_for_turn();
  while (carried_ > 0 || turning_ || late_write_.waits()) co_await ending_.wait();
}

/// A connection that has been quiet for a moment waits without a buffer.
net::Task<> Http2Connection::wait_for_bytes() {
  if (rested_ && place_ == Place::quiet) {
    stream_.in.release();
    spare_.clear();
    stream_.transport().async_wait_readable([this](net::error_code) { resting_.resume(); });
    co_await resting_.wait();
    if (over()) co_return;
    stream_.start_read();
  } else {
    stream_.await_input();
  }
  co_await stream_.wait_read();
  const net::error_code error = stream_.read_error();
  if (error && error != net::asio::error::operation_aborted) lose();
}

/// What an abusive client still sends is not looked at, and whether it reads is not waited for.
bool Http2Connection::over() const {
  return lost_ || session_.abuse() || session_.over();
}

/// Ends what `run` waits for.
void Http2Connection::wake() {
  if (stream_.reading() || resting_.occupied()) stream_.cancel();
}

/// The last frames go out, and what the client has still sent is read: closing over unread input would reset what is on
/// its way.
net::Task<> Http2Connection::close() {
  armed_for_ = Clock::now() + kLinger;
  worker_.timers().arm(*this, armed_for_);
  write();
  while (!output_.empty() && !lost_ && !timed_out_) {
    stream_.start_read(net::kBlockSize / 4);
    co_await stream_.wait_read();
    if (stream_.read_error() && stream_.read_error() != net::asio::error::operation_aborted) lost_ = true;
    stream_.in.consume(stream_.in.size());
  }
  if (!lost_) stream_.shutdown_send();
  while (!lost_ && !timed_out_) {
    stream_.start_read(net::kBlockSize / 4);
    co_await stream_.wait_read();
    if (stream_.read_error() && stream_.read_error() != net::asio::error::operation_aborted) break;
    stream_.in.consume(stream_.in.size());
  }
  disarm();
  lost_ = true;
  stream_.close();
}

void Http2Connection::on_writable(net::Stream&) {
  if (lost_) return;
  write();
  if (!closing_) return ask_for_turn();
  if (output_.empty()) return stream_.cancel();
  worker_.timers().arm(*this, Clock::now() + kLinger);  // as long as it reads on
}

// --- Streams ---------------------------------------------------------------------------------------------------------

/// A request that was reset counts until the API has answered it.
http2::StreamEvents* Http2Connection::on_begin(std::int32_t id) {
  if (carried_ >= worker_.settings()->config.limits.http2.streams) return nullptr;
  if (!worker_.stream_memory().admits(*this, worker_.stream_memory_limit())) return nullptr;
  std::unique_ptr<Http2Stream> stream;
  if (spare_.empty()) {
    stream = std::make_unique<Http2Stream>(worker_, *this, peer_, stream_.transport().tls());
    stream->told_by(balancer_);
  } else {
    stream = std::move(spare_.back());
    spare_.pop_back();
  }
  stream->begin(id, worker_.turn().began());
  streams_.push_back(*stream);
  return stream.release();
}

void Http2Connection::begins(Http2Stream& stream) {
  ++carried_;
  ready(stream);
}

void Http2Connection::start(Http2Stream& stream) {
  // After an exception, the session would call what has been freed: end the process instead.
  net::spawn_vital(worker_.executor(), stream.carry(), "a request over HTTP/2");
}

void Http2Connection::ready(Http2Stream& stream) {
  if (!stream.Http2ReadyHook::is_linked()) ready_.push_back(stream);
  ask_for_turn();
}

bool Http2Connection::ended(Http2Stream& stream) {
  --carried_;
  ask_for_turn();
  return !stream.over() || forget(stream);
}

bool Http2Connection::forget(Http2Stream& stream) {
  stream.Http2ReadyHook::unlink();
  stream.Http2StreamHook::unlink();
  std::unique_ptr<Http2Stream> owned(&stream);
  if (spare_.size() >= kSpareStreams) return false;
  spare_.push_back(std::move(owned));
  return true;
}

/// The connection's window is opened again at once if there is memory for what has come, and otherwise when it is
/// released: then a connection holds what the window allows, 64 KiB.
void Http2Connection::hold(std::size_t size) {
  held_ += size;
  if (input_memory_.grow_to(held_, worker_.settings()->config.limits.buffered)) {
    session_.consumed_by_connection(size + std::exchange(owed_, 0));
  } else {
    owed_ += size;
  }
}

bool Http2Connection::has_memory() {
  if (owed_ == 0) return true;
  if (!input_memory_.grow_to(held_, worker_.settings()->config.limits.buffered)) return false;
  if (!lost_) session_.consumed_by_connection(std::exchange(owed_, 0));
  ask_for_turn();
  return true;
}

void Http2Connection::release(std::size_t size) {
  held_ -= size;
  input_memory_.shrink_to(held_);
  const std::size_t paid = std::min(owed_, size);
  owed_ -= paid;
  if (paid > 0 && !lost_) session_.consumed_by_connection(paid);
  if (!lost_) ask_for_turn();
}

/// Requests that wait for the client, and output, if it reads none.
void Http2Connection::give_up_waiting() {
  for (Http2Stream& each : streams_) each.give_up_waiting();
  if (output_counted_ == 0) return;
  count_output(0);
  lose();
  ask_for_turn();
}

bool Http2Connection::keep_unpaid(std::size_t size) {
  if (unpaid_ + size > kUnpaidMax) return false;
  unpaid_ += size;
  return true;
}

// --- Its place, and its end ------------------------------------------------------------------------------------------

void Http2Connection::find_place() {
  ConnectionTable& table = worker_.connections();
  Place next = Place::busy;
  if (closing_) {
    next = Place::busy;
  } else if (session_.in_head()) {
    next = Place::head;
  } else if (lasting_ > 0) {
    next = Place::streams;
  } else if (quiet()) {
    next = Place::quiet;
  }
  if (place_ == Place::head && next != Place::head) table.has_head(connection_);
  if (place_ == Place::quiet && next != Place::quiet) table.was_quiet();
  if (next == Place::head) {
    place_ = next;  // before the table evicts it
    return table.reads_head(connection_, kConnectionCost + session_.head_bytes());
  }
  if (next == place_) return;
  place_ = next;
  if (next == Place::busy) table.is_busy(connection_);
  if (next == Place::streams) table.streams(connection_);
  if (next == Place::quiet) {
    quiet_since_ = Clock::now();
    rested_ = false;
    table.is_quiet(connection_);
  }
}

Time Http2Connection::deadline() const {
  const Settings& settings = *worker_.settings();
  Time at = Time::max();
  if (!session_.begun()) {
    at = began_ + settings.config.timeouts.request_head;
  } else if (session_.in_head()) {
    at = head_began_ + settings.config.timeouts.request_head;
  } else if (place_ == Place::quiet) {
    at = quiet_since_ + (rested_ ? settings.idle_for : std::min(settings.idle_for, ConnectionTable::kKeepBuffer));
  }
  if (draining_ && !ended_) at = std::min(at, told_to_end_ + kRoundTrip);
  if (blocked_since_ != Time{}) at = std::min(at, blocked_since_ + settings.config.timeouts.response);
  return at;
}

void Http2Connection::set_deadline() {
  if (session_.in_head() && std::exchange(head_number_, session_.heads()) != session_.heads())
    head_began_ = Clock::now();
  const Time at = deadline();
  if (std::exchange(armed_for_, at) == at) return;
  at == Time::max() ? disarm() : worker_.timers().arm(*this, at);
}

void Http2Connection::on_deadline() {
  if (closing_) {
    timed_out_ = true;
    return stream_.cancel();
  }
  armed_for_ = Time::max();
  const Time now = Clock::now();
  const bool awaits_head = !session_.begun() || session_.in_head();
  if (blocked_since_ != Time{} && now >= blocked_since_ + worker_.settings()->config.timeouts.response) {
    lose();  // it reads nothing
  } else if (draining_ && !ended_ && now >= told_to_end_ + kRoundTrip) {
    on_pong();
  } else if (!awaits_head && place_ == Place::quiet && !rested_) {
    rested_ = true;
    wake();
  } else {
    if (awaits_head) worker_.counters().bad_requests[telemetry::bad_request_index(408)].add();
    session_.terminate(http2::ErrorCode::no_error);
  }
  ask_for_turn();
}

void Http2Connection::drain() {
  if (std::exchange(draining_, true) || closing_) return;
  told_to_end_ = Clock::now();
  session_.announce_end();
  ask_for_turn();
}

void Http2Connection::on_pong() {
  if (!draining_ || std::exchange(ended_, true)) return;
  session_.end();
}

void Http2Connection::stop_exchanges() {
  for (Http2Stream& each : streams_) each.stop();
}

void Http2Connection::close_idle() {
  if (std::exchange(closing_, true)) return;
  find_place();
  session_.terminate(http2::ErrorCode::no_error);
  write();
  lose();
}

void Http2Connection::evict() {
  place_ = Place::busy;
  session_.terminate(http2::ErrorCode::enhance_your_calm);
  ask_for_turn();
}

void Http2Connection::abort() {
  lost_ = true;
  for (Http2Stream& each : streams_) each.abort();
  lose_streams();
  wake();
  ask_for_turn();
}

/// Their exchanges end without a client, and then they are destroyed, while the session may still have frames of them.
void Http2Connection::lose_streams() {
  session_.abandon_streams();
  for (Http2Stream& each : streams_) each.lose();
}

void Http2Connection::report_abuse() {
  abuse_told_ = true;
  const http2::Abuse kind = *session_.abuse();
  const auto index = static_cast<std::size_t>(kind);
  worker_.counters().http2_abuse[index].add();
  if (!worker_.shared().http2_news[index].due(Clock::now())) return;
  const std::string_view what = kind == http2::Abuse::protocol_error ? "" : "too much of ";
  worker_.shared().log.warning(fmt::format("closed an HTTP/2 connection of {}: {}{}",
                                           peer_.empty() ? "a unix socket" : peer_, what, http2::name(kind)));
}

}  // namespace spillway::relay
