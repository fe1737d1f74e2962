#include "proxy/tls/session.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <openssl/err.h>

#include "proxy/tls/certificate.hpp"
#include "proxy/tls/openssl.hpp"

namespace tls {

namespace {

/// A failed check of the peer's certificate is more telling than OpenSSL's own words for it.
std::string why_failed(const SSL* ssl) {
  const unsigned long error = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(error);
  const long verified = SSL_get_verify_result(ssl);
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK) {
    ERR_clear_error();
    return std::string("certificate refused: ") + X509_verify_cert_error_string(verified);
  }
  return last_error();
}

}  // namespace

Session::Session(SSL* ssl, std::shared_ptr<const void> kept) : kept_(std::move(kept)), ssl_(ssl) {
  SSL_set_app_data(ssl_, this);
  SSL_set_info_callback(ssl_, &Session::count_message);
}

Session::~Session() {
  SSL_free(ssl_);
}

void Session::attach(int descriptor) {
  descriptor_.attach(ssl_, descriptor);
}

/// OpenSSL calls this for each message of a handshake, and for no other.
void Session::count_message(const SSL* ssl, int where, int /*value*/) {
  if ((where & SSL_CB_LOOP) == 0) return;
  auto* const session = static_cast<Session*>(SSL_get_app_data(ssl));
  if (!session->established_ || ++session->messages_ <= kMessagesMax) return;
  // Ends the step, which would go on for as long as messages come: further records are thrown away.
  SSL_set_shutdown(session->ssl_, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

/// False: there is no connection any more.
bool Session::begin_step() {
  // An old error would be taken for one of this step. To clear the queue costs more than to look whether it is empty.
  if (ERR_peek_error() != 0) ERR_clear_error();
  errno = 0;
  if (!detached_) return true;
  system_error_ = EBADF;
  error_ = "closed";
  return false;
}

Step Session::result(int returned) {
  const int saved = errno;
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_NONE:
      return Step::done;
    case SSL_ERROR_WANT_READ:
      return Step::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return Step::wants_write;
    case SSL_ERROR_ZERO_RETURN:
      return Step::closed;
    case SSL_ERROR_SYSCALL:
      broken_ = true;
      system_error_ = saved ? saved : ECONNRESET;
      error_ = std::strerror(system_error_);  // NOLINT(concurrency-mt-unsafe): glibc's is safe for known errors
      return Step::failed;
    default:
      break;
  }
  broken_ = true;
  const unsigned long error = ERR_peek_last_error();
  const bool of_ssl = ERR_GET_LIB(error) == ERR_LIB_SSL;
  plain_http_ = of_ssl && ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST;
  const bool cut = of_ssl && ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  error_ = cut ? "the connection was cut" : why_failed(ssl_);
  ERR_clear_error();
  return cut ? Step::truncated : Step::failed;
}

Step Session::handshake() {
  if (!begin_step()) return Step::failed;
  const Step step = result(SSL_do_handshake(ssl_));
  if (step == Step::done) {
    established_ = true;
    note_peer();
  }
  return step;
}

void Session::note_peer() {
  if (!SSL_is_server(ssl_)) return;
  const X509* const certificate = SSL_get0_peer_certificate(ssl_);
  if (!certificate) return;
  peer_ = std::make_unique<PeerCertificate>(PeerCertificate{subject_of(certificate), fingerprint_of(certificate)});
}

Step Session::read(char* to, std::size_t size, std::size_t& n) {
  if (!begin_step()) return Step::failed;
  const Step step = result(SSL_read_ex(ssl_, to, size, &n));
  if (step == Step::done) messages_ = 0;
  if (messages_ <= kMessagesMax) return step;
  broken_ = true;
  error_ = "too many messages without data";
  return Step::failed;
}

Step Session::peek() {
  char byte;
  std::size_t n = 0;
  if (!begin_step()) return Step::failed;
  return result(SSL_peek_ex(ssl_, &byte, 1, &n));
}

bool Session::has_buffered() const {
  return !detached_ && SSL_has_pending(ssl_) == 1;
}

Step Session::write(std::string_view bytes, std::size_t& n) {
  // OpenSSL keeps a record that has gone out in part, and takes no other one before. It looks at its size only.
  const std::size_t size = begun_ > 0 ? begun_ : std::min(bytes.size(), kRecord);
  if (!begin_step()) return Step::failed;
  if (broken_ || closing_) return error_ = "closed for writing", Step::failed;
  const Step step = result(SSL_write_ex(ssl_, bytes.data(), size, &n));
  begun_ = step == Step::done ? 0 : size;
  return step;
}

Step Session::close() {
  // A record that has gone out in part stays cut: the peer must not take that for an end.
  if (broken_ || close_sent_ || !established_ || begun_ > 0 || !begin_step()) return Step::done;
  closing_ = true;
  const int returned = SSL_shutdown(ssl_);
  const Step step = returned >= 0 ? Step::done : result(returned);
  close_sent_ = step != Step::wants_write;
  return close_sent_ ? Step::done : step;
}

std::string_view Session::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view Session::version() const {
  return SSL_version(ssl_) >= TLS1_3_VERSION ? "1.3" : "1.2";
}

bool Session::resumed() const {
  return SSL_session_reused(ssl_) == 1;
}

}  // namespace tls
