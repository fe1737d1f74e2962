// The stages of an exchange that go towards the client.

#include "proxy/http1/parse.hpp"
#include "proxy/http1/writer.hpp"
#include "proxy/relay/session.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
/// A body of at most this size is read to its end after a refusal, so that the connection can go on.
constexpr std::uint64_t kDrainMax = 64 * 1024;
/// How long a closed connection is read on, so that the client gets to see the answer instead of a reset.
constexpr Duration kLinger = std::chrono::seconds(2);
/// Payload up to here is copied behind the head: one plain send costs less than a gathered one.
constexpr std::size_t kCopiedMax = 2 * 1024;

/// Whether a failure after admission says anything of how the API does.
bool concerns_api(Failure::Kind kind) {
  return kind != Failure::Kind::refused && kind != Failure::Kind::bad_request && kind != Failure::Kind::client_gone &&
         kind != Failure::Kind::client_timeout && kind != Failure::Kind::client_slow;
}
}  // namespace

/// The next head of the API, which may be an informational one. Nothing of it is passed on yet.
net::Task<Failure> Session::read_response_head() {
  Exchange& x = *x_;
  net::Stream& up = upstream_->stream;
  for (;;) {
    const http::HeadGate::Result head = x.response_gate.scan(up.in.view(), x.settings->response_head);
    if (head.violation) co_return Failure::response_invalid(head.violation);
    if (head.complete) {
      const std::string_view bytes = up.in.view().substr(head.begin, head.end - head.begin);
      const http::Violation violation =
          http::parse_response(bytes, x.settings->response_head, x.request.head_method, x.response);
      if (violation) co_return Failure::response_invalid(violation);
      x.response_head_size = head.end;
      co_return Failure();
    }
    if (!up.reading()) {
      if (up.read_error() || timed_out_) co_return read_failure(up.in.empty());
      up.start_read();
    }
    // Who goes away is noticed while the answer is awaited, if that is to end the request.
    const bool watched = x.settings->config.upstream.when_client_leaves == WhenClientLeaves::cancel;
    if (watched && x.upload.done() && x.output.empty() && client_.in.size() == x.held) client_.start_read();
    co_await up.settle();
  }
}

/// Why no more of a response comes.
Failure Session::read_failure(bool nothing_came) const {
  if (timed_out_) return Failure::Kind::response_timeout;
  if (upstream_->stream.read_error() == net::asio::error::operation_aborted) return Failure::Kind::client_gone;
  return nothing_came ? Failure::Kind::upstream_closed : Failure::Kind::response_cut;
}

/// 1xx go on to clients of 1.1, but 100, which the proxy has said itself.
net::Task<Failure> Session::pass_on_informational() {
  Exchange& x = *x_;
  if (x.response.status == 101)
    co_return Failure::response_invalid({502, "101 to a request that asked for no upgrade"});
  Failure failure;
  if (x.response.status != 100 && x.request.minor == 1) {
    const net::Gather upload_left = x.output;
    x.to_client.clear();
    http::write_response(x.response, {x.request.minor, true, http::Framing::none, x.request_id}, x.to_client);
    x.output = {};
    x.output.add(x.to_client);
    failure = co_await flush_client();
    x.output = upload_left;
  }
  net::Stream& up = upstream_->stream;
  up.in.consume(x.response_head_size);
  x.response_gate.reset();
  x.to_client.clear();
  if (up.in.empty()) up.start_read();
  co_return failure;
}

/// Whether another request may follow on the client's connection, for all that the proxy has to do with it.
bool Session::may_stay() const {
  return x_->request.keep_alive && x_->settings->config.timeouts.keep_alive > Duration::zero() && !worker_.draining() &&
         !ending_;
}

