// The stage behind an agreed upgrade, in place of a response's body.

#include "proxy/relay/exchange.hpp"
#include "proxy/relay/tunnel.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
constexpr Duration kUnlimited{};
}

/// The API's connection stays taken until the tunnel has ended; its slot does only where there are too many streams.
net::Task<Failure> Exchange::tunnel() {
  net::Stream& up = upstream_->stream;
  take_load_report();
  // Over HTTP/2 it is a final response.
  client_->write_head(response_, {.request_id = request_id_, .date = request_.http2 ? missing_date() : ""});
  up.in.consume(response_head_size_);
  answered_ = Clock::now();
  begin_stream();
  response_started_ = true;
  ClientStream::Sent sent = client_->write_body({}, false);
  if (sent == ClientStream::Sent::soon) sent = co_await client_->await_sent();
  if (sent == ClientStream::Sent::failed) co_return Failure::Kind::client_gone;
  if (sent == ClientStream::Sent::blocked) {
    const Failure failure = co_await flush_client();
    if (failure) co_return failure;
  }

  const auto& timeouts = settings_->config.timeouts;
  watch_client(ClientStream::Watch::off);
  StreamSide api(up);
  Tunnel tunnel(client_->upgrade(), api, [&] {
    // Once one side has sent its last byte, wait for the other no longer than for a response.
    const bool shorter = tunnel.half_closed() && (timeouts.tunnel == kUnlimited || timeouts.tunnel > timeouts.response);
    const Duration limit = shorter ? timeouts.response : timeouts.tunnel;
    if (limit != kUnlimited) arm(Clock::now(), limit);
  });
  arm(answered_, timeouts.tunnel);
  if (timeouts.tunnel == kUnlimited) disarm();
  co_await tunnel.run();
  tunnel_ended(tunnel);
  co_return Failure();
}

void Exchange::tunnel_ended(const Tunnel& tunnel) {
  tunneled_in_ = tunnel.from_client();
  bytes_out_ += tunnel.from_upstream();
  permit_.reset();
  const bool stopped = timed_out_ || ending_;
  const bool clean = tunnel.complete() || (stopped && !tunnel.has_unsent());
  if (!clean) upstream_->stream.reset();
  drop_upstream();
  std::string_view reason;
  if (!tunnel.complete()) reason = ending_ ? "draining" : stopped ? "tunnel_idle" : "tunnel_cut";
  account(response_.status, telemetry::Outcome::ok, reason);
  clean ? client_->finish() : client_->reset();
}

}  // namespace spillway::relay
