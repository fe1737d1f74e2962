#include "proxy/relay/http1_stream.hpp"

#include <array>
#include <cstring>
#include <utility>

#include "proxy/http1/parse.hpp"
#include "proxy/http1/writer.hpp"
#include "proxy/relay/connection_table.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
/// A body of at most this size is read to its end after a refusal, so that the connection can go on.
constexpr std::uint64_t kDrainMax = 64 * 1024;
/// Payload up to here is copied behind the head: one plain send costs less than a gathered one.
constexpr std::size_t kCopiedMax = 2 * 1024;
/// Every response begins with these bytes, whoever writes it and for whichever version.
constexpr std::string_view kResponsesBegin = "HTTP/1.1 ";
}  // namespace

Http1Stream::Http1Stream(Worker& worker, Connection& connection, net::Stream& stream, std::string_view peer)
    : ClientStream(peer, stream.transport().tls()),
      worker_(worker),
      connection_(connection),
      stream_(stream),
      input_memory_(worker.shared().buffered),
      upload_block_(worker.shared().buffered),
      backlog_(worker.blocks()),
      output_memory_(worker.shared().buffered) {
  stream_.observe(this);
}

void Http1Stream::begin(ClientStream::Observer& exchange, const Settings& settings, http::RequestHead& request,
                        std::string& text) {
  exchange_ = &exchange;
  settings_ = &settings;
  request_ = &request;
  text_ = &text;
  head_scanner_.reset();
  head_size_ = payload_ = held_ = ahead_ = 0;
  output_ = {};
  body_received_ = 0;
  body_complete_ = true;  // there is no body before there is a head
  watch_ = Watch::off;
  end_ = End::close;
  parsed_ = head_pending_ = response_begun_ = made_here_ = keep_alive_ = upgraded_ = false;
}

bool Http1Stream::scan_head(http::Violation& violation) {
  const http::HeadScanner::Result head = head_scanner_.scan(stream_.in.view(), settings_->config.limits.request_head);
  violation = head.violation;
  if (!head.complete) return bool(head.violation);
  stream_.in.consume(head.begin);
  head_size_ = head.end - head.begin;
  return true;
}

http::Violation Http1Stream::parse_head() {
  const std::string_view bytes = stream_.in.view().substr(0, head_size_);
  const http::Violation violation = http::parse_request(bytes, settings_->config.limits.request_head, *request_);
  if (violation) return violation;
  parsed_ = true;
  decoder_ = http::BodyDecoder(request_->framing, request_->content_length, settings_->config.limits.body);
  body_complete_ = decoder_.done();
  return {};
}

// --- The request's body ----------------------------------------------------------------------------------------------

std::string_view Http1Stream::body() const {
  return stream_.in.view().substr(head_size_, payload_);
}

/// Takes the framing off in place: the payload moves to the front, behind the head.
http::Violation Http1Stream::decode_body() {
  char* const body = stream_.in.data() + head_size_;
  const http::BodyDecoder::Step step = decoder_.decode(body + held_, stream_.in.size() - head_size_ - held_);
  if (step.violation) return step.violation;
  if (payload_ != held_ && step.payload > 0) std::memmove(body + payload_, body + held_, step.payload);
  payload_ += step.payload;
  held_ += step.consumed;
  body_received_ += step.payload;
  body_complete_ = decoder_.done();
  return {};
}

void Http1Stream::consume_body() {
  stream_.in.consume(std::exchange(held_, 0));
  payload_ = 0;
  if (input_memory_.size() > 0) shrink_input();
}

net::Task<std::size_t> Http1Stream::read_body(std::size_t space) {
  const std::size_t before = stream_.in.size();
  upload_block_.prepare(stream_, settings_->flow_memory());
  stream_.start_read(space);
  co_await stream_.wait_read();
  co_return stream_.in.size() - before;
}

std::uint64_t Http1Stream::spliceable() const {
  return stream_.can_splice() ? net::Pipe::part_of(decoder_.remaining()) : 0;
}

net::Task<std::size_t> Http1Stream::splice_body(net::Pipe& pipe) {
  upload_block_.end(stream_);
  stream_.start_splice(pipe, spliceable());
  co_await stream_.wait_read();
  decoder_.pass_over(pipe.held());
  body_received_ += pipe.held();
  co_return pipe.held();
}

bool Http1Stream::awaits_continue() const {
  return request_->expect_continue && stream_.in.size() == head_size_;
}