/// The response's head, written anew, and its body as it comes.
net::Task<Failure> Session::relay_response() {
  Exchange& x = *x_;
  net::Stream& up = upstream_->stream;
  x.download = http::BodyDecoder(x.response.framing, x.response.content_length, 0);
  x.delivered = http::delivery_framing(x.response, x.request.minor);
  x.client_stays = may_stay() && x.upload.done() && x.delivered != http::Framing::until_close;
  if (const auto report = admission::parse_load_report(x.response.load_report)) x.permit->report(*report);
  http::write_response(x.response, {x.request.minor, x.client_stays, x.delivered, x.request_id}, x.to_client);
  up.in.consume(x.response_head_size);

  for (;;) {
    const http::BodyDecoder::Step step = x.download.decode(up.in.data(), up.in.size());
    if (step.violation) co_return Failure::response_invalid(step.violation);
    // Only a proper close ends a body that has no other end: a reset, or silence, has cut it.
    const bool ended = !up.reading() && up.read_error();
    const bool closed = ended && up.read_error() == net::asio::error::eof;
    const bool done = x.download.done() || (closed && x.download.complete_at_eof());
    if (ended && !done) co_return read_failure(false);

    x.bytes_out += step.payload;
    gather_download({up.in.data(), step.payload}, done);
    if (done) x.answered = Clock::now();
    x.response_started = true;
    Failure failure;
    bool passed_on = backlog_.empty() && write_client(failure);
    if (!passed_on) passed_on = keep_output(done);
    if (done) {
      // The API has done its part: its connection and its slot are free, in this order, however slowly the client
      // reads.
      SlotHolder::leave();
      up.in.consume(step.consumed);
      return_upstream();
      x.permit->complete(completion());
      x.permit->release(x.answered);
    } else if (x.ticket.answered == Time{}) {
      x.ticket.answered = Clock::now();  // how fast the client reads the rest says nothing of the API
    }
    if (!passed_on) failure = co_await await_client();
    if (failure) co_return failure;
    if (done) break;
    up.in.consume(step.consumed);
    x.to_client.clear();

    arm(Clock::now(), x.settings->config.timeouts.response);
    up.start_read(net::kBlockSize);
    co_await up.settle();
  }
  const Failure failure = co_await deliver_backlog();
  co_return failure;
}

/// What an answer says of the API. How long one took that did not wait for the whole request says nothing.
admission::Completion Session::completion() const {
  const int status = x_->response.status;
  // An API that says when to come back is well, and has more to do than it can.
  if ((status == 503 || status == 429) && !x_->response.field("retry-after").empty())
    return admission::Completion::shed;
  if (status >= 500) return admission::Completion::dropped;
  return x_->upload.done() ? admission::Completion::success : admission::Completion::ignore;
}

/// A piece of the body, framed for the client, behind the head if that has not gone out yet.
void Session::gather_download(std::string_view payload, bool last) {
  Exchange& x = *x_;
  const bool chunked = x.delivered == http::Framing::chunked;
  const std::string_view end = chunked ? http::chunk_end(payload.size(), last) : std::string_view();
  if (chunked && !payload.empty()) http::write_chunk_size(payload.size(), x.to_client);
  x.output = {};
  if (payload.size() <= kCopiedMax) {
    x.to_client += payload;
    x.to_client += end;
    x.output.add(x.to_client);
  } else {
    x.output.add(x.to_client);
    x.output.add(payload);
    x.output.add(end);
  }
}

/// False: the socket is full, `flush_client` waits for it.
bool Session::write_client(Failure& failure) {
  net::error_code error;
  if (x_->ahead > 0) x_->output.consume(std::exchange(x_->ahead, 0));
  const bool done = client_.write_now(x_->output, error);
  if (error) failure = Failure::Kind::client_gone;
  return done || error;
}

net::Task<Failure> Session::flush_client() {
  Failure failure;
  while (!write_client(failure)) {
    arm(Clock::now(), x_->settings->config.timeouts.response);
    flushing_ = true;
    const net::error_code error = co_await client_.writable();
    flushing_ = false;
    if (error) co_return Failure::Kind::client_gone;
  }
  co_return failure;
}

