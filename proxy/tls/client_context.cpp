#include "proxy/tls/client_context.hpp"

#include <mutex>
#include <utility>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "proxy/tls/openssl.hpp"
#include "proxy/tls/policy.hpp"

namespace tls {

namespace {
using SessionOwner = std::unique_ptr<SSL_SESSION, Freed<SSL_SESSION_free>>;
}

struct ClientContext::Parts {
  ClientOptions options;
  bool by_address = false;  ///< the name is an IP address, which SNI does not carry
  SslContext context;
  std::mutex mutex;
  SessionOwner latest;  ///< null: none yet
};

namespace {

bool trust_as_told(SSL_CTX* context, const ClientOptions& options, std::string& why) {
  Authorities authorities;
  if (!options.ca.empty()) return trust(context, options.ca, authorities, why);
  if (SSL_CTX_set_default_verify_paths(context) == 1) return true;
  return why = "the system's certificate store: " + last_error(), false;
}

}  // namespace

ClientContext::ClientContext(std::shared_ptr<Parts> parts) : parts_(std::move(parts)) {}

ClientContext::~ClientContext() = default;

std::shared_ptr<const ClientContext> ClientContext::make(const ClientOptions& options, WallTime now,
                                                         std::vector<Fault>& faults) {
  const std::size_t before = faults.size();
  auto parts = std::make_shared<Parts>();
  parts->options = options;
  const std::unique_ptr<ASN1_OCTET_STRING, Freed<ASN1_OCTET_STRING_free>> address(
      a2i_IPADDRESS(options.server_name.c_str()));
  ERR_clear_error();
  parts->by_address = address != nullptr;
  parts->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* const context = parts->context.get();
  if (!context || !apply_policy(context, TLS1_2_VERSION)) {
    faults.push_back({"enabled", last_error()});
    return nullptr;
  }
  std::string why;
  if (options.verify && !trust_as_told(context, options, why)) faults.push_back({"ca", why});
  std::optional<WallTime> expires;
  if (!options.certificate.empty()) {
    Certificate certificate;
    Fault fault;
    if (!load({options.certificate, options.key, {}}, now, certificate, fault)) {
      faults.push_back(std::move(fault));
    } else if (!use(context, certificate)) {
      faults.push_back({"certificate", options.certificate + ": " + last_error()});
    }
    expires = certificate.expires;
  }
  if (faults.size() != before) return nullptr;

  SSL_CTX_set_app_data(context, parts.get());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
    Parts& of = *static_cast<Parts*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    // A copy: a connection that is cut makes its own one useless.
    SessionOwner copy(SSL_SESSION_dup(session));
    const std::lock_guard lock(of.mutex);
    std::swap(of.latest, copy);
    return 0;  // OpenSSL keeps its one
  });
  std::shared_ptr<ClientContext> made(new ClientContext(std::move(parts)));
  made->expires_ = expires;
  return made;
}

std::unique_ptr<Session> ClientContext::connect() const {
  SSL* const ssl = SSL_new(parts_->context.get());
  if (!ssl) return nullptr;
  auto session = std::make_unique<Session>(ssl, parts_);
  SSL_set_connect_state(ssl);
  const ClientOptions& options = parts_->options;
  if (!parts_->by_address && !options.server_name.empty()) {
    SSL_set_tlsext_host_name(ssl, options.server_name.c_str());
  }
  if (options.verify) {
    SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool set = parts_->by_address
                         ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), options.server_name.c_str()) == 1
                         : SSL_set1_host(ssl, options.server_name.c_str()) == 1;
    if (!set) return nullptr;  // without it any name would do
  }
  const std::lock_guard lock(parts_->mutex);
  const SessionOwner copy(parts_->latest ? SSL_SESSION_dup(parts_->latest.get()) : nullptr);
  if (copy) SSL_set_session(ssl, copy.get());
  return session;
}

}  // namespace tls
