#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "api/config/config.hpp"
#include "api/server/request_parser.hpp"

namespace api {

/// Reads requests from the bytes of a connection, one after the other and within limits. The result does not depend on
/// how the bytes are cut. No I/O. Throws only when memory runs out. The caller's loop:
///
///     reader.next();
///     while (reader.advance() == RequestReader::kMore) reader.received(read_some_into(reader.room()));
class RequestReader {
 public:
  static constexpr int kMore = 0;
  static constexpr int kRequest = 200;
  /// Holds the request of most clients in one read.
  static constexpr std::size_t kReadBytes = 4096;

  explicit RequestReader(const LimitsConfig& limits);

  /// Forgets the last request and begins the next one with the bytes that followed it.
  void next();
  /// The buffer for the next bytes: never empty, at most kReadBytes.
  boost::asio::mutable_buffer room();
  void received(std::size_t bytes);
  /// kMore, kRequest, or the status to refuse the request with: 400, 413, 431 or 501. Close the connection after a
  /// refusal.
  int advance();

  /// There are bytes that belong to no request yet.
  bool has_bytes() const { return buffer_.size() > 0; }
  /// Something of the request has come. The buffer may be empty all the same: the parser takes line by line.
  bool begun() const { return has_bytes() || parser_->head_bytes > 0; }
  bool head_done() const { return parser_->is_header_done(); }
  /// Complete after kRequest; its head is complete when `head_done`.
  const Message& message() const { return parser_->message; }
  /// The client may send another request. After kRequest.
  bool keep_alive() const { return parser_->keep_alive(); }
  /// Drops all bytes. For what follows a refusal.
  void discard() { buffer_.clear(); }

 private:
  bool part_may_be_short() const;
  int after_head_bytes(std::size_t taken);
  int after_body_bytes(std::size_t taken);

  const std::size_t max_head_;
  const std::uint64_t max_body_;
  boost::beast::flat_buffer buffer_;
  std::optional<RequestParser> parser_;
};

}  // namespace api
