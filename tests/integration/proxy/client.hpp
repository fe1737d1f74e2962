#pragma once

#include <string>
#include <string_view>

#include "tests/support/wire.hpp"

namespace spillway::test {

using support::count_fields;
using support::End;
using support::field_of;
using support::read_body;
using support::Wire;

class Proxy;

struct Reply {
  int status = 0;      ///< 0: no head came
  std::string head;    ///< status line and fields
  std::string body;    ///< without its framing
  bool whole = false;  ///< the body is complete

  std::string field(std::string_view name) const { return field_of(head, name); }
  bool has(std::string_view name) const { return count_fields(head, name) > 0; }
  /// A text member of the problem in the body.
  std::string problem(std::string_view member) const;
};

/// A client for valid and invalid requests.
class Client {
 public:
  explicit Client(const Proxy& proxy);
  explicit Client(int port) : wire_(Wire::tcp(port)) {}
  explicit Client(Wire wire) : wire_(std::move(wire)) {}

  bool send(std::string_view raw) { return wire_.send(raw); }
  /// Sends a whole request. A request with a body has a Content-Length.
  void start(std::string_view method, std::string_view target, std::string_view fields = {},
             std::string_view body = {});
  /// The next response, interim ones (1xx) included. `to_head`: it has no body, whatever length it announces.
  Reply receive(bool to_head = false);
  Reply request(std::string_view method, std::string_view target, std::string_view fields = {},
                std::string_view body = {});
  Reply get(std::string_view target, std::string_view fields = {}) { return request("GET", target, fields); }
  /// Waits until the connection ends, and returns how; `none` if a byte came before that.
  End ended();
  void close() { wire_.close(); }
  Wire& wire() { return wire_; }

 private:
  Wire wire_;
};

/// `body` as one chunk for each `piece` bytes, and the last chunk.
std::string chunked(std::string_view body, std::size_t piece = 1000);
/// Numbered lines: a lost, doubled or swapped byte changes the text.
std::string pattern(std::size_t size);

}  // namespace spillway::test
