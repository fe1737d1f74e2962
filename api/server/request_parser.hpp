#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

namespace api {

using Message = boost::beast::http::request<boost::beast::http::string_body>;

/// Parses a request into a Message with Beast's basic parser. Beast's own `request_parser` throws at long fields and
/// adds trailers to the head.
class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  /// Fields of a head; more are refused with 431. A tiny field takes many times as much memory as its bytes.
  static constexpr std::size_t kMaxFields = 100;
  /// Longest name or value that Beast's container accepts; it throws at longer ones.
  static constexpr std::size_t kMaxFieldPart = std::numeric_limits<std::uint16_t>::max() - 2;

  Message message;
  std::size_t head_bytes = 0;       ///< counted by the caller
  std::uint64_t framing_bytes = 0;  ///< counted by the caller: the bytes of a chunked body that are not content
  bool chunk_began = false;         ///< set when a chunk's line has been read

 private:
  using error_code = boost::system::error_code;
  using string_view = boost::beast::string_view;
  using field = boost::beast::http::field;
  using verb = boost::beast::http::verb;

  void on_request_impl(verb method, string_view name, string_view target, int version, error_code&) override {
    if (method == verb::unknown) {
      message.method_string(name);
    } else {
      message.method(method);
    }
    message.target(target);
    message.version(static_cast<unsigned>(version));
  }
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(field known, string_view name, string_view value, error_code& error) override {
    if (is_header_done()) return;  // a trailer: it must not add to the head (RFC 9110, 6.5.1)
    if (++fields_ > kMaxFields || name.size() > kMaxFieldPart || value.size() > kMaxFieldPart) {
      error = boost::beast::http::error::header_limit;
      return;
    }
    message.insert(known, name, value);
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view bytes, error_code&) override {
    message.body().append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override { chunk_began = true; }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code& error) override {
    return on_body_impl(bytes, error);
  }
  void on_finish_impl(error_code&) override {}

  std::size_t fields_ = 0;
};

}  // namespace api
