#include "api/server/request_reader.hpp"

#include <algorithm>
#include <limits>

#include <boost/beast/http/error.hpp>

#include "api/server/request.hpp"

namespace api {

namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

/// Bytes of framing that a chunked body may have for each byte of content, beside the limit of a head. Chunks of one
/// byte need five. More is an attempt to waste processor time.
constexpr std::uint64_t kFramingPerByte = 8;

/// A last chunk without extension and trailer, `0 CRLF CRLF`. Beast asserts that it sees no fewer bytes of a last chunk
/// when it looks at it once more.
constexpr std::size_t kLastChunk = 5;

int status_of(error_code error) {
  if (error == http::error::header_limit) return 431;
  if (error == http::error::body_limit) return 413;
  return 400;
}

}  // namespace

RequestReader::RequestReader(const LimitsConfig& limits)
    : max_head_(limits.head), max_body_(limits.body), buffer_(max_head_ + kReadBytes) {
  next();
}

void RequestReader::next() {
  parser_.emplace();
  // Beast's limit counts what it gets in one call, which depends on the peer's writes. `after_head_bytes` counts all.
  parser_->header_limit(std::numeric_limits<std::uint32_t>::max());
  parser_->body_limit(max_body_);
}

boost::asio::mutable_buffer RequestReader::room() {
  return buffer_.prepare(std::min(kReadBytes, buffer_.max_size() - buffer_.size()));
}

void RequestReader::received(std::size_t bytes) {
  buffer_.commit(bytes);
}

int RequestReader::advance() {
  RequestParser& parser = *parser_;
  while (has_bytes() && !part_may_be_short()) {
    const bool in_head = !parser.is_header_done();
    parser.chunk_began = false;
    error_code error;
    // Each step takes one part: the head, the line of a chunk, or content. So each part can have its limit.
    const std::size_t taken = parser.put(buffer_.data(), error);
    buffer_.consume(taken);
    if (error && error != http::error::need_more) return status_of(error);
    const int refusal = in_head ? after_head_bytes(taken) : after_body_bytes(taken);
    if (refusal != 0) return refusal;
    if (parser.is_done()) return kRequest;
    if (taken == 0) break;
  }
  return kMore;
}

/// At least five more bytes follow any `0` of a chunked body that is not the whole last chunk: content is followed by
/// `CRLF 0 CRLF CRLF`. So waiting for them delays no request.
bool RequestReader::part_may_be_short() const {
  if (!head_done() || !parser_->chunked() || buffer_.size() >= kLastChunk) return false;
  return *static_cast<const char*>(buffer_.data().data()) == '0';
}

int RequestReader::after_head_bytes(std::size_t taken) {
  parser_->head_bytes += taken;
  const std::size_t unread = head_done() ? 0 : buffer_.size();
  if (parser_->head_bytes + unread > max_head_) return 431;
  return head_done() ? fault_of_head(parser_->message) : 0;
}

/// Beast leaves the line of a chunk in the buffer until it is whole; the last line includes the trailer.
int RequestReader::after_body_bytes(std::size_t taken) {
  if (taken == 0) return buffer_.size() > max_head_ ? 400 : 0;
  if (!parser_->chunk_began) return 0;
  parser_->framing_bytes += taken;
  const std::uint64_t allowed = max_head_ + kFramingPerByte * parser_->message.body().size();
  return taken > max_head_ || parser_->framing_bytes > allowed ? 400 : 0;
}

}  // namespace api
