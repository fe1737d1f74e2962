#include "proxy/tls/server_context.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "proxy/tls/openssl.hpp"
#include "proxy/tls/policy.hpp"
#include "proxy/tls/server_name.hpp"
#include "proxy/tls/ticket_keys.hpp"

namespace tls {

/// A context of OpenSSL for each set of certificates that a server name may choose. Connections begin with the first.
/// OpenSSL's callbacks get the parts through the context's data.
struct ServerContext::Parts {
  std::vector<Certificate> certificates;
  std::vector<Choice> choices;
  std::map<std::vector<std::size_t>, SslContext> contexts;  ///< by what `choose` returns
  SSL_CTX* first = nullptr;
  std::string protocols;  ///< as ALPN writes them
  std::shared_ptr<TicketKeys> tickets;

  bool add_context(const ServerOptions& options, const std::vector<std::size_t>& chosen, std::string& why);
  bool ask_for_certificate(SSL_CTX* context, const ServerOptions& options, std::string& why) const;
  bool add_contexts(const ServerOptions& options, std::string& why);
};

namespace {

std::string alpn_form(const std::vector<std::string>& protocols) {
  std::string form;
  for (const std::string& each : protocols) {
    form += static_cast<char>(each.size());
    form += each;
  }
  return form;
}

/// A digest of what a session must share with another to be resumed there.
std::array<unsigned char, 32> scope_of(const ServerOptions& options, const std::string& client_ca) {
  const std::string text =
      options.scope + '\0' + std::to_string(static_cast<int>(options.client_certificate)) + '\0' + client_ca;
  std::array<unsigned char, 32> digest{};
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return digest;
}

}  // namespace

namespace callbacks {

template <class PartsType>
PartsType* parts_of(SSL* ssl) {
  return static_cast<PartsType*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

/// Encrypts a ticket (`encrypt`), or finds the key of one. 2: it is good, and a new one is due.
int ticket_key(TicketKeys& keys, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
               bool encrypt) {
  const TicketKeys::Time now = std::chrono::steady_clock::now();
  TicketKeys::Key key{};
  bool fresh = true;
  if (encrypt) {
    const auto current = keys.current(now);
    if (!current || RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    key = *current;
    std::copy(key.name.begin(), key.name.end(), name);
  } else {
    const auto found = keys.find(name, now);
    if (!found) return 0;
    key = found->key;
    fresh = found->current;
  }
  std::array<OSSL_PARAM, 3> params{
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("sha256"), 0),
      OSSL_PARAM_construct_end()};
  const bool set = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv, encrypt ? 1 : 0) == 1 &&
                   EVP_MAC_CTX_set_params(mac, params.data()) == 1;
  OPENSSL_cleanse(&key, sizeof key);
  if (!set) return -1;
  return encrypt || fresh ? 1 : 2;
}

}  // namespace callbacks

bool ServerContext::Parts::ask_for_certificate(SSL_CTX* context, const ServerOptions& options, std::string& why) const {
  Authorities authorities;
  if (!options.client_ca.empty()) {
    if (!trust(context, options.client_ca, authorities, why)) return false;
    for (const auto& each : authorities.all) SSL_CTX_add_client_CA(context, each.get());
  }
  if (options.client_certificate != ClientCertificate::none) {
    const bool must = options.client_certificate == ClientCertificate::require;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  }
  const auto scope = scope_of(options, authorities.text);
  SSL_CTX_set_session_id_context(context, scope.data(), scope.size());
  return true;
}

bool ServerContext::Parts::add_context(const ServerOptions& options, const std::vector<std::size_t>& chosen,
                                       std::string& why) {
  if (contexts.contains(chosen)) return true;
  SslContext owner(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = owner.get();
  const int lowest = options.min_version == MinVersion::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (!context || !apply_policy(context, lowest)) return why = last_error(), false;
  for (const std::size_t i : chosen) {
    const Certificate& each = certificates[i];
    if (!use(context, each)) return why = each.file + ": " + last_error(), false;
  }
  if (!ask_for_certificate(context, options, why)) return false;

  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets alone: the proxy keeps no session
  SSL_CTX_set_timeout(context, std::chrono::seconds(TicketKeys::kTicketLife).count());
  SSL_CTX_set_num_tickets(context, options.tickets ? 1 : 0);
  if (!options.tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(
      context, [](SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int enc) {
        return callbacks::ticket_key(*callbacks::parts_of<Parts>(ssl)->tickets, name, iv, cipher, mac, enc != 0);
      });
  SSL_CTX_set_tlsext_servername_callback(
      context, +[](SSL* ssl, int*, void*) {
        const Parts& parts = *callbacks::parts_of<Parts>(ssl);
        const char* const given = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        if (!given) return SSL_TLSEXT_ERR_NOACK;
        const auto found = parts.contexts.find(choose(parts.choices, lower(given)));
        if (found != parts.contexts.end()) SSL_set_SSL_CTX(ssl, found->second.get());
        return SSL_TLSEXT_ERR_OK;
      });
  SSL_CTX_set_tlsext_status_cb(
      context, +[](SSL* ssl, void*) {
        const Parts& parts = *callbacks::parts_of<Parts>(ssl);
        const X509* const used = SSL_get_certificate(ssl);
        for (const Certificate& each : parts.certificates) {
          if (each.leaf.get() != used || each.ocsp.empty()) continue;
          if (std::chrono::system_clock::now() >= each.ocsp_expires) break;
          auto* const copy = static_cast<unsigned char*>(OPENSSL_memdup(each.ocsp.data(), each.ocsp.size()));
          if (!copy) break;
          SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(each.ocsp.size()));  // takes it over
          return SSL_TLSEXT_ERR_OK;
        }
        return SSL_TLSEXT_ERR_NOACK;
      });
  if (!protocols.empty()) {
    SSL_CTX_set_alpn_select_cb(
        context,
        [](SSL* ssl, const unsigned char** out, unsigned char* size, const unsigned char* in, unsigned in_size, void*) {
          const std::string& ours = callbacks::parts_of<Parts>(ssl)->protocols;
          unsigned char* found = nullptr;
          const int result = SSL_select_next_proto(&found, size, reinterpret_cast<const unsigned char*>(ours.data()),
                                                   static_cast<unsigned>(ours.size()), in, in_size);
          *out = found;
          // RFC 7301, section 3.2: without a common protocol the handshake fails.
          return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
        },
        nullptr);
  }
  if (!first) first = context;
  contexts.emplace(chosen, std::move(owner));
  return true;
}

/// One for clients without a name that fits, and one for each choice that a name can make.
bool ServerContext::Parts::add_contexts(const ServerOptions& options, std::string& why) {
  if (!add_context(options, choose(choices, {}), why)) return false;
  for (const Choice& choice : choices) {
    for (const std::string& name : choice.names) {
      // A wildcard is chosen by a name that no certificate has itself.
      const bool wild = name.starts_with("*.");
      if (!add_context(options, choose(choices, wild ? "\n" + name.substr(1) : name), why)) return false;
    }
  }
  return true;
}

ServerContext::ServerContext(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {
  for (const Certificate& each : parts_->certificates) certificates_.push_back({each.file, each.expires});
}

ServerContext::~ServerContext() = default;

std::shared_ptr<const ServerContext> ServerContext::make(const ServerOptions& options,
                                                         std::shared_ptr<TicketKeys> tickets, WallTime now,
                                                         std::vector<Fault>& faults) {
  const std::size_t before = faults.size();
  auto parts = std::make_shared<Parts>();
  for (std::size_t i = 0; i < options.certificates.size(); ++i) {
    Certificate certificate;
    Fault fault;
    if (load(options.certificates[i], now, certificate, fault)) {
      parts->choices.push_back({certificate.kind, certificate.names});
      parts->certificates.push_back(std::move(certificate));
    } else {
      fault.key += "[" + std::to_string(i) + "]";
      faults.push_back(std::move(fault));
    }
  }
  parts->protocols = alpn_form(options.protocols);
  parts->tickets = std::move(tickets);
  std::string why;
  if (faults.size() == before && !parts->add_contexts(options, why)) {
    faults.push_back({options.client_ca.empty() ? "certificate[0]" : "client_ca", why});
  }
  if (faults.size() != before) return nullptr;
  return std::shared_ptr<const ServerContext>(new ServerContext(std::move(parts)));
}

std::unique_ptr<Session> ServerContext::accept() const {
  SSL* const ssl = SSL_new(parts_->first);
  if (!ssl) return nullptr;
  SSL_set_accept_state(ssl);
  return std::make_unique<Session>(ssl, parts_);
}

}  // namespace tls
