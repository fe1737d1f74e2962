#include "proxy/tls/descriptor.hpp"

#include <cerrno>

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

namespace tls {

/// What OpenSSL calls. `errno` stays as the system has left it.
struct Descriptor::Calls {
  static Descriptor& of(BIO* bio) { return *static_cast<Descriptor*>(BIO_get_data(bio)); }

  static int create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
  }

  static int read(BIO* bio, char* to, std::size_t size, std::size_t* got) {
    Descriptor& self = of(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = 0;
    do {
      n = ::recv(self.number_, to, size, 0);
    } while (n < 0 && errno == EINTR);
    self.drained_ = n < static_cast<ssize_t>(size);
    self.ended_ = n == 0;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_read(bio);
    *got = n > 0 ? static_cast<std::size_t>(n) : 0;
    return n > 0 ? 1 : 0;
  }

  static int write(BIO* bio, const char* from, std::size_t size, std::size_t* put) {
    Descriptor& self = of(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = 0;
    do {
      n = ::send(self.number_, from, size, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_write(bio);
    *put = n > 0 ? static_cast<std::size_t>(n) : 0;
    self.sent_ += *put;
    return n > 0 ? 1 : 0;
  }

  /// OpenSSL asks for more than these: whether the kernel encrypts, ten times for each record.
  static long control(BIO* bio, int what, long /*number*/, void* /*more*/) {
    if (what == BIO_CTRL_FLUSH) return 1;
    return what == BIO_CTRL_EOF && of(bio).ended_ ? 1 : 0;
  }

  static const BIO_METHOD* all() {
    static const BIO_METHOD* const methods = [] {
      BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "descriptor");
      if (!made) return made;
      BIO_meth_set_create(made, create);
      BIO_meth_set_read_ex(made, read);
      BIO_meth_set_write_ex(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    return methods;
  }
};

void Descriptor::attach(SSL* ssl, int number) {
  const BIO_METHOD* const methods = Calls::all();
  BIO* const bio = methods ? BIO_new(methods) : nullptr;
  if (!bio) return;
  number_ = number;
  BIO_set_data(bio, this);
  SSL_set_bio(ssl, bio, bio);  // takes it over
}

}  // namespace tls