/// The framing goes, then the bytes before the head, then the buffer grows.
bool Http1Stream::make_body_space(std::size_t limit) {
  net::Buffer& in = stream_.in;
  if (stream_.reading()) return true;  // there is room, and the buffer must stay
  in.drop_last(held_ - payload_);
  held_ = payload_;
  if (in.space_size() > 0) return true;
  const bool grows = in.size() == in.capacity();
  if (grows && !input_memory_.grow_to(2 * in.capacity(), limit)) return false;
  in.reserve(1);
  // The head has moved: it is read once more, where it is now.
  const bool expect_continue = request_->expect_continue;
  http::parse_request(in.view().substr(0, head_size_), settings_->config.limits.request_head, *request_);
  request_->expect_continue = expect_continue;
  return true;
}

void Http1Stream::shrink_input() {
  if (!stream_.in.empty() || stream_.reading()) return;
  upload_block_.end(stream_);
  if (input_memory_.size() == 0) return;
  stream_.in.release();
  input_memory_.reset();
}

void Http1Stream::release_head() {
  stream_.in.consume(std::exchange(head_size_, 0));
}

http::Violation Http1Stream::skip_body() {
  const http::Violation violation = decode_body();
  if (violation) return violation;
  stream_.in.consume(std::exchange(held_, 0));
  payload_ = 0;
  return {};
}

// --- The response ----------------------------------------------------------------------------------------------------

ClientStream::Sent Http1Stream::write_interim(const http::ResponseHead& head, const HeadContext& context) {
  if (request_->minor == 0) return Sent::all;
  text_->clear();
  http::write_response(head, {.request_id = context.request_id, .made_here = context.made_here}, *text_);
  output_ = {};
  output_.add(*text_);
  return flush();
}

void Http1Stream::write_head(const http::ResponseHead& head, const HeadContext& context) {
  const int minor = parsed_ ? request_->minor : 1;
  made_here_ = context.made_here;
  framing_ = made_here_ ? head.framing : http::delivery_framing(head, minor);
  if (made_here_) {
    keep_alive_ = parsed_ && !context.faulty && next_is_welcome() && rest_is_small();
  } else {
    keep_alive_ = next_is_welcome() && body_complete_ && framing_ != http::Framing::until_close;
  }
  text_->clear();
  http::write_response(head,
                       {.client_minor = minor,
                        .keep_alive = keep_alive_,
                        .framing = framing_,
                        .request_id = context.request_id,
                        .date = context.date,
                        .made_here = made_here_},
                       *text_);
  head_pending_ = true;
}

/// Whether the proxy lets another request follow on the client's connection.
bool Http1Stream::next_is_welcome() const {
  return request_->keep_alive && settings_->config.timeouts.keep_alive > Duration::zero() && !worker_.draining() &&
         !refuses_next_;
}

/// Takes what has come of an unread body out of the input; whether the rest is worth reading to its end.
/// A client that waits for a 100 may never send the rest, so where the next request begins cannot be told.
bool Http1Stream::rest_is_small() {
  release_head();
  if (skip_body()) return false;
  if (body_complete_) return true;
  return request_->framing == http::Framing::length && !request_->expect_continue && decoder_.remaining() <= kDrainMax;
}

/// A piece of the body, framed for the client, behind the head if that has not gone out yet.
ClientStream::Sent Http1Stream::write_body(std::string_view payload, bool last) {
  if (!std::exchange(head_pending_, false)) text_->clear();
  response_begun_ = true;
  const bool chunked = framing_ == http::Framing::chunked;
  const std::string_view end = chunked ? http::chunk_end(payload.size(), last) : std::string_view();
  if (chunked && !payload.empty()) http::write_chunk_size(payload.size(), *text_);
  output_ = {};
  if (payload.size() <= kCopiedMax) {
    *text_ += payload;
    *text_ += end;
    output_.add(*text_);
    if (!lost_ && backlog_.empty()) return output_.empty() ? Sent::all : Sent::soon;
  } else {
    output_.add(*text_);
    output_.add(payload);
    output_.add(end);
  }
  return flush();
}

net::Task<ClientStream::Sent> Http1Stream::await_sent() {
  if (ahead_ > 0) output_.consume(std::exchange(ahead_, 0));
  co_await stream_.write_at_end_of_turn(output_);
  if (stream_.written().error()) co_return Sent::failed;
  co_return stream_.written().all() ? Sent::all : Sent::blocked;
}

net::Pipe* Http1Stream::pipe(std::size_t limit) {
  const bool as_it_is = framing_ != http::Framing::chunked && !secure();
  if (!as_it_is || head_pending_) return nullptr;
  if (!pipe_) pipe_ = net::Pipe::open(worker_.shared().buffered, limit);
  return pipe_.get();
}

ClientStream::Sent Http1Stream::flush() {
  if (lost_) return Sent::failed;
  if (!backlog_.empty()) return Sent::blocked;
  if (ahead_ > 0) output_.consume(std::exchange(ahead_, 0));
  net::error_code error;
  const bool all = stream_.write_now(output_, pipe_.get(), error);
  if (error) return Sent::failed;
  return all ? Sent::all : Sent::blocked;
}

