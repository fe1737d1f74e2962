#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <boost/json.hpp>

#include "tests/support/wire.hpp"

namespace api::test {

struct Reply {
  int status = 0;                              ///< 0: the connection ended without a whole response
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  boost::json::value json() const;  ///< null when the body is none
  std::string detail() const;       ///< of a problem
  std::string header(const std::string& name) const {
    auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
};

/// A blocking HTTP client that can also misbehave. Every wait ends after kPatience.
class Client {
 public:
  explicit Client(int port) : wire_(support::Wire::tcp(port)) {}
  explicit Client(support::Wire wire) : wire_(std::move(wire)) {}
  explicit Client(const std::string& unix_path) : wire_(support::Wire::unix_socket(unix_path)) {}

  void send(std::string_view raw) { wire_.send(raw); }
  void shut_down_sending() { wire_.finish_sending(); }
  Reply receive(bool head_only = false);
  /// All bytes until the server closes.
  std::string receive_all();
  Reply request(std::string_view method, std::string_view target, std::string_view body = {},
                std::string_view headers = {});
  /// Writes the request and does not wait for the response.
  void start(std::string_view method, std::string_view target, std::string_view body = {},
             std::string_view headers = {});
  /// Logs in as admin; later requests carry the token.
  void login();
  const std::string& token() const { return token_; }
  void use_token(std::string token) { token_ = std::move(token); }
  void close() { wire_.close(); }

 private:
  support::Wire wire_;
  std::string token_;
};

}  // namespace api::test
