// How an exchange gets the request's body: without a slot while it is late, and at a minimum rate with one.

#include <algorithm>

#include "proxy/http1/writer.hpp"
#include "proxy/relay/exchange.hpp"
#include "proxy/relay/worker.hpp"
#include "proxy/text/status_phrase.hpp"

namespace spillway::relay {

namespace {
/// How long a late body may hold a slot. Most clients send the body right behind the head.
constexpr Duration kSlotHeldForBody = std::chrono::milliseconds(20);
/// Up to this size a body is buffered without a slot; a larger one is streamed from then on. With a head of up to 16
/// KiB it takes a buffer of 64 KiB: a thousand of them fill the default `limits.buffered`.
constexpr std::size_t kGatheredMax = 48 * 1024;
/// Room for one read of an upload.
constexpr std::size_t kUploadSpace = net::kBlockSize / 2;
}  // namespace

/// Whether the body is complete, or is large and has begun to flow: its slot will not wait for a client that sends
/// little.
bool Exchange::body_at_hand() const {
  return client_->body_complete() || client_->body().size() >= kGatheredMax;
}

Failure Exchange::decode_body() {
  const http::Violation violation = client_->decode_body();
  return violation ? Failure::bad_request(violation) : Failure();
}

/// Buffers a late body before it is forwarded. After a moment this releases the slot, and asks for one again when the
/// body is at hand: otherwise a few clients with slow bodies could hold all slots.
net::Task<Failure> Exchange::gather_body() {
  const bool asks = client_->awaits_continue();
  request_.expect_continue = false;
  if (asks) {
    const Failure failure = co_await send_continue();
    if (failure) co_return failure;
  }
  Failure failure = co_await await_body();
  worker_.arriving().ends(*this);
  disarm();
  timed_out_ = ending_;  // the slot's time may have ended in the turn in which the body came
  if (failure || permit_) co_return failure;
  ticket_.state = admission::Request::State::fresh;
  failure = ask_for_slot();
  if (!failure && !permit_) failure = co_await wait_for_slot();
  co_return failure;
}

/// Waits until the body is at hand. What it holds meanwhile is taken back from the slowest if all hold too much.
net::Task<Failure> Exchange::await_body() {
  const Duration patience = settings_->config.timeouts.request_body;
  const Time slot_until = Clock::now() + kSlotHeldForBody;
  pace_ = Pace(settings_->config.limits.min_rate, kPaceMean);
  for (;;) {
    const Failure failure = decode_body();
    if (failure || body_at_hand()) co_return failure;
    if (!make_body_space()) {
      // Without memory the body would have to hold a slot. It may, if no request is refused for want of slots.
      if (!settings_->enforces()) co_return Failure();
      co_return Failure::refused(admission::Reason::capacity);
    }
    const Time now = Clock::now();
    const std::size_t memory = client_->body_memory();
    if (settings_->enforces() && !worker_.body_arrives(*this, memory, client_->body_received(), now)) {
      memory_taken_back_ = true;
      co_return Failure::Kind::client_slow;
    }
    Duration wait = patience;
    if (permit_) wait = std::min(wait, slot_until - now);
    if (!permit_ && memory > net::kBlockSize) wait = std::min(wait, pace_.left(now));
    arm(now, wait);
    pace_.begin(now);
    const std::size_t size = co_await client_->read_body(1);  // not moving the head, which is still needed
    pace_.end(size, Clock::now());
    if (memory_taken_back_) co_return Failure::Kind::client_slow;
    if (size == 0) {
      if (!timed_out_) co_return Failure::Kind::client_gone;
      if (!permit_) co_return Failure::Kind::client_timeout;
    }
    if (timed_out_) release_slot();
  }
}

/// Tells an admitted client to send its body. If the client does not read, the slot is released meanwhile.
net::Task<Failure> Exchange::send_continue() {
  http::ResponseHead head;
  head.status = 100;
  head.reason = text::status_phrase(100);
  const ClientStream::Sent sent = client_->write_interim(head, {.request_id = {}, .made_here = true});
  if (sent == ClientStream::Sent::all) co_return Failure();
  if (sent == ClientStream::Sent::failed) co_return Failure::Kind::client_gone;
  release_slot();
  const Failure failure = co_await flush_client();
  co_return failure;
}

bool Exchange::make_body_space() {
  if (!client_->make_body_space(settings_->config.limits.buffered)) return false;
  method_ = request_.method;  // the head may have moved
  target_ = request_.target;
  return true;
}

/// The payload at hand, framed for the API.
void Exchange::gather_upload() {
  const std::string_view payload = client_->body();
  if (request_.framing != http::Framing::chunked) return output_.add(payload);
  chunk_.clear();
  if (!payload.empty()) {
    http::write_chunk_size(payload.size(), chunk_);
    output_.add(chunk_);
    output_.add(payload);
  }
  output_.add(http::chunk_end(payload.size(), client_->body_complete()));
}

/// The rest of the body as it comes, until the API answers: an answer before the end of the body is final.
net::Task<Failure> Exchange::upload() {
  co_await flush_upstream();
  if (!client_->body_complete()) hold_slot_for_client();
  Failure failure;
  while (!failure && !client_->body_complete() && !answered_early()) {
    client_->consume_body();
    // A part may have come while the connection was being made and nothing waited for it.
    failure = decode_body();
    if (failure) break;
    if (client_->body().empty() && !client_->body_complete()) {
      failure = co_await await_upload();
      if (!failure) failure = decode_body();
      if (failure) break;
    }
    output_ = {};
    gather_upload();
    if (unsent() == 0) continue;
    arm(Clock::now(), settings_->config.timeouts.response);
    co_await flush_upstream();
  }
  SlotHolder::leave();
  // The API's latency counts from here: the time that the client took to send is not the API's.
  if (client_->body_complete()) sent_ = ticket_.sent = Clock::now();
  co_return failure;
}

/// The next bytes of an upload that the API waits for; none if it has answered meanwhile. The client must keep a rate.
net::Task<Failure> Exchange::await_upload() {
  const Duration patience = settings_->config.timeouts.request_body;
  if (slot_taken_back_) co_return Failure::Kind::client_slow;
  const Time began = Clock::now();
  const Duration in_time = pace_.left(began);
  arm(began, std::min(patience, in_time));
  pace_.begin(began);
  tempo.begin(began);
  upload_blocked_ = false;
  net::Pipe* const pipe = upload_pipe();
  std::size_t size = 0;
  if (pipe) {
    size = co_await client_->splice_body(*pipe);
  } else {
    size = co_await client_->read_body(kUploadSpace);
  }
  const Time now = Clock::now();
  pace_.end(size, now);
  tempo.end(size, now);
  // The deadline has ended the read of the API, too: that is no answer, and bytes that came meanwhile are late.
  const bool cancelled = upstream_->stream.read_error() == net::asio::error::operation_aborted;
  const bool late = timed_out_ && (cancelled || !answered_early());
  if (!late && (size > 0 || answered_early())) co_return Failure();
  if (slot_taken_back_) co_return Failure::Kind::client_slow;
  if (!late) co_return Failure::Kind::client_gone;
  co_return in_time < patience ? Failure::Kind::client_slow : Failure::Kind::client_timeout;
}

/// Large bodies of known length go from socket to socket within the kernel, as long as there is much of them. Null: the
/// body is read and written.
net::Pipe* Exchange::upload_pipe() {
  const bool passes_by = client_->spliceable() > 0 && !upstream_->stream.transport().tls();
  if (!passes_by) {
    upload_pipe_.reset();
  } else if (!upload_pipe_) {
    upload_pipe_ = net::Pipe::open(worker_.shared().buffered, settings_->flow_memory());
  }
  return upload_pipe_.get();
}

/// From here on the slot may be held for a slow client, and may be taken back.
void Exchange::hold_slot_for_client() {
  slot_taken_back_ = false;
  pace_ = Pace(settings_->config.limits.min_rate, kPaceMean);
  worker_.slot_held_for(*this);
}

/// Writes what the socket takes.
void Exchange::write_upstream() {
  net::error_code error;
  const std::size_t before = unsent();
  upstream_->stream.write_now(output_, upload_pipe_.get(), error);
  wrote_upstream(before - unsent(), error);
}

/// A write error does not end the exchange: the API may have answered before it stopped reading.
void Exchange::wrote_upstream(std::size_t size, net::error_code error) {
  request_written_ |= size > 0;
  upload_cut_ |= bool(error);
}

/// Writes all output. Returns early, with output left, if the API answers meanwhile.
net::Task<> Exchange::flush_upstream() {
  for (write_upstream(); unsent() > 0 && !answered_early(); write_upstream()) {
    upload_blocked_ = true;
    const net::error_code error = co_await upstream_->stream.writable();
    if (error == net::asio::error::operation_aborted && !timed_out_) co_return;
    if (error || timed_out_) upload_cut_ = true;
  }
}

/// Whether the API has sent bytes, or stopped reading.
bool Exchange::answered_early() const {
  return upload_cut_ || !upstream_->stream.reading();
}

}  // namespace spillway::relay
