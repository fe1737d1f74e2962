#pragma once

#include "proxy/http/message.hpp"

namespace spillway::http {

/// Whether a request asks for an answer that lasts: an upgrade to websocket, or `Accept: text/event-stream` and nothing
/// else, as browsers' EventSource sends it. A client that accepts other types, too, may get an ordinary answer.
bool asks_for_stream(const RequestHead& request);

/// Whether a response is a stream of server-sent events: 2xx, `Content-Type: text/event-stream`, of unknown length.
bool is_event_stream(const ResponseHead& response);

}  // namespace spillway::http
