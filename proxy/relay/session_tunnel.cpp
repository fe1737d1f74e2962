// The stage behind an agreed upgrade, in place of a response's body.

#include "proxy/http1/writer.hpp"
#include "proxy/relay/session.hpp"
#include "proxy/relay/tunnel.hpp"
#include "proxy/relay/worker.hpp"

namespace spillway::relay {

namespace {
constexpr Duration kUnlimited{};
}

bool Session::switches_protocol() const {
  return x_->response.status == 101 && x_->request.upgrade_websocket;
}

/// The slot and the API's connection stay taken until the tunnel has ended.
net::Task<Session::After> Session::tunnel() {
  Exchange& x = *x_;
  net::Stream& up = upstream_->stream;
  if (const auto report = admission::parse_load_report(x.response.load_report)) x.permit->report(*report);
  http::write_response(x.response, {x.request.minor, true, http::Framing::none, x.request_id}, x.to_client);
  up.in.consume(x.response_head_size);
  x.answered = Clock::now();
  x.response_started = true;
  x.output = {};
  x.output.add(x.to_client);
  Failure failure;
  if (!write_client(failure)) failure = co_await flush_client();
  if (failure) {
    const After after = co_await answer(failure);
    co_return after;
  }

  const auto& timeouts = x.settings->config.timeouts;
  Tunnel tunnel(client_, up, [&] {
    // Once one side has said its last, the other is waited for no longer than for a response.
    const bool shorter = tunnel.half_closed() && (timeouts.tunnel == kUnlimited || timeouts.tunnel > timeouts.response);
    const Duration limit = shorter ? timeouts.response : timeouts.tunnel;
    if (limit != kUnlimited) arm(Clock::now(), limit);
  });
  arm(x.answered, timeouts.tunnel);
  if (timeouts.tunnel == kUnlimited) disarm();
  worker_.session_tunnels(*this);
  co_await tunnel.run();
  worker_.session_busy(*this);
  client_.observe(this);
  co_return tunnel_ended(tunnel);
}

Session::After Session::tunnel_ended(const Tunnel& tunnel) {
  Exchange& x = *x_;
  x.bytes_in += tunnel.from_client();
  x.bytes_out += tunnel.from_upstream();
  // How long it took says nothing about how the API is doing.
  x.permit->complete(admission::Completion::ignore);
  x.permit.reset();
  const bool stopped = timed_out_ || ending_;
  const bool clean = tunnel.complete() || (stopped && !tunnel.owes());
  if (!clean) upstream_->stream.reset();
  drop_upstream();
  std::string_view reason;
  if (!tunnel.complete()) reason = ending_ ? "draining" : stopped ? "tunnel_idle" : "tunnel_cut";
  account(x.response.status, telemetry::Outcome::ok, reason);
  if (!clean) return After::reset;
  ending_ = false;  // there is a moment left for the client to read what it was sent
  return tunnel.complete() ? After::close : After::linger;
}

}  // namespace spillway::relay
