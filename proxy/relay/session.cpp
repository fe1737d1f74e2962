#include "proxy/relay/session.hpp"

#include <algorithm>

#include "proxy/http1/parse.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
/// How long an answered connection keeps its buffer and request state: most next requests come sooner.
constexpr Duration kWarm = std::chrono::seconds(1);

/// Room for the rest of a head that has come in part. More than that, and the block doubles.
constexpr std::size_t kHeadSpace = 512;
/// What a connection with an unfinished head takes beside its buffer: session, exchange, coroutine frames; 3.6 KiB
/// were measured.
constexpr std::size_t kSessionCost = 4 * 1024;

/// What every answer begins with, whoever writes it and for whichever version.
constexpr std::string_view kAnswersBegin = "HTTP/1.1 ";

telemetry::Outcome outcome_of(int status) {
  if (status < 400) return telemetry::Outcome::ok;
  return status < 500 ? telemetry::Outcome::client_error : telemetry::Outcome::upstream_error;
}
}  // namespace

Session::Session(Worker& worker, Client client)
    : worker_(worker),
      client_(std::move(client.socket), worker.blocks()),
      peer_(std::move(client.peer)),
      counted_(std::move(client.counted)),
      input_memory_(worker.shared().buffered),
      backlog_(worker.blocks()),
      output_memory_(worker.shared().buffered) {
  client_.observe(this);
}

Session::~Session() {
  if (x_) worker_.give_exchange(std::move(x_));
}

net::Task<> Session::serve(Worker& worker, Client client) {
  After after = After::keep_alive;
  {
    Session session(worker, std::move(client));
    worker.session_opened();
    while (after == After::keep_alive) {
      after = co_await session.await_request();
      if (after == After::keep_alive) after = co_await session.exchange();
    }
    if (after == After::linger && !session.gives_way_) co_await session.linger();
    if (after == After::reset) session.client_.reset();
    session.disarm();
    if (after == After::rest && !session.client_.busy()) {
      worker.rest({std::move(session.client_.socket()), std::move(session.peer_), std::move(session.counted_)},
                  session.ending_);
    } else {
      session.client_.close();
      session.client_.observe(nullptr);
      while (session.client_.busy()) co_await session.client_.settle();
    }
  }
  worker.session_closed();
}

/// Waits for the first byte of the next request. A connection that was just used keeps its buffer for a moment.
net::Task<Session::After> Session::await_request() {
  shrink_input();
  if (client_.in.empty()) {
    worker_.session_warm(*this);
    arm(Clock::now(), std::min(kWarm, worker_.settings()->idle_for));
    client_.start_read();
    co_await client_.settle();
    worker_.session_not_warm();
    if (closing_) co_return After::close;
    if (client_.in.empty()) co_return timed_out_ || ending_ ? After::rest : After::close;
  }
  worker_.session_busy(*this);
  if (!x_) x_ = worker_.take_exchange();
  co_return After::keep_alive;
}

/// One request and its response: the whole path.
net::Task<Session::After> Session::exchange() {
  x_->reset(worker_.settings(), Clock::now());

  // The head, byte by byte, up to its end: nothing is parsed before all of it is here.
  Failure failure;
  if (!scan_head(failure)) failure = co_await read_head();

  // Strictly parsed and checked for meaning; then the request has an identity and a class.
  if (!failure) failure = parse_head();

  // A slot, now or after a bounded wait; else the refusal, before the body is read.
  if (!failure) failure = ask_for_slot();
  if (!failure && !x_->permit) failure = co_await wait_for_slot();

  // A body that is late does not hold the slot meanwhile.
  if (!failure && !body_at_hand()) failure = co_await gather_body();

  // To the API, written anew, and its answer's head back. Once more on a fresh connection if a kept one was stale.
  if (!failure) failure = prepare_request();
  if (!failure) failure = co_await forward(false);
  if (failure.may_retry && x_->settings->config.retry.attempts > 0 && worker_.shared().gate.begin_retry()) {
    ++x_->retries;
    worker_.counters().upstream_retries.add();
    failure = co_await forward(true);
    worker_.shared().gate.end_retry();
  }

  // Both have agreed on another protocol: from here on bytes are bytes.
  if (!failure && switches_protocol()) {
    const After after = co_await tunnel();
    co_return after;
  }

  // The answer, written anew, streamed to the client at the pace it reads.
  if (!failure) failure = co_await relay_response();

  if (failure) {
    const After after = co_await answer(failure);
    co_return after;
  }
  account(x_->response.status, outcome_of(x_->response.status), {});
  client_.in.consume(x_->held);
  if (x_->client_stays) co_return After::keep_alive;
  co_return x_->upload.done() && client_.in.empty() ? After::close : After::linger;
}

