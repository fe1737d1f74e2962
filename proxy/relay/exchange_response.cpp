// The stages of an exchange that go towards the client.

#include <algorithm>
#include <utility>

#include "proxy/http/event_stream.hpp"
#include "proxy/relay/exchange.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

using Sent = ClientStream::Sent;

namespace {
/// Up to this much of a response is kept in memory for a slow client, so that the slot is released when the API is
/// done. Nothing is kept of a larger response: the API would have to wait for the client anyway.
constexpr std::size_t kKeptMax = 4 * 1024 * 1024;
/// One part in this many of `limits.buffered` is left to request bodies: without memory they are refused, while a
/// response can wait.
constexpr std::uint64_t kLeftForRequests = 8;
/// Memory of more fields than that is given back while a client takes its time.
constexpr std::size_t kFieldsKept = 32;

Failure failure_of(Sent sent) {
  return sent == Sent::failed ? Failure::Kind::client_gone : Failure::Kind::none;
}

/// Whether a failure after admission says anything of how the API does.
bool concerns_api(Failure::Kind kind) {
  return kind != Failure::Kind::refused && kind != Failure::Kind::bad_request && kind != Failure::Kind::client_gone &&
         kind != Failure::Kind::client_timeout && kind != Failure::Kind::client_slow &&
         kind != Failure::Kind::stream_stopped;
}

/// Whether a failure is what becomes of a wait that the process ends.
bool cut_by_stop(Failure::Kind kind) {
  return kind == Failure::Kind::client_gone || kind == Failure::Kind::client_timeout ||
         kind == Failure::Kind::client_slow || kind == Failure::Kind::connect_timeout ||
         kind == Failure::Kind::response_timeout || kind == Failure::Kind::response_cut;
}
}  // namespace

/// The response's head, written anew, and its body as it comes.
net::Task<Failure> Exchange::relay_response() {
  net::Stream& up = upstream_->stream;
  download_ = http::BodyDecoder(response_.framing, response_.content_length, 0);
  take_load_report();
  // An API that sends Retry-After is healthy but overloaded. Later other bytes may stand where the head stands.
  api_sheds_ = response_.status == 503 && !response_.field("retry-after").empty();
  client_->write_head(response_, {.request_id = request_id_, .date = missing_date()});
  up.in.consume(response_head_size_);
  if (http::is_event_stream(response_)) {
    begin_stream();
    if (client_->body_complete() && output_.empty()) watch_client(ClientStream::Watch::events);
  }

  for (;;) {
    const http::BodyDecoder::Step step = download_.decode(up.in.data(), up.in.size());
    if (step.violation) co_return Failure::response_invalid(step.violation);
    // Only a proper close ends a body that has no other end: a reset, or silence, has cut it.
    const bool ended = !up.reading() && up.read_error();
    const bool closed = ended && up.read_error() == net::asio::error::eof;
    const bool done = download_.done() || (closed && download_.complete_at_eof());
    if (ended && !done) co_return stopped() ? Failure(Failure::Kind::stream_stopped) : read_failure(false);

    bytes_out_ += step.payload;
    if (done) answered_ = Clock::now();
    response_started_ = true;
    Sent sent = client_->write_body({up.in.data(), step.payload}, done);
    // Who gets the slot has its request sent in this turn, too.
    const bool released = done && sent == Sent::soon;
    if (released) upstream_done(step.consumed);
    if (sent == Sent::soon) sent = co_await client_->await_sent();
    const bool kept = sent == Sent::blocked && keep_output(done);
    if (done) {
      if (!released) upstream_done(step.consumed);
    } else if (ticket_.answered == Time{}) {
      ticket_.answered = Clock::now();  // the client's pace in reading the rest is not the API's latency
    }
    Failure failure = failure_of(sent);
    if (sent == Sent::blocked && !kept) failure = co_await await_client();
    if (failure) co_return failure;
    if (done) break;
    if (client_left_) co_return Failure::Kind::client_gone;
    if (stopped()) co_return Failure::Kind::stream_stopped;
    up.in.consume(step.consumed);
    if (net::Pipe* const pipe = body_pipe()) {
      failure = co_await splice_body(*pipe);
      if (failure) co_return failure;
      if (up.read_error()) continue;
    }

    arm(Clock::now(), settings_->config.timeouts.response);
    download_block_.prepare(up, settings_->flow_memory());
    up.start_read(net::kBlockSize);
    co_await up.wait_read();
  }
  if (client_->unsent() == 0) co_return Failure();
  const Failure failure = co_await deliver_kept();
  co_return failure;
}

/// Who forwards a response adds the time that it lacks (RFC 9110, section 6.6.1). Empty: it has one.
std::string_view Exchange::missing_date() {
  return response_.has(http::FieldName::date) ? std::string_view() : worker_.http_date();
}

/// For the body of a plain response whose length is known, as long as there is much of it. Null: it is read and
/// written.
net::Pipe* Exchange::body_pipe() {
  if (net::Pipe::part_of(download_.remaining()) == 0 || !upstream_->stream.can_splice()) return nullptr;
  return client_->pipe(settings_->flow_memory());
}

