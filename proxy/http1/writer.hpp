#pragma once

#include <string>
#include <string_view>

#include "proxy/http/forwarding.hpp"
#include "proxy/http/message.hpp"

namespace spillway::http {

/// Appends the request head anew for the API: hop-by-hop and nominated fields removed, framing
/// written from what was understood (Content-Length, or chunked), `Via` and the forwarding fields set.
void write_request(const RequestHead& head, const Forwarding& forwarding, std::string& out);

/// What the proxy decided about the connection to the client.
struct Delivery {
  int client_minor = 1;             ///< version of the client; 1.0 gets neither chunks nor 1xx
  bool keep_alive = true;           ///< false writes `Connection: close`
  Framing framing = Framing::none;  ///< of the body as it goes to the client
  std::string_view request_id;      ///< written as X-Request-ID, unless empty
  bool made_here = false;           ///< by the proxy itself: no `Via`
};

/// Appends the response head anew for the client. Hop-by-hop and nominated fields and the load report are
/// removed; `Server` and `Date` stay as the API sent them; `Via` is set.
void write_response(const ResponseHead& head, const Delivery& delivery, std::string& out);

/// Framing towards a client for a response the API framed as `head` says: chunked bodies and
/// `until_close` ones become chunked for 1.1 clients and close-delimited for 1.0 clients.
Framing delivery_framing(const ResponseHead& head, int client_minor);

/// Longest chunk-size line that `write_chunk_size` appends, with its CRLF.
inline constexpr std::size_t kChunkSizeMax = 18;
void write_chunk_size(std::size_t size, std::string& out);
/// What follows a piece of payload of `size` bytes (0: no chunk was begun), at the end of the body or before it.
inline std::string_view chunk_end(std::size_t size, bool last) {
  if (last) return size ? "\r\n0\r\n\r\n" : "0\r\n\r\n";
  return size ? "\r\n" : "";
}

}  // namespace spillway::http
