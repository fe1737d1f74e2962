#include "proxy/http/event_stream.hpp"

namespace spillway::http {

namespace {

/// Whether a media type, with or without parameters, is that of server-sent events.
bool names_event_stream(std::string_view value) {
  std::string_view type = value.substr(0, value.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return equals_lower(type, "text/event-stream") && value.find(',') == std::string_view::npos;
}

}  // namespace

bool asks_for_stream(const RequestHead& request) {
  return request.upgrade_websocket || names_event_stream(request.field("accept"));
}

bool is_event_stream(const ResponseHead& response) {
  const bool open_ended = response.framing == Framing::chunked || response.framing == Framing::until_close;
  const bool success = response.status >= 200 && response.status < 300;
  return open_ended && success && names_event_stream(response.field("content-type"));
}

}  // namespace spillway::http
