#pragma once

#include <string_view>

#include "proxy/admission/reason.hpp"
#include "proxy/config/refusals.hpp"
#include "proxy/http/message.hpp"
#include "proxy/telemetry/labels.hpp"

namespace spillway::relay {

/// Why a request did not get the API's whole answer: what happened, and so whose fault it is.
struct Failure {
  enum class Kind : std::uint8_t {
    none,
    refused,           ///< by admission; `reason` says why
    bad_request,       ///< `violation` of the client, in head or body
    last_hop,          ///< OPTIONS whose `Max-Forwards` ends here: answered by the proxy itself
    preflight,         ///< would have been refused, and its origin is allowed: answered by the proxy itself
    loop,              ///< the request has passed this process before
    client_gone,       ///< closed before the answer was complete
    client_timeout,    ///< body did not come in time
    client_slow,       ///< below limits.min_rate, or slow while others waited for its slot
    connect_failed,    ///< nobody listens, or no route
    tls_failed,        ///< no handshake with the API: a certificate refused, no common version
    connect_timeout,   ///< within upstream.connect_timeout
    upstream_closed,   ///< before a byte of the response
    response_timeout,  ///< no response head, or silence in the body, for timeouts.response
    response_invalid,  ///< `violation` of the API
    response_cut,      ///< ended within its head or body
    stream_stopped,    ///< a stream, cut because the process ends
  };
  Kind kind = Kind::none;
  admission::Reason reason = admission::Reason::capacity;
  http::Violation violation;
  bool may_retry = false;  ///< nothing can happen twice if the request is sent again

  explicit operator bool() const { return kind != Kind::none; }

  Failure() = default;
  Failure(Kind k) : kind(k) {}  // NOLINT: a kind is a failure
  static Failure refused(admission::Reason reason);
  static Failure bad_request(http::Violation violation);
  static Failure response_invalid(http::Violation violation);
};

/// What a failure becomes: the answer, the log field and the metric label. Decided in one place, `answer_to`.
struct Answer {
  int status = 0;          ///< 0: nobody is left to answer
  std::string_view title;  ///< reason phrase, and title of the problem
  std::string_view detail;
  std::string_view reason;        ///< the contract's `reason` of a refusal, else what failed
  std::string_view proxy_status;  ///< error of RFC 9209, section 2.3
  telemetry::Outcome outcome = telemetry::Outcome::upstream_error;
};
Answer answer_to(const Failure& failure);
/// With the status that `refusals` sets for the reason.
Answer answer_to(const Failure& failure, const RefusalsConfig& refusals);

}  // namespace spillway::relay
