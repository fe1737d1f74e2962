#pragma once

#include <string>
#include <string_view>

#include "proxy/http/forwarding.hpp"
#include "proxy/http/message.hpp"

namespace spillway::http {

/// Appends a new request head for the API: the fields of http/forwarding, and the framing as the proxy understood it
/// (Content-Length or chunked).
void write_request(const RequestHead& head, const Forwarding& forwarding, std::string& out);

/// How a response goes to the client.
struct Delivery {
  int client_minor = 1;              ///< of the client's HTTP/1.x; 1.0 has neither chunks nor 1xx
  bool keep_alive = true;            ///< false writes `Connection: close`
  Framing framing = Framing::none;   ///< of the body as it goes to the client
  std::string_view request_id = {};  ///< written as X-Request-ID, unless empty
  std::string_view date = {};        ///< written as Date, unless empty: of a response without one
  bool made_here = false;            ///< the proxy itself answers: no `Via`
};

/// Appends a new response head for the client, without hop-by-hop fields and the load report, and with `Via`. `Server`,
/// and `Date` if there is one, stay as the API sent them.
void write_response(const ResponseHead& head, const Delivery& delivery, std::string& out);

/// How the body goes to a client: with its length if the API sent one; otherwise chunked to a 1.1 client, and up to the
/// close of the connection to a 1.0 client.
Framing delivery_framing(const ResponseHead& head, int client_minor);

/// Longest chunk-size line that `write_chunk_size` appends, with its CRLF.
inline constexpr std::size_t kChunkSizeMax = 18;
void write_chunk_size(std::size_t size, std::string& out);
/// What follows a chunk of `size` bytes. `size` 0: there is no chunk. `last`: the body ends here.
inline std::string_view chunk_end(std::size_t size, bool last) {
  if (last) return size ? "\r\n0\r\n\r\n" : "0\r\n\r\n";
  return size ? "\r\n" : "";
}

}  // namespace spillway::http