/// The body goes from socket to socket within the kernel. Ends early if no more comes: the caller finds why.
net::Task<Failure> Exchange::splice_body(net::Pipe& pipe) {
  net::Stream& up = upstream_->stream;
  download_block_.end(up);
  while (const std::uint64_t part = net::Pipe::part_of(download_.remaining())) {
    arm(Clock::now(), settings_->config.timeouts.response);
    up.start_splice(pipe, part);
    co_await up.wait_read();
    if (up.read_error()) break;
    download_.pass_over(pipe.held());
    bytes_out_ += pipe.held();
    const Sent sent = client_->flush();
    Failure failure = failure_of(sent);
    if (sent == Sent::blocked && !keep_output(false)) failure = co_await await_client();
    if (failure) co_return failure;
  }
  co_return Failure();
}

/// What the API says of its load. Of its failures it is unknown what the request would have needed the database for.
void Exchange::take_load_report() {
  auto report = admission::parse_load_report(response_.load_report);
  if (!report) return;
  if (response_.status >= 500) report->request_used_database.reset();
  report->client_error = response_.status >= 400;
  permit_->report(*report);
}

/// The answer lasts: it leaves the slots for the streams, and a drain ends it last. It keeps its slot if there are too
/// many streams: the API has answered, and to take the answer away would help nobody.
void Exchange::begin_stream() {
  lasts_ = true;
  SlotHolder::leave();
  slot_taken_back_ = false;
  pace_ = Pace(settings_->config.limits.min_rate, kPaceMean);
  ticket_.answered = Clock::now();
  permit_->begin_stream(ticket_.answered);
  forget_request();
  client_->lasts();
}

/// The API has done its part: its connection and its slot are free, in this order, however slowly the client reads.
void Exchange::upstream_done(std::size_t consumed) {
  SlotHolder::leave();
  upstream_->stream.in.consume(consumed);
  return_upstream();
  permit_->complete(completion());
  permit_->release(answered_);
}

/// What an answer says of the API. How long one took that did not wait for the whole request says nothing.
admission::Completion Exchange::completion() const {
  const int status = response_.status;
  if (api_sheds_) return admission::Completion::shed;
  // One client asks too often (RFC 6585). Such an answer is cheap: its latency is none of a request that was served.
  if (status == 429) return admission::Completion::rate_limited;
  if (status >= 500) return admission::Completion::dropped;
  if (lasts_) return admission::Completion::stream;
  return client_->body_complete() ? admission::Completion::success : admission::Completion::ignore;
}

// --- A client that does not take all at once -------------------------------------------------------------------------

/// The rest may take long, and is the client's affair: keeps what the log tells of the request, and gives the memory of
/// its head back.
void Exchange::forget_request() {
  if (!output_.empty() || !received_) return;  // the API is still sent the head; or there is none
  if (method_.data() != line_.data()) {
    const std::size_t method_size = method_.size();
    std::string line;
    line.reserve(method_size + target_.size());
    line.append(method_).append(target_);
    line_ = std::move(line);
    method_ = std::string_view(line_).substr(0, method_size);
    target_ = std::string_view(line_).substr(method_size);
  }
  if (request_.http2) client_->release_head();  // over HTTP/1 it stands in a block that the connection needs anyway
  to_upstream_ = std::string();
  if (request_.fields.capacity() > kFieldsKept) request_.fields = std::vector<http::Field>();
}

std::size_t Exchange::memory() const {
  return to_upstream_.capacity() + line_.capacity() + own_response_.body.capacity() + preflight_headers_.capacity() +
         (request_.fields.capacity() + response_.fields.capacity()) * sizeof(http::Field);
}

/// Keeps in memory what the client has not taken. False: there is no memory for it. The last piece is always kept,
/// because that releases the API.
bool Exchange::keep_output(bool last) {
  const std::uint64_t all = settings_->config.limits.buffered;
  const bool fits = client_->unsent() + download_.remaining() <= kKeptMax;
  return client_->keep(fits ? all - all / kLeftForRequests : 0, last);
}

/// Waits for the client while the exchange keeps its slot, because there is no memory left to keep more of the
/// response. The client must keep `limits.min_rate`.
net::Task<Failure> Exchange::await_client() {
  const Duration patience = settings_->config.timeouts.response;
  forget_request();
  const bool has_slot = ticket_.state == admission::Request::State::admitted;
  if (has_slot && !holds_slot()) hold_slot_for_client();
  Time now = Clock::now();
  Time moved = now;
  taken_ = client_->taken();
  pace_.begin(now);
  tempo.begin(now);
  Failure failure;
  for (;;) {
    arm(now, std::min(patience - (now - moved), pace_.left(now)));
    co_await client_->wait_writable();
    now = Clock::now();
    const std::uint64_t before = taken_;
    look(now);
    if (taken_ != before) moved = now;
    const Sent sent = client_->flush();
    failure = failure_of(sent);
    if (!failure && slot_taken_back_) co_return Failure::Kind::client_slow;
    if (!failure && stopped()) co_return Failure::Kind::stream_stopped;
    if (sent != Sent::blocked || keep_output(false)) break;
    if (pace_.left(now) == Duration::zero()) co_return Failure::Kind::client_slow;
    if (now - moved >= patience) co_return Failure::Kind::client_gone;
  }
  pace_.end(0, now);
  tempo.end(0, now);
  co_return failure;
}

