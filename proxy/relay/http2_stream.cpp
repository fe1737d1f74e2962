#include "proxy/relay/http2_stream.hpp"

#include <algorithm>
#include <utility>

#include "proxy/relay/exchange.hpp"
#include "proxy/relay/http2_connection.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
/// More memory than that is given back after a request.
constexpr std::size_t kKept = net::kBlockSize;
constexpr std::size_t kOutlineKept = 256;
/// What each request takes beside what `memory` counts: stream, exchange, coroutine frames, nghttp2's stream, and the
/// heap's part in them.
constexpr std::size_t kStreamCost = 6 * 1024;

void give_back_memory(std::string& text) {
  text.clear();
  if (text.capacity() > kKept) text = std::string();
}
}  // namespace

Http2Stream::Http2Stream(Worker& worker, Http2Connection& connection, std::string_view peer,
                         const tls::Session* session)
    : ClientStream(peer, session),
      worker_(worker),
      connection_(connection),
      kept_(worker.blocks()),
      output_memory_(worker.shared().buffered) {}

/// Its coroutine waits for a request that will not come, and ends.
Http2Stream::~Http2Stream() {
  retired_ = true;
  if (starting_.occupied()) starting_.resume();
}

void Http2Stream::begin(std::int32_t id, Time now) {
  builder_.begin(worker_.settings()->config.limits.request_head);
  id_ = id;
  began_ = now;
  failure_ = {};
  violation_ = {};
  trailer_rule_ = nullptr;
  outline_.clear();
  pending_ = {};
  arrived_size_ = taken_ = 0;
  body_received_ = 0;
  body_complete_ = true;  // there is no body before there is a head
  heads_ = 0;
  watch_ = Watch::off;
  started_ = ended_ = closed_ = gone_ = tell_gone_ = malformed_ = given_up_ = waits_ = waited_ = false;
  refused_ = cancelled_ = false;
  head_pending_ = response_begun_ = last_ = end_sent_ = lasts_ = false;
  upgraded_ = tunnel_reads_ = tunnel_awaits_room_ = false;
  tunnel_ = nullptr;
  handed_ = 0;
  read_error_ = {};
}

/// The exchange begins. It is started when the session has taken what has come.
void Http2Stream::on_head(bool end_stream) {
  exchange_ = worker_.take_exchange();
  exchange_->begin(*this, worker_.settings(), began_);
  ended_ = end_stream;
  const http2::RequestBuilder::Result result = builder_.finish(end_stream, exchange_->request());
  if (result.violation) {
    failure_ = Failure::bad_request(result.violation);
    outline_ = builder_.outline();
  }
  if (result.malformed) {
    malformed_ = true;
    connection_.session().reset(id_, http2::ErrorCode::protocol_error);
  }
  http::RequestHead& request = exchange_->request();
  body_complete_ = end_stream || request.upgrade_websocket;
  // A client of HTTP/2 sends none, and the API wants one (RFC 6455, section 4.1).
  if (request.upgrade_websocket && request.field("sec-websocket-key").empty()) {
    websocket_key_ = std::string(text::view(worker_.ids().request_id()).substr(0, 21)) + "A==";
    request.fields.push_back({"Sec-WebSocket-Key", websocket_key_});
  }
  if (result.violation) builder_.release();
  count(memory());
  connection_.begins(*this);
}

/// One request after the other: to start a coroutine costs more than to resume one.
net::Task<> Http2Stream::carry() {
  for (;;) {
    if (gone_ && !failure_) failure_ = Failure::Kind::client_gone;  // reset before anybody looked at it
    co_await exchange_->run(failure_);
    if (!end()) co_return;
    co_await starting_.wait();
    if (retired_) co_return;
  }
}

