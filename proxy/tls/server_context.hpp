#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/listen_tls.hpp"
#include "proxy/tls/certificate.hpp"
#include "proxy/tls/session.hpp"

namespace tls {

class TicketKeys;

/// Whether clients are asked for a certificate. One that is shown must be good in any case.
using ClientCertificate = config::ListenTls::ClientCertificate;
using MinVersion = config::ListenTls::MinVersion;

struct ServerOptions {
  std::vector<CertificateFiles> certificates;  ///< at least one; the first is for clients without a name that fits
  std::string client_ca;                       ///< file in PEM; needed unless no client is asked
  ClientCertificate client_certificate = ClientCertificate::none;
  MinVersion min_version = MinVersion::v1_2;
  bool tickets = true;
  std::vector<std::string> protocols;  ///< for ALPN, the one liked best first; empty: none is agreed on
  /// Tickets are good where this is the same, and the client CA, too. So a ticket of a listener that asks for no
  /// certificate opens no other one.
  std::string scope;
};

struct CertificateInfo {
  std::string file;
  WallTime expires;
};

/// What a listener needs to accept TLS. Immutable; any thread may use it, and sessions keep what they need of it.
class ServerContext {
 public:
  /// Reads all files. Null: `faults` says what is wrong.
  static std::shared_ptr<const ServerContext> make(const ServerOptions& options, std::shared_ptr<TicketKeys> tickets,
                                                   WallTime now, std::vector<Fault>& faults);
  ~ServerContext();
  ServerContext(const ServerContext&) = delete;

  /// A session for a connection that a client has made.
  std::unique_ptr<Session> accept() const;
  const std::vector<CertificateInfo>& certificates() const { return certificates_; }

 private:
  struct Parts;
  explicit ServerContext(std::shared_ptr<const Parts> parts);
  std::shared_ptr<const Parts> parts_;  ///< shared with the sessions: a reload must not take it from them
  std::vector<CertificateInfo> certificates_;
};

}  // namespace tls