/// Looks at the bytes that have come. False: the head has not ended, more are needed.
bool Session::scan_head(Failure& failure) {
  Exchange& x = *x_;
  const http::HeadGate::Result head = x.request_gate.scan(client_.in.view(), x.settings->request_head);
  if (head.violation) failure = Failure::bad_request(head.violation);
  if (!head.complete) return bool(head.violation);
  client_.in.consume(head.begin);
  x.head_size = head.end - head.begin;
  return true;
}

/// Most heads are whole at once. One that is not may stay so for as long as it is allowed to, so that it moves into as
/// small a block as holds it, and back into one that a body is read with.
net::Task<Failure> Session::read_head() {
  arm(x_->began, x_->settings->config.timeouts.request_head);
  const Failure failure = co_await read_rest_of_head();
  worker_.session_has_head(*this);
  if (failure) co_return failure;
  disarm();
  timed_out_ = gives_way_ = false;  // whole after all
  if (client_.in.size() < net::kBlockSize) client_.in.reserve(net::kBlockSize - client_.in.size());
  co_return failure;
}

net::Task<Failure> Session::read_rest_of_head() {
  Failure failure;
  do {
    // A read that began while the request before waited in the queue keeps the buffer where it is.
    if (!client_.reading()) client_.in.fit(kHeadSpace);
    worker_.session_reads_head(*this, kSessionCost + client_.in.capacity());
    if (timed_out_) co_return Failure::Kind::client_timeout;
    client_.start_read(1);
    co_await client_.settle();
    if (client_.read_error()) co_return timed_out_ ? Failure::Kind::client_timeout : Failure::Kind::client_gone;
  } while (!scan_head(failure));
  co_return failure;
}

Failure Session::parse_head() {
  Exchange& x = *x_;
  const std::string_view bytes = client_.in.view().substr(0, x.head_size);
  if (const http::Violation violation = http::parse_request(bytes, x.settings->request_head, x.request)) {
    return Failure::bad_request(violation);
  }
  x.parsed = true;
  x.method = x.request.method;
  x.target = x.request.target;
  worker_.counters().parsed.add();
  x.upload = http::BodyDecoder(x.request.framing, x.request.content_length, x.settings->config.limits.body);
  identify();
  x.class_index = x.settings->classifier.classify(x.request);
  if (x.request.max_forwards == 0) return Failure::Kind::last_hop;
  const std::uint64_t limit = x.settings->config.limits.body;
  if (limit != 0 && x.request.framing == http::Framing::length && x.request.content_length > limit) {
    return Failure::bad_request({413, "Content-Length is beyond limits.body"});
  }
  return decode_upload();  // what of the body has come with the head
}

/// The request's identifiers: the client's if its word is believed, else new ones.
void Session::identify() {
  Exchange& x = *x_;
  x.trusted_peer = x.settings->trusts(peer_);
  const std::string_view id = x.trusted_peer ? x.request.field("x-request-id") : std::string_view();
  const std::string_view parent = x.trusted_peer ? x.request.field("traceparent") : std::string_view();
  const text::RequestId generated = worker_.ids().request_id();
  x.request_id = text::valid_request_id(id) ? id : telemetry::view(generated);
  x.traceparent = telemetry::valid_traceparent(parent) ? worker_.ids().continue_trace(parent)
                                                       : worker_.ids().start_trace(generated);
}