/// What the client has taken since the last look. The system takes more than the client has, so it is asked.
void Exchange::look(Time now) {
  if (!response_started_) return;  // an upload is looked at as it comes
  const std::uint64_t taken = client_->taken();
  const std::uint64_t more = taken - std::exchange(taken_, taken);
  pace_.moved(more, now);
  tempo.moved(more, now);
}

/// Sends what was kept. The API is done, and no slot is held.
net::Task<Failure> Exchange::deliver_kept() {
  forget_request();
  while (client_->unsent() > 0) {
    const std::size_t before = client_->unsent();
    arm(Clock::now(), settings_->config.timeouts.response);
    co_await client_->wait_writable();
    const bool stuck = timed_out_ && client_->unsent() == before;
    if (stuck || client_->flush() == Sent::failed) co_return Failure::Kind::client_gone;
  }
  co_return Failure();
}

/// The client takes no more for now: sends the rest as it does.
net::Task<Failure> Exchange::flush_client() {
  Sent sent = Sent::blocked;
  while (sent == Sent::blocked) {
    arm(Clock::now(), settings_->config.timeouts.response);
    co_await client_->wait_writable();
    sent = client_->flush();
    if (sent == Sent::blocked && timed_out_) co_return Failure::Kind::client_gone;
  }
  co_return failure_of(sent);
}

// --- The proxy's own answers -----------------------------------------------------------------------------------------

/// Ends an exchange that failed. Tells the client unless a part of a response has been sent.
net::Task<> Exchange::answer(Failure failure) {
  over_ = true;
  if (upstream_) drop_upstream();
  if (ending_ && received_ && !lasts_ && cut_by_stop(failure.kind)) {
    failure = Failure::refused(admission::Reason::draining);
  }
  if (permit_ && !concerns_api(failure.kind)) permit_->complete(admission::Completion::ignore);
  permit_.reset();
  if (preflight_ && failure.kind == Failure::Kind::refused) failure = Failure::Kind::preflight;
  if (failure.kind == Failure::Kind::refused) refused_for_ = failure.reason;
  if (failure.violation) rule_ = failure.violation.rule;
  Answer answer = answer_to(failure, settings_->config.refusals);
  if (response_started_ || answer.status == 0) {
    account(response_started_ ? response_.status : 0, answer.outcome, answer.reason);
    client_->reset();
    co_return;
  }

  make_own_response(failure, answer);
  bytes_out_ = own_response_.body.size();
  // Close after a malformed or timed-out request.
  const bool faulty = failure.kind == Failure::Kind::bad_request || failure.kind == Failure::Kind::client_timeout ||
                      failure.kind == Failure::Kind::client_slow;
  // What may have reached the API is not for sure done elsewhere only.
  const bool untouched = !request_written_ && retries_ == 0;
  const bool draining =
      untouched && failure.kind == Failure::Kind::refused && failure.reason == admission::Reason::draining;
  client_->write_head(own_response_.head,
                      {.request_id = request_id_, .made_here = true, .faulty = faulty, .draining = draining});
  Sent sent = client_->write_body(own_response_.body, true);
  if (sent == Sent::soon) sent = co_await client_->await_sent();
  Failure gone = failure_of(sent);
  if (sent == Sent::blocked) {
    forget_request();
    gone = co_await flush_client();
  }
  if (gone && !ending_) answer = answer_to(gone);
  account(answer.status, answer.outcome, answer.reason);
  gone ? client_->reset() : client_->finish();
}

void Exchange::make_own_response(const Failure& failure, const Answer& answer) {
  if (!received_ && request_id_.empty()) request_id_ = text::view(worker_.ids().request_id());
  OwnResponseContext context;
  context.request_id = request_id_;
  context.date = worker_.http_date();
  context.head_method = received_ && request_.head_method;
  context.wants_html = wants_html_;
  context.may_repeat = received_ && (request_.head_method || method_ == "GET");
  context.origin = origin_;
  context.exposed = settings_->cors_exposed;
  if (failure.kind == Failure::Kind::refused) {
    if (failure.reason == admission::Reason::maintenance) {
      context.retry_after = settings_->maintenance_retry_after_seconds;
      context.detail = settings_->config.maintenance.message;
    } else if (ticket_.state == admission::Request::State::refused) {
      context.retry_after = ticket_.retry_after;
    } else {
      context.retry_after = worker_.shared().gate.retry_after();
    }
  }
  if (failure.kind == Failure::Kind::last_hop) {
    own_response_.make_options(context);
  } else if (failure.kind == Failure::Kind::preflight) {
    own_response_.make_preflight(preflight_headers_, context);
  } else if (failure.kind == Failure::Kind::refused) {
    own_response_.make_refusal(answer, settings_->config.refusals.of(failure.reason), context);
  } else {
    own_response_.make_problem(answer, context);
  }
}

}  // namespace spillway::relay
