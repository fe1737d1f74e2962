#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proxy/http/message.hpp"
#include "proxy/http1/body_decoder.hpp"
#include "proxy/http1/head_scanner.hpp"
#include "proxy/relay/failure.hpp"
#include "proxy/relay/gate.hpp"
#include "proxy/relay/settings.hpp"
#include "proxy/telemetry/trace_ids.hpp"
#include "proxy/upstream/connection_pool.hpp"

namespace spillway::relay {

/// The state of one request and its response. Workers keep spare ones, so that their strings and vectors
/// are allocated once and an idle connection carries none.
struct Exchange {
  explicit Exchange(net::Executor loop) : ticket(std::move(loop)) {}

  /// Ready for the next request; keeps all capacity.
  void reset(std::shared_ptr<const Settings> current, Time now) {
    settings = std::move(current);
    began = now;
    arrived = sent = answered = {};
    queue_wait = {};
    head_size = 0;
    request_gate.reset();
    response_gate.reset();
    to_upstream.clear();
    to_client.clear();
    method = target = {};
    class_index = 0;
    trusted_peer = client_stays = false;
    request_id.clear();
    parsed = response_started = request_written = upload_cut = false;
    held = upload_payload = ahead = 0;
    bytes_in = bytes_out = 0;
    retries = 0;
    permit.reset();
    would_refuse.reset();
    ticket.state = admission::Request::State::fresh;
    ticket.shadow_refused = false;
    ticket.in_flight = ticket.limit = 0;
    ticket.key = 0;
    ticket.deadline = Time::max();
    ticket.sent = ticket.answered = {};
    output = {};
  }

  std::shared_ptr<const Settings> settings;
  Time began{}, arrived{}, sent{}, answered{};
  Duration queue_wait{};

  // Client to API.
  http::HeadGate request_gate{http::HeadGate::Kind::request};
  http::RequestHead request;  ///< its views are good until the head is consumed
  http::BodyDecoder upload;
  std::string to_upstream;          ///< the head as it goes to the API
  std::string_view method, target;  ///< in the input buffer, later in `to_upstream`
  std::size_t head_size = 0;        ///< bytes of the head at the front of the input buffer, until it is consumed
  std::size_t held = 0;             ///< bytes of input kept for sending again: the whole body
  std::size_t upload_payload = 0;   ///< decoded bytes at the front of the input buffer
  bool request_written = false;     ///< at least a byte of it
  bool upload_cut = false;          ///< the API stopped reading: its answer, if any, is final

  // API to client.
  http::HeadGate response_gate{http::HeadGate::Kind::response};
  http::ResponseHead response;
  std::size_t response_head_size = 0;  ///< bytes of the head at the front of the connection's input buffer
  http::BodyDecoder download;
  std::size_t ahead = 0;                          ///< bytes of the answer that have gone out before it was there
  std::string to_client;                          ///< the head as it goes to the client
  http::Framing delivered = http::Framing::none;  ///< how the body goes to the client
  bool client_stays = false;                      ///< the response told the client that the connection stays open
  bool response_started = false;

  // The request as a whole.
  bool parsed = false;
  int class_index = 0;
  Ticket ticket;
  std::optional<Permit> permit;
  bool trusted_peer = false;
  admission::Reason refused_for = admission::Reason::capacity;
  std::optional<admission::Reason> would_refuse;  ///< after its admission, were the mode `enforce`
  std::string request_id;
  telemetry::Traceparent traceparent{};
  std::uint64_t bytes_in = 0, bytes_out = 0;
  int retries = 0;

  net::Gather output;
  std::string chunk;  ///< size line of the chunk in `output`
};

}  // namespace spillway::relay
