// The stages of an exchange that go towards the API.

#include "proxy/http1/writer.hpp"
#include "proxy/net/connect.hpp"
#include "proxy/relay/session.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
/// A connect that failed for want of something here, a local port or memory, says nothing of the API.
bool own_shortage(net::error_code error) {
  return error == boost::system::errc::address_not_available || error == net::asio::error::no_descriptors ||
         error == boost::system::errc::too_many_files_open_in_system || error == net::asio::error::no_buffer_space ||
         error == net::asio::error::no_memory;
}
}  // namespace

/// Writes the request anew. The client's head ends here.
Failure Session::prepare_request() {
  Exchange& x = *x_;
  http::Forwarding forwarding;
  forwarding.client_address = peer_;
  forwarding.trusted_peer = x.trusted_peer;
  forwarding.emit_forwarded = x.settings->config.forwarded_header;
  forwarding.request_id = x.request_id;
  forwarding.traceparent = telemetry::view(x.traceparent);
  if (x.ticket.deadline != Time::max()) {
    const auto left = std::chrono::floor<std::chrono::milliseconds>(x.ticket.deadline - x.ticket.admitted);
    forwarding.time_left = std::max(left, std::chrono::milliseconds(1));
  }
  http::write_request(x.request, forwarding, x.to_upstream);
  x.method = std::string_view(x.to_upstream).substr(0, x.method.size());
  const std::size_t target_size = x.target.size() + (x.target.front() == '?' ? 1 : 0);  // a `/` was put before it
  x.target = std::string_view(x.to_upstream).substr(x.method.size() + 1, target_size);

  client_.in.consume(x.head_size);
  x.head_size = 0;
  return decode_upload();  // what has come while it waited for its slot
}

/// Head and body to the API, and the response's head back.
net::Task<Failure> Session::forward(bool fresh) {
  x_->request_written = x_->upload_cut = false;
  Failure failure;
  if (fresh || !reuse_connection()) failure = co_await connect();
  if (!failure) failure = send_head();
  while (!failure) {
    if (!x_->upload.done() || !x_->output.empty()) failure = co_await upload();
    if (!failure) failure = co_await read_response_head();
    if (failure || !x_->response.informational() || switches_protocol()) break;
    failure = co_await pass_on_informational();
  }
  if (!failure) co_return failure;

  // Sent again only where nothing can happen twice: a kept connection closed before a byte of an answer, and
  // either nothing was written or the method may be repeated and its body is still at hand.
  const bool stale = failure.kind == Failure::Kind::upstream_closed && upstream_->reused;
  const bool whole_body_here = x_->upload.done() && x_->bytes_in == x_->upload_payload;
  failure.may_retry = stale && !fresh && (!x_->request_written || (x_->request.idempotent && whole_body_here));
  if (upstream_) drop_upstream();
  co_return failure;
}

bool Session::reuse_connection() {
  upstream_ = worker_.upstream().take_idle();
  // What cannot be sent again is not sent into a connection that is closed already.
  if (upstream_ && !x_->request.idempotent && upstream_->stream.stale()) drop_upstream();
  if (!upstream_) return false;
  upstream_->stream.observe(this);
  return true;
}

net::Task<Failure> Session::connect() {
  telemetry::WorkerCounters& counters = worker_.counters();
  net::error_code error;
  const upstream::Endpoint& endpoint = worker_.shared().endpoint;
  upstream_ = worker_.upstream().open(endpoint, worker_.executor(), error);
  if (!upstream_) {
    if (error) worker_.out_of_descriptors();
    co_return Failure::refused(admission::Reason::upstream_connections);
  }
  if (upstream_->beyond_limit) would_refuse(admission::Reason::upstream_connections);
  counters.upstream_connects.add();
  timed_out_ = false;
  if (!error) {
    arm(Clock::now(), x_->settings->config.upstream.connect_timeout);
    error = co_await net::connect(&upstream_->stream.socket(), endpoint, &timed_out_);
  }
  if (error) {
    if (error == net::asio::error::operation_aborted && !timed_out_) {  // the client went away
      drop_upstream();
      co_return Failure::Kind::client_gone;
    }
    counters.upstream_connect_failures.add();
    const bool late = timed_out_;
    x_->permit->complete(late                  ? admission::Completion::connect_timeout
                         : own_shortage(error) ? admission::Completion::ignore
                                               : admission::Completion::unreachable);
    drop_upstream();
    co_return late ? Failure::Kind::connect_timeout : Failure::Kind::connect_failed;
  }
  x_->permit->reached();
  upstream_->stream.start_read(net::kBlockSize);
  upstream_->stream.observe(this);
  co_return Failure();
}

/// The head, with the part of the body that came with it. What the socket does not take at once goes with the upload.
/// Whoever cannot have the answer in time any more is not sent on.
Failure Session::send_head() {
  Exchange& x = *x_;
  x.sent = x.ticket.sent = Clock::now();
  if (x.sent >= x.ticket.deadline) {
    if (x.settings->enforces()) return Failure::refused(admission::Reason::deadline);
    would_refuse(admission::Reason::deadline);
  }
  arm(x.sent, x.settings->config.timeouts.response);
  x.output = {};
  x.output.add(x.to_upstream);
  gather_upload();
  write_upstream();
  return {};
}

/// The payload at hand, framed for the API.
void Session::gather_upload() {
  Exchange& x = *x_;
  const std::string_view payload(client_.in.data(), x.upload_payload);
  if (x.request.framing != http::Framing::chunked) return x.output.add(payload);
  x.chunk.clear();
  if (!payload.empty()) {
    http::write_chunk_size(payload.size(), x.chunk);
    x.output.add(x.chunk);
    x.output.add(payload);
  }
  x.output.add(http::chunk_end(payload.size(), x.upload.done()));
}

/// Writes what the socket takes. A write that fails is no failure yet: the API may have answered before it
/// stopped reading.
void Session::write_upstream() {
  Exchange& x = *x_;
  net::error_code error;
  const std::size_t before = x.output.size();
  upstream_->stream.write_now(x.output, error);
  x.request_written |= x.output.size() != before;
  if (error) x.upload_cut = true;
}

/// Writes all of it, or returns with output left when the API speaks meanwhile.
net::Task<> Session::flush_upstream() {
  Exchange& x = *x_;
  for (write_upstream(); !x.output.empty() && !answered_early(); write_upstream()) {
    const net::error_code error = co_await upstream_->stream.writable();
    if (error == net::asio::error::operation_aborted && !timed_out_) co_return;
    if (error || timed_out_) x.upload_cut = true;
  }
}

/// Whether the API has said something, or will not read on.
bool Session::answered_early() const {
  return x_->upload_cut || !upstream_->stream.reading();
}

void Session::return_upstream() {
  const bool reusable = x_->response.keep_alive && x_->response.framing != http::Framing::until_close &&
                        x_->upload.done() && !x_->upload_cut && upstream_->stream.in.empty() &&
                        !upstream_->stream.reading();
  if (!reusable) return drop_upstream();
  worker_.upstream().give(std::move(upstream_), x_->answered);
}

void Session::drop_upstream() {
  upstream_->stream.observe(nullptr);
  worker_.upstream().discard(std::move(upstream_));
}

}  // namespace spillway::relay
