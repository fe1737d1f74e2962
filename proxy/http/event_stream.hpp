#pragma once

#include "proxy/http/message.hpp"

namespace spillway::http {

/// Whether a request asks for a long-lived response: an upgrade to websocket, or `Accept` with `text/event-stream`
/// only, as browsers' EventSource sends it. A client that also accepts other types may get an ordinary response.
bool asks_for_stream(const RequestHead& request);

/// Whether a response is a stream of server-sent events: 2xx, `Content-Type: text/event-stream`, of unknown length.
bool is_event_stream(const ResponseHead& response);

}  // namespace spillway::http