/// False: this has been destroyed.
bool Http2Stream::end() {
  give_back(incoming_.size() + body_.size());
  give_back_memory(incoming_);
  give_back_memory(body_);
  worker_.give_exchange(std::move(exchange_));
  kept_small_ = std::string();
  kept_.clear();
  settle();
  pending_ = {};
  builder_.release();
  if (heads_ == 0) fields_.release();  // else the session still has views of it
  if (outline_.capacity() > kOutlineKept) outline_ = std::string();
  count(0);
  if (waited_) worker_.heap().left_free(worker_.turn().began());
  return connection_.ended(*this);
}

void Http2Stream::on_closed() {
  closed_ = true;
  if (exchange_) {
    if (!all_sent() || !last_) gone_ = tell_gone_ = true;
    return connection_.ready(*this);
  }
  connection_.forget(*this);
}

void Http2Stream::lose() {
  closed_ = gone_ = tell_gone_ = true;
  if (exchange_) connection_.ready(*this);
}

void Http2Stream::stop() {
  if (exchange_) exchange_->stop();
}

void Http2Stream::abort() {
  if (exchange_) exchange_->abort();
}

void Http2Stream::proceed() {
  if (exchange_ && !std::exchange(started_, true)) {
    return starting_.occupied() ? starting_.resume() : connection_.start(*this);
  }
  if (upgraded_) return proceed_in_tunnel();
  const bool ended = gone_ || std::exchange(cancelled_, false);
  if (reading_.occupied()) {
    if (ended || arrived()) reading_.resume();
  } else if (writing_.occupied()) {
    if (ended || all_sent()) writing_.resume();
  } else if (watch_ != Watch::off && std::exchange(tell_gone_, false)) {
    ClientStream::Observer& exchange = *exchange_;
    exchange.on_client_gone();
  }
}

// --- The request's body ----------------------------------------------------------------------------------------------

void Http2Stream::on_data(std::string_view bytes) {
  if (!exchange_ || malformed_) return connection_.session().consumed_by_connection(bytes.size());
  connection_.hold(bytes.size());
  incoming_.append(bytes);
  arrived_size_ += bytes.size();
  const http::RequestHead& request = exchange_->request();
  const bool too_long = request.framing == http::Framing::length && arrived_size_ > request.content_length;
  if (too_long) return malformed("DATA and Content-Length disagree");
  connection_.ready(*this);
}

void Http2Stream::on_trailer(std::string_view name, std::string_view value) {
  if (!trailer_rule_) trailer_rule_ = http2::check_trailer(name, value);
}

void Http2Stream::on_end() {
  ended_ = true;
  if (!exchange_ || malformed_) return;
  const http::RequestHead& request = exchange_->request();
  const bool too_short = request.framing == http::Framing::length && arrived_size_ < request.content_length;
  if (trailer_rule_) return malformed(trailer_rule_);
  if (too_short) return malformed("DATA and Content-Length disagree");
  connection_.ready(*this);
}

void Http2Stream::malformed(const char* rule) {
  violation_ = {400, rule};
  malformed_ = true;
  connection_.session().reset(id_, http2::ErrorCode::protocol_error);
  connection_.ready(*this);
}

http::Violation Http2Stream::decode_body() {
  if (violation_) return violation_;
  if (exchange_->request().upgrade_websocket) return {};  // what comes is the tunnel's: not before the API has switched
  body_received_ += incoming_.size();
  if (body_.empty()) {
    body_.swap(incoming_);
  } else {
    body_.append(incoming_);
    incoming_.clear();
  }
  const std::uint64_t limit = exchange_->settings().config.limits.body;
  if (limit != 0 && body_received_ > limit) return {413, "body is beyond limits.body"};
  body_complete_ = ended_;
  return {};
}

/// The client may send as much again.
void Http2Stream::consume_body() {
  if (body_.empty()) return;
  const std::size_t size = body_.size();
  body_.clear();
  if (!ended_ && !closed_) connection_.session().consumed(id_, size);
  give_back(size);
}

void Http2Stream::give_back(std::size_t size) {
  if (size > 0) connection_.release(size);
}

