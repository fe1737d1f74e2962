#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/message.hpp"

namespace spillway::http2 {

/// A response's head as HPACK takes it: `:status`, then fields in lower case. Reused: keeps its capacity.
class ResponseFields {
 public:
  struct Line {
    std::size_t at = 0, name_size = 0, value_size = 0;
    bool changing = false;  ///< with each response: not worth a place in the table of HPACK
  };

  /// Writes the head anew, without hop-by-hop fields and the load report, and with `Via` unless the proxy answers
  /// itself. `request_id` replaces the API's; may be empty. `date`: of a response without one; empty: none is written.
  void write(const http::ResponseHead& head, std::string_view request_id, bool made_here, std::string_view date = {});

  const std::vector<Line>& lines() const { return lines_; }
  /// Name and value of each line, one behind the other. Good until the next `write`.
  std::string_view text() const { return {text_.data(), size_}; }

  /// Bytes of memory that it takes.
  std::size_t memory() const { return text_.capacity() + lines_.capacity() * sizeof(Line); }
  /// Gives the memory of a large head back. Ends the views.
  void release();

  // Called by http/forwarding.hpp, within `write`.
  void begin_field(std::string_view name);
  template <class... Part>
  void put(const Part&... parts) {
    (append(std::string_view(parts)), ...);
  }
  void end_field() { lines_.back().value_size = size_ - lines_.back().at - lines_.back().name_size; }
  void field(std::string_view name, std::string_view value);
  void number_field(std::string_view name, std::uint64_t value);

 private:
  void make_room(std::size_t size) {
    if (text_.size() - size_ < size) text_.resize(size_ + size);
  }
  void append(std::string_view text) {
    make_room(text.size());
    text.copy(text_.data() + size_, text.size());
    size_ += text.size();
  }

  std::string text_;  ///< longer than what is in use: it keeps its room for the next head
  std::size_t size_ = 0;
  std::vector<Line> lines_;
  bool switches_ = false;  ///< to accept the CONNECT of a WebSocket (RFC 8441, section 5)
};

}  // namespace spillway::http2