/// Admitted (then there is a permit), refused, or waiting.
Failure Session::ask_for_slot() {
  using State = admission::Request::State;
  Exchange& x = *x_;
  disarm();
  if (x.settings->config.maintenance.enabled && !x.settings->critical[static_cast<std::size_t>(x.class_index)]) {
    return Failure::refused(admission::Reason::maintenance);
  }
  x.arrived = Clock::now();
  x.ticket.class_index = x.class_index;
  x.ticket.body_at_hand = body_at_hand();
  x.ticket.key = x.settings->client_keys.of(x.request, peer_, worker_.shared().key_hash);
  if (const auto timeout = classify::request_timeout(x.request)) x.ticket.deadline = x.began + *timeout;
  const State state = worker_.shared().gate.arrive(x.ticket, x.arrived);
  if (state == State::refused) return Failure::refused(x.ticket.reason);
  if (state == State::admitted) admitted();
  return {};
}

/// The client is watched meanwhile: one that goes away leaves the queue at once.
net::Task<Failure> Session::wait_for_slot() {
  using State = admission::Request::State;
  Exchange& x = *x_;
  if (client_.in.space_size() > 0) client_.start_read(1);  // not moving the head, which is still needed
  worker_.gate_wait_begins();
  co_await x.ticket.parking.wait();
  worker_.gate_wait_ends();
  x.queue_wait += Clock::now() - x.arrived;
  if (x.ticket.state == State::refused) co_return Failure::refused(x.ticket.reason);
  if (x.ticket.state != State::admitted) co_return Failure::Kind::client_gone;
  admitted();
  co_return Failure();
}

void Session::admitted() {
  Exchange& x = *x_;
  x.permit.emplace(worker_.shared().gate, x.ticket);
  telemetry::WorkerCounters& counters = worker_.counters();
  counters.concurrency.observe(x.ticket.in_flight);
  counters.classes[static_cast<std::size_t>(x.class_index)].queue_wait.observe(
      telemetry::to_milliseconds(x.queue_wait));
}

/// The one place where a finished exchange is counted and logged.
void Session::account(int status, telemetry::Outcome outcome, std::string_view reason) {
  Exchange& x = *x_;
  disarm();
  SlotHolder::leave();
  const Time now = Clock::now();
  telemetry::WorkerCounters& counters = worker_.counters();
  if (!x.parsed) {
    if (status != 0) counters.bad_requests[telemetry::bad_request_index(status)].add();
  } else {
    telemetry::Counter& end = outcome == telemetry::Outcome::aborted ? counters.aborted
                              : x.response_started                   ? counters.answered_by_api
                                                                     : counters.answered_by_proxy;
    end.add();
    telemetry::ClassCounters& of_class = counters.classes[static_cast<std::size_t>(x.class_index)];
    of_class.requests[static_cast<std::size_t>(outcome)][telemetry::code_index(status)].add();
    of_class.duration.observe(telemetry::to_milliseconds(now - x.began));
    if (x.answered != Time{}) of_class.upstream_duration.observe(telemetry::to_milliseconds(x.answered - x.sent));
    // In shadow; a request counts once, by the reason that would have come first.
    const bool shadow = x.settings->config.admission.mode == AdmissionMode::shadow;
    if (x.ticket.shadow_refused) x.would_refuse = x.ticket.reason;
    if (shadow && x.would_refuse) of_class.shadow_rejections[static_cast<std::size_t>(*x.would_refuse)].add();
  }
  if (!x.parsed && status == 0) return;  // nothing happened
  if (outcome == telemetry::Outcome::shed) {
    const std::string_view path = x.target.substr(0, x.target.find('?'));
    if (!worker_.count_refusal(x.refused_for, x.class_index, x.method, path, now)) return;
  }
  if (worker_.shared().log.wants(outcome)) log(status, outcome, reason, now);
}