/// Ends an exchange that failed: tells the client, if it still can be told.
net::Task<Session::After> Session::answer(Failure failure) {
  Exchange& x = *x_;
  if (upstream_) drop_upstream();
  if (x.permit && !concerns_api(failure.kind)) x.permit->complete(admission::Completion::ignore);
  x.permit.reset();
  Answer answer = describe(failure);
  if (x.response_started || answer.status == 0) {
    account(x.response_started ? x.response.status : 0, answer.outcome, answer.reason);
    co_return x.response_started ? After::reset : After::close;
  }

  // Of whoever sent something wrong, or nothing, no more is expected.
  const bool faulty = failure.kind == Failure::Kind::bad_request || failure.kind == Failure::Kind::client_timeout ||
                      failure.kind == Failure::Kind::client_slow;
  const bool stays = x.parsed && !faulty && may_stay() && request_body_is_small();
  if (!x.parsed && x.request_id.empty()) x.request_id = telemetry::view(worker_.ids().request_id());
  ProblemContext context;
  context.request_id = x.request_id;
  context.date = worker_.http_date();
  context.keep_alive = stays;
  context.head_method = x.parsed && x.request.head_method;
  if (failure.kind == Failure::Kind::refused) {
    x.refused_for = failure.reason;
    if (failure.reason == admission::Reason::maintenance) {
      context.retry_after = x.settings->maintenance_retry_after_seconds;
      context.detail = x.settings->config.maintenance.message;
    } else if (x.ticket.state == admission::Request::State::refused) {
      context.retry_after = x.ticket.retry_after;
    } else {
      context.retry_after = worker_.shared().gate.retry_after();
    }
  }
  x.to_client.clear();
  if (failure.kind == Failure::Kind::last_hop) {
    write_options(context, x.to_client);
  } else {
    write_problem(answer, context, x.to_client);
  }
  x.output = {};
  x.output.add(x.to_client);
  Failure gone;
  if (!write_client(gone)) gone = co_await flush_client();
  if (gone) answer = describe(gone);
  account(answer.status, answer.outcome, answer.reason);
  shrink_input();  // not before: method and target of the log line are still in there
  if (gone) co_return After::close;
  if (!stays) co_return After::linger;
  if (x.upload.done()) co_return After::keep_alive;
  const bool drained = co_await drain_request_body();
  co_return drained ? After::keep_alive : After::close;
}

/// Takes what has come of an unread body out of the input; whether the rest is worth reading to its end.
/// Who waits for a 100 may never send the rest, so where the next request begins cannot be told.
bool Session::request_body_is_small() {
  Exchange& x = *x_;
  client_.in.consume(std::exchange(x.head_size, 0));
  const Failure failure = decode_upload();
  if (failure) return false;
  client_.in.consume(std::exchange(x.held, 0));
  x.upload_payload = 0;
  if (x.upload.done()) return true;
  return x.request.framing == http::Framing::length && !x.request.expect_continue && x.upload.remaining() <= kDrainMax;
}

net::Task<bool> Session::drain_request_body() {
  Exchange& x = *x_;
  arm(Clock::now(), x.settings->config.timeouts.request_body);
  while (!x.upload.done()) {
    if (client_.in.empty()) {  // else it came while the answer was sent
      if (timed_out_) co_return false;
      client_.start_read();
      co_await client_.settle();
      if (client_.in.empty()) co_return false;
    }
    const Failure failure = decode_upload();
    if (failure) co_return false;
    client_.in.consume(std::exchange(x.held, 0));
    x.upload_payload = 0;
  }
  co_return true;
}

net::Task<> Session::linger() {
  client_.shutdown_send();
  arm(Clock::now(), kLinger);
  while (!ending_ && !timed_out_) {
    if (!client_.reading()) client_.in.consume(client_.in.size());
    shrink_input();
    client_.start_read(1);  // into the block there is
    co_await client_.settle();
    if (client_.read_error()) break;
  }
}

}  // namespace spillway::relay