bool Http1Stream::keep(std::size_t limit, bool always) {
  const bool charged = limit > 0 && output_memory_.grow_to(backlog_.memory_with(output_.size() + piped()), limit);
  if (!charged && !always) return false;
  for (const auto& piece : output_.pieces()) backlog_.append({static_cast<const char*>(piece.data()), piece.size()});
  output_ = {};
  std::array<char, net::kBlockSize> piece;
  while (piped() > 0 && !lost_) {
    const std::size_t size = pipe_->read(piece.data(), piece.size());
    lost_ = size == 0;  // for no known reason
    backlog_.append({piece.data(), size});
  }
  stream_.await_writable();
  return true;
}

void Http1Stream::flush_backlog() {
  while (!backlog_.empty() && !lost_) {
    net::Gather output = backlog_.front();
    const std::size_t size = output.size();
    net::error_code error;
    const bool all = stream_.write_now(output, error);
    backlog_.consume(size - output.size());
    output_memory_.shrink_to(backlog_.memory());
    lost_ = bool(error);
    if (!all && !error) return stream_.await_writable();
  }
}

net::Task<> Http1Stream::wait_writable() {
  stream_.await_writable();
  co_await writable_.wait();
}

void Http1Stream::on_writable(net::Stream&) {
  flush_backlog();
  if (writable_.occupied()) {
    writable_.resume();
  } else if (lost_) {
    tell_gone();
  }
}

// --- Its life --------------------------------------------------------------------------------------------------------

void Http1Stream::watch(Watch what) {
  watch_ = what;
  if (what == Watch::queue && stream_.in.space_size() > 0) stream_.start_read(1);  // the head must not move
  if ((what == Watch::answer || what == Watch::events) && body_complete_ && stream_.in.size() == held_)
    stream_.start_read();
}

void Http1Stream::on_unawaited_read(net::Stream&) {
  if (!stream_.read_error()) {
    // A body or a pipelined request stays in the buffer. While that has room, the client is watched on.
    if (watch_ == Watch::queue) watch(Watch::queue);
    return;
  }
  if (stream_.read_error() == net::asio::error::operation_aborted || watch_ == Watch::off) return;
  const bool half_closed = stream_.read_error() == net::asio::error::eof && watch_ != Watch::events;
  if (!half_closed || !may_wait_for_answer()) tell_gone();
}

/// The client has sent its last byte. It may have left, or wait for its answer: only writing to it tells, since a
/// client that has left answers with a reset. So the bytes that every response begins with go out ahead.
/// False: it has left, or its request will never be complete.
bool Http1Stream::may_wait_for_answer() {
  if (watch_ == Watch::queue) {
    if (decode_body() || !body_complete_) return false;
  } else if (!body_complete_) {
    return true;  // the upload looks for the rest, and finds the end
  }
  if (!response_begun_ && output_.empty() && ahead_ == 0) {
    net::Gather output;
    output.add(kResponsesBegin);
    net::error_code error;
    stream_.write_now(output, error);
    if (error) return false;
    ahead_ = kResponsesBegin.size() - output.size();
  }
  stream_.await_hang_up();
  return true;
}

void Http1Stream::on_hang_up(net::Stream&) {
  if (watch_ != Watch::off) tell_gone();
}

void Http1Stream::tell_gone() {
  if (exchange_) exchange_->on_client_gone();
}

TunnelSide& Http1Stream::upgrade() {
  upgraded_ = true;
  tunnel_side_ = std::make_unique<StreamSide>(stream_);
  return *tunnel_side_;
}

void Http1Stream::lasts() {
  worker_.connections().streams(connection_);
}

void Http1Stream::finish() {
  if (upgraded_) return end_as(stream_.read_error() == net::asio::error::eof ? End::close : End::linger);
  if (made_here_) {
    shrink_input();
    if (!keep_alive_) return end_as(End::linger);
    return end_as(body_complete_ ? End::keep_alive : End::drain_body);
  }
  stream_.in.consume(held_);
  if (keep_alive_) return end_as(End::keep_alive);
  // Over TLS the end of such a body is a message, which may have to wait for room.
  if (secure() && framing_ == http::Framing::until_close) return end_as(End::linger);
  end_as(body_complete_ && stream_.in.empty() ? End::close : End::linger);
}

void Http1Stream::reset() {
  end_as(response_begun_ && !made_here_ ? End::reset : End::close);
}

void Http1Stream::end_as(End end) {
  end_ = end;
  watch_ = Watch::off;
  pipe_.reset();
  exchange_ = nullptr;
  if (!upgraded_) return;
  stream_.observe(this);  // the tunnel has observed it
  worker_.connections().is_busy(connection_);
}

}  // namespace spillway::relay