void Session::log(int status, telemetry::Outcome outcome, std::string_view reason, Time now) {
  const Exchange& x = *x_;
  telemetry::AccessEntry entry;
  entry.request_id = x.request_id;
  entry.client = peer_;
  if (x.parsed) {
    entry.trace_id = telemetry::trace_id(telemetry::view(x.traceparent));
    entry.method = x.method;
    entry.target = x.target;
    entry.class_name = worker_.shared().class_names[static_cast<std::size_t>(x.class_index)];
  }
  entry.status = status;
  entry.outcome = outcome;
  entry.reason = reason;
  entry.queue = x.queue_wait;
  if (x.answered != Time{}) entry.upstream = x.answered - x.sent;
  entry.total = now - x.began;
  entry.bytes_in = x.bytes_in;
  entry.bytes_out = x.bytes_out;
  entry.in_flight = x.ticket.in_flight;
  entry.limit = x.ticket.limit;
  entry.retries = x.retries;
  worker_.shared().log.access(entry);
}

void Session::cool() {
  timed_out_ = true;
  client_.cancel();
}

void Session::end_idle() {
  ending_ = true;
  client_.cancel();
  if (upstream_) upstream_->stream.cancel();
}

void Session::make_room() {
  closing_ = true;
  end_idle();
  client_.close();
}

void Session::give_way() {
  gives_way_ = timed_out_ = true;
  client_.cancel();
}

void Session::abort() {
  ending_ = true;
  timed_out_ = true;
  client_.reset();
  if (upstream_) upstream_->stream.cancel();
}

/// Whoever waits in a loop looks at `timed_out_` before it waits again: the deadline may fire in the turn in which
/// what was waited for has come, and it fires once.
void Session::arm(Time from, Duration timeout) {
  timed_out_ = false;
  worker_.timers().arm(*this, from + timeout);
}

void Session::on_deadline() {
  timed_out_ = true;
  client_.cancel();
  if (upstream_) upstream_->stream.cancel();
}

void Session::on_unawaited_read(net::Stream& stream) {
  if (&stream == &client_) {
    const bool waits = x_ && x_->ticket.parking.occupied();
    if (!client_.read_error()) {
      // A body or a pipelined request stays in the buffer. While that has room, the client is watched on.
      if (waits && client_.in.space_size() > 0) client_.start_read(1);
      return;
    }
    if (client_.read_error() == net::asio::error::operation_aborted) return;
    const bool cancel = x_ && x_->settings->config.upstream.when_client_leaves == WhenClientLeaves::cancel;
    if (!waits && !(upstream_ && cancel)) return;
    if (client_.read_error() != net::asio::error::eof || !may_be_there()) client_left();
  } else {
    // The API answers, or leaves, while the request is still being sent: whatever waits for the rest of it wakes up.
    client_.cancel();
    stream.cancel();
  }
}

/// The client has sent its last byte. It may have left, or wait for its answer: only writing to it tells, since whoever
/// has left answers with a reset. So the bytes that every answer begins with go out ahead. False: it has left, or its
/// request will never be whole.
bool Session::may_be_there() {
  Exchange& x = *x_;
  if (x.ticket.parking.occupied()) {
    const Failure failure = decode_upload();
    if (failure || !x.upload.done()) return false;
  } else if (!x.upload.done()) {
    return true;  // the upload looks for the rest, and finds the end
  }
  if (!x.response_started && !flushing_ && x.ahead == 0) {
    net::Gather output;
    output.add(kAnswersBegin);
    net::error_code error;
    client_.write_now(output, error);
    if (error) return false;
    x.ahead = kAnswersBegin.size() - output.size();
  }
  client_.await_hang_up();
  return true;
}

void Session::on_hang_up(net::Stream& stream) {
  if (&stream == &client_) client_left();
}

void Session::client_left() {
  if (!x_) return;
  if (x_->ticket.parking.occupied()) {
    if (worker_.shared().gate.abandon(x_->ticket)) x_->ticket.parking.resume();
  } else if (upstream_ && x_->settings->config.upstream.when_client_leaves == WhenClientLeaves::cancel) {
    upstream_->stream.cancel();
  }
}

}  // namespace spillway::relay
