#include "proxy/net/timed_stream.hpp"

namespace net {

Task<error_code> TimedStream::connect(Transport::Endpoint endpoint, std::shared_ptr<const tls::ClientContext> tls) {
  const std::shared_ptr<State> state = state_;
  error_code error;
  const bool opened = state->transport.open(endpoint, error);
  if (!opened || error) co_return error;
  error = co_await state->transport.connect(endpoint, &state->timed_out);
  if (!error && tls) {
    auto session = tls->connect();
    if (!session) co_return asio::error::no_memory;
    state->transport.secure(std::move(session));
    error = co_await state->transport.handshake();
  }
  if (state->timed_out) error = asio::error::timed_out;
  co_return error;
}

}  // namespace net
