#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/message.hpp"

namespace spillway::http2 {

/// Collects the fields of a request's head as HPACK gives them, and makes the request of them that HTTP/1.1 would be:
/// `:authority` is its Host, crumbs of cookies are one field, and the check of meaning is the same (RFC 9113, section
/// 8). Reused for the next request: keeps its capacity.
class RequestBuilder {
 public:
  struct Result {
    http::Violation violation;
    /// The request is malformed, so its stream is reset. Otherwise a violation is answered with its status.
    bool malformed = false;
  };

  void begin(const http::HeadLimits& limits);
  /// One field, pseudo-fields included. Beyond the limits nothing more is kept.
  void add(std::string_view name, std::string_view value);
  /// The head is complete. The views of `head` point into this builder. `end_stream`: there is no body.
  Result finish(bool end_stream, http::RequestHead& head);
  /// Bytes of the list so far, as SETTINGS_MAX_HEADER_LIST_SIZE counts them.
  std::uint64_t size() const { return size_; }
  /// Bytes of memory that it takes.
  std::size_t memory() const { return text_.capacity() + cookies_.capacity() + fields_.capacity() * sizeof(Span); }
  /// Method, target and host as they begin a head of HTTP/1, as far as they have come, and cut where they are long: for
  /// the log of what is no request.
  std::string outline() const;
  /// Ends the views of the head, and gives the memory of a large one back.
  void release();

 private:
  enum Pseudo : std::uint8_t { method, scheme, authority, path, protocol, kPseudos };
  struct Span {
    std::size_t at = 0, name_size = 0, value_size = 0;
  };

  void add_pseudo(std::string_view name, std::string_view value);
  void fail(const char* rule);
  const char* check_pseudo_fields() const;
  const char* read_host(http::RequestHead& head);
  http::Violation check_target(http::RequestHead& head) const;
  bool has(Pseudo p) const { return (pseudos_ >> p & 1u) != 0; }
  std::string_view view(const Span& span) const { return std::string_view(text_).substr(span.at, span.value_size); }

  http::HeadLimits limits_;
  std::string text_;  ///< names and values
  std::vector<Span> fields_;
  Span pseudo_[kPseudos];
  std::string cookies_;  ///< joined
  std::uint64_t size_ = 0;
  std::uint64_t count_ = 0;
  const char* malformed_ = nullptr;
  unsigned pseudos_ = 0;  ///< bit for each one seen
  bool regular_seen_ = false;
  bool has_cookies_ = false;
};

/// A trailer breaks a rule; null: it does not. Trailers are not forwarded.
const char* check_trailer(std::string_view name, std::string_view value);

}  // namespace spillway::http2
