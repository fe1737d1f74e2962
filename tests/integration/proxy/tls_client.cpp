#include "tests/integration/proxy/tls_client.hpp"

#include <csignal>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/support/eventually.hpp"
#include "tests/support/wire.hpp"

namespace spillway::test {

namespace {

template <class T, class Free>
std::shared_ptr<T> own(T* object, Free free) {
  return {object, free};
}

std::shared_ptr<BIO> bio_of(const std::string& text) {
  return own(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
}

std::string alpn_form(const std::vector<std::string>& protocols) {
  std::string form;
  for (const std::string& each : protocols) form += static_cast<char>(each.size()) + each;
  return form;
}

}  // namespace

TlsClient::TlsClient(int port, const TlsWish& wish) : context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  support::Wire wire = support::Wire::tcp(port);
  descriptor_ = ::dup(wire.descriptor());
  const timeval patience{support::kPatience.count(), 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  SSL_CTX* const context = context_.get();
  if (wish.lowest) SSL_CTX_set_min_proto_version(context, wish.lowest);
  if (wish.highest) SSL_CTX_set_max_proto_version(context, wish.highest);
  if (!wish.signatures.empty()) SSL_CTX_set1_sigalgs_list(context, wish.signatures.c_str());
  if (!wish.ca.empty()) {
    const auto bio = bio_of(wish.ca);
    const auto ca = own(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca.get());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  if (!wish.certificate.empty()) {
    const auto bio = bio_of(wish.certificate), key_bio = bio_of(wish.key);
    const auto certificate = own(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
    const auto key = own(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
    SSL_CTX_use_certificate(context, certificate.get());
    SSL_CTX_use_PrivateKey(context, key.get());
  }
  ssl_ = own(SSL_new(context), &SSL_free);
  SSL* const ssl = ssl_.get();
  SSL_set_fd(ssl, descriptor_);
  if (!wish.server_name.empty()) SSL_set_tlsext_host_name(ssl, wish.server_name.c_str());
  if (!wish.ca.empty()) SSL_set1_host(ssl, wish.server_name.c_str());
  const std::string protocols = alpn_form(wish.protocols);
  if (!protocols.empty()) {
    SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
  }
  if (wish.wants_ocsp) SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
  if (wish.session) SSL_set_session(ssl, wish.session.get());
  ERR_clear_error();
  connected_ = SSL_connect(ssl) == 1;
  const char* const why = ERR_reason_error_string(ERR_peek_last_error());
  if (!connected_) error_ = why ? why : "closed";
}

TlsClient::~TlsClient() {
  cut();
}

void TlsClient::cut() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

bool TlsClient::send(std::string_view bytes) {
  while (connected_ && !bytes.empty()) {
    std::size_t n = 0;
    if (SSL_write_ex(ssl_.get(), bytes.data(), std::min<std::size_t>(bytes.size(), 16384), &n) != 1) return false;
    bytes.remove_prefix(n);
  }
  return connected_;
}

std::string TlsClient::read_until(std::string_view text) {
  std::string all;
  while (connected_ && (text.empty() || all.find(text) == std::string::npos)) {
    char bytes[16384];
    std::size_t n = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), bytes, sizeof bytes, &n);
    if (result != 1) {
      const int error = SSL_get_error(ssl_.get(), result);
      const bool cut =
          error == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
      end_ = error == SSL_ERROR_ZERO_RETURN ? End::clean : cut ? End::truncated : End::failed;
      const char* const why = ERR_reason_error_string(ERR_peek_last_error());
      if (end_ == End::failed) error_ = why ? why : "reset";
      break;
    }
    all.append(bytes, n);
  }
  return all;
}

std::string TlsClient::read_to_end() {
  return read_until({});
}

std::string TlsClient::get(const std::string& target, const std::string& fields) {
  send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields + "\r\n");
  return read_to_end();
}

void TlsClient::say_goodbye() {
  SSL_shutdown(ssl_.get());
}

bool TlsClient::update_keys() {
  return SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(ssl_.get()) == 1;
}

bool TlsClient::renegotiate() {
  return SSL_renegotiate(ssl_.get()) == 1 && SSL_do_handshake(ssl_.get()) == 1;
}

std::string TlsClient::version() const {
  return SSL_get_version(ssl_.get());
}

std::string TlsClient::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

bool TlsClient::resumed() const {
  return SSL_session_reused(ssl_.get()) == 1;
}

std::string TlsClient::common_name() const {
  X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
  char text[256] = "";
  if (certificate) X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text);
  return text;
}

bool TlsClient::rsa() const {
  return EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(ssl_.get()))) == EVP_PKEY_RSA;
}

std::string TlsClient::ocsp() const {
  const unsigned char* bytes = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(ssl_.get(), &bytes);
  return size > 0 ? std::string(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)) : std::string();
}

std::shared_ptr<SSL_SESSION> TlsClient::session() const {
  return own(SSL_get1_session(ssl_.get()), &SSL_SESSION_free);
}

}  // namespace spillway::test
