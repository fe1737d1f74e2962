#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/tls/certificate.hpp"
#include "proxy/tls/session.hpp"

namespace tls {

struct ClientOptions {
  std::string server_name;  ///< that the server's certificate must have: a DNS name, or an IP address
  std::string ca;           ///< file in PEM; empty: the authorities that the system trusts
  bool verify = true;       ///< false: any certificate will do
  std::string certificate;  ///< file in PEM, to show to the server; empty: none
  std::string key;          ///< empty: it is in the file of the certificate
};

/// What connections to one server need. Keeps its latest session, so that the next handshake is a short one. Any
/// thread.
class ClientContext {
 public:
  /// Reads all files. Null: `faults` says what is wrong.
  static std::shared_ptr<const ClientContext> make(const ClientOptions& options, WallTime now,
                                                   std::vector<Fault>& faults);
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;

  /// A session for a connection to the server.
  std::unique_ptr<Session> connect() const;
  /// When the certificate that is shown expires.
  const std::optional<WallTime>& expires() const { return expires_; }

 private:
  struct Parts;
  explicit ClientContext(std::shared_ptr<Parts> parts);
  std::shared_ptr<Parts> parts_;
  std::optional<WallTime> expires_;
};

}  // namespace tls
