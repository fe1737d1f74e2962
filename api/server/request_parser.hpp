#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

namespace api {

using Message = boost::beast::http::request<boost::beast::http::string_body>;

/// Beast's parser of requests, writing into a Message. The parser that Beast derives itself throws at long fields and
/// mixes trailers into the head.
class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  /// Fields of a head; beyond it 431. Many tiny ones would cost many times the memory of their bytes.
  static constexpr std::size_t kMaxFields = 100;
  /// What Beast's container takes of a name or value; it throws beyond.
  static constexpr std::size_t kMaxFieldPart = std::numeric_limits<std::uint16_t>::max() - 2;

  Message message;
  std::size_t head_bytes = 0;       ///< counted by who feeds the parser
  std::uint64_t framing_bytes = 0;  ///< likewise: of a body in chunks, all but its content
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
