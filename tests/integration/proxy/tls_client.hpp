#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/ssl.h>

namespace spillway::test {

/// What a client of TLS wants; defaults accept what the test authority has signed for `localhost`.
struct TlsWish {
  std::string ca;  ///< PEM; empty: any certificate will do
  std::string server_name = "localhost";
  std::string certificate = {}, key = {};   ///< PEM, to show
  int lowest = 0, highest = 0;              ///< TLS1_2_VERSION …; 0: no bound
  std::string signatures = {};              ///< such as `RSA-PSS+SHA256`; empty: all
  std::vector<std::string> protocols = {};  ///< for ALPN
  bool wants_ocsp = false;
  std::shared_ptr<SSL_SESSION> session = {};  ///< to resume
};

/// A blocking client of TLS; a wait ends after `kPatience`.
class TlsClient {
 public:
  enum class End { none, clean, truncated, failed };

  /// Connects and shakes hands; `error` says if that failed.
  TlsClient(int port, const TlsWish& wish);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;

  bool connected() const { return connected_; }
  const std::string& error() const { return error_; }

  bool send(std::string_view bytes);
  /// Reads until `text` has come, or the end. Returns all that has come since the last call.
  std::string read_until(std::string_view text);
  /// Reads up to the end, which `end` then tells.
  std::string read_to_end();
  End end() const { return end_; }
  /// A request with `Connection: close`, and all of the answer.
  std::string get(const std::string& target, const std::string& fields = {});

  /// close_notify; reading goes on.
  void say_goodbye();
  /// Closes the connection without close_notify.
  void cut();
  /// Asks for new keys of both sides (TLS 1.3). False: the connection has failed.
  bool update_keys();
  bool renegotiate();

  std::string version() const;
  std::string protocol() const;
  bool resumed() const;
  /// The name of the server's certificate, and the kind of its key.
  std::string common_name() const;
  bool rsa() const;
  std::string ocsp() const;
  std::shared_ptr<SSL_SESSION> session() const;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
  std::shared_ptr<SSL_CTX> context_;
  std::shared_ptr<SSL> ssl_;
  std::string error_;
  bool connected_ = false;
  End end_ = End::none;
};

}  // namespace spillway::test