net::Task<std::size_t> Http2Stream::read_body(std::size_t) {
  cancelled_ = false;
  if (!arrived() && !gone_ && begins_to_wait()) {
    co_await reading_.wait();
    goes_on();
  }
  if (!arrived()) co_return 0;
  co_return std::max<std::size_t>(incoming_.size(), 1);  // an end, too, is something
}

bool Http2Stream::awaits_continue() const {
  return exchange_->request().expect_continue && arrived_size_ == 0;
}

/// The stream's window bounds what comes. What is held takes from `limits.buffered` as long as there is some left.
bool Http2Stream::make_body_space(std::size_t) {
  return connection_.has_memory() || body_memory() <= net::kBlockSize;
}

std::size_t Http2Stream::body_memory() const {
  return body_.size() + incoming_.size();
}

// --- Its memory ------------------------------------------------------------------------------------------------------

std::size_t Http2Stream::memory() const {
  return kStreamCost + builder_.memory() + fields_.memory() + outline_.capacity() + exchange_->memory();
}

/// What the request holds from now on, in `limits.http2.memory`. While it is on its way to the API that stays: its head
/// is written anew, and the client's is released.
void Http2Stream::count(std::size_t memory) {
  worker_.stream_memory().changes(connection_, counted_, memory);
  counted_ = memory;
}

/// False: it has been given up for others.
bool Http2Stream::begins_to_wait() {
  count(memory());
  waits_ = waited_ = true;
  worker_.stream_memory().waits(connection_, counted_, worker_.stream_memory_limit());
  return waits_;
}

void Http2Stream::goes_on() {
  if (std::exchange(waits_, false)) worker_.stream_memory().goes_on(connection_, counted_);
}

void Http2Stream::give_up_waiting() {
  if (!waits_) return;
  goes_on();
  count(0);
  if (gone_) return;
  const bool answers = unsent() > 0;
  given_up_ = gone_ = tell_gone_ = true;
  pending_ = {};
  connection_.session().note(answers ? http2::Abuse::shut_window : http2::Abuse::provoked, Clock::now());
  connection_.session().reset(id_, http2::ErrorCode::enhance_your_calm);
  connection_.ready(*this);
}

// --- Its life --------------------------------------------------------------------------------------------------------

void Http2Stream::watch(Watch what) {
  watch_ = what;
  if (what == Watch::off || !gone_) return;
  tell_gone_ = true;
  connection_.ready(*this);
}

void Http2Stream::cancel() {
  if (!reading_.occupied() && !writing_.occupied() && !tunnel_reads_ && !tunnel_awaits_room_) return;
  cancelled_ = true;
  connection_.ready(*this);
}

TunnelSide& Http2Stream::upgrade() {
  upgraded_ = true;
  return *this;
}

void Http2Stream::lasts() {
  lasts_ = true;
  connection_.lasting(1);
  count(memory());  // the exchange has released the head
}

/// A request whose rest is not wanted is reset without an error (RFC 9113, section 8.1).
void Http2Stream::finish() {
  watch_ = Watch::off;
  if (lasts_) connection_.lasting(-1);
  if (closed_ || malformed_) return;
  if (refused_) {
    connection_.session().reset(id_, http2::ErrorCode::refused_stream);
  } else if (!ended_) {
    connection_.session().reset(id_, http2::ErrorCode::no_error);
  }
}

void Http2Stream::reset() {
  watch_ = Watch::off;
  if (lasts_) connection_.lasting(-1);
  const bool shut = unsent() > 0;
  pending_ = {};  // the exchange's memory ends
  if (closed_ || malformed_ || given_up_) return;
  if (shut) connection_.session().note(http2::Abuse::shut_window, Clock::now());
  connection_.session().reset(id_, response_begun_ ? http2::ErrorCode::internal_error : http2::ErrorCode::cancel);
}

}  // namespace spillway::relay
