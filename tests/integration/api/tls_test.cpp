// TLS to PostgreSQL with records of the largest size. Poolers and proxies write such records, PostgreSQL does not.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"
#include "tests/support/listener.hpp"

namespace api::test {
namespace {

/// A context with a fresh key and certificate.
std::shared_ptr<SSL_CTX> server_context() {
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  const std::shared_ptr<EVP_PKEY> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::shared_ptr<X509> certificate(X509_new(), X509_free);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  REQUIRE(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  REQUIRE(SSL_CTX_use_certificate(context.get(), certificate.get()) == 1);
  REQUIRE(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  return context;
}

constexpr std::size_t kLargestRecord = 16384;

/// Accepts TLS on 127.0.0.1 and forwards to the shared PostgreSQL without TLS. Forwards each reply as a whole.
class TlsRelay {
 public:
  TlsRelay() : context_(server_context()) {
    acceptor_ = std::thread([this] {
      for (;;) {
        const int client = ::accept(listener_.descriptor(), nullptr, nullptr);
        if (client < 0) return;
        links_.emplace_back([this, client] { serve(client); });
      }
    });
  }
  /// Waits for the end of its clients.
  ~TlsRelay() {
    ::shutdown(listener_.descriptor(), SHUT_RDWR);
    acceptor_.join();
    for (auto& link : links_) link.join();
  }

  std::string url() const {
    return Database::shared().url_through("127.0.0.1") + " port=" + std::to_string(listener_.port()) +
           " sslmode=require";
  }
  std::size_t largest() const { return largest_; }

 private:
  void serve(int client) {
    const int server = connect();
    char request[8];
    if (::recv(client, request, sizeof(request), MSG_WAITALL) == sizeof(request) && ::send(client, "S", 1, 0) == 1) {
      const std::shared_ptr<SSL> tls(SSL_new(context_.get()), SSL_free);
      SSL_set_fd(tls.get(), client);
      if (SSL_accept(tls.get()) == 1) pump(tls.get(), client, server);
    }
    ::close(client);
    ::close(server);
  }

  void pump(SSL* tls, int client, int server) {
    std::string answer;
    char bytes[65536];
    for (;;) {
      pollfd sockets[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (::poll(sockets, 2, -1) < 0) return;
      if (sockets[0].revents != 0) {
        do {
          const int got = SSL_read(tls, bytes, sizeof(bytes));
          if (got <= 0 || ::send(server, bytes, static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) return;
        } while (SSL_pending(tls) > 0);
      }
      if (sockets[1].revents != 0) {
        const ssize_t got = ::recv(server, bytes, sizeof(bytes), 0);
        if (got > 0) answer.append(bytes, static_cast<std::size_t>(got));
        if (got > 0 && !is_complete(answer)) continue;
        if (!write(tls, answer)) return;
        if (got <= 0) return;
        answer.clear();
      }
    }
  }

  /// The end is one record of the largest size: libpq, which keeps the beginning of a row that was cut, has too little
  /// room for it.
  bool write(SSL* tls, const std::string& answer) {
    if (answer.size() > largest_) largest_ = answer.size();
    const std::size_t last = std::min(answer.size(), kLargestRecord);
    const std::size_t first = answer.size() - last;
    return (first == 0 || SSL_write(tls, answer.data(), static_cast<int>(first)) > 0) &&
           (last == 0 || SSL_write(tls, answer.data() + first, static_cast<int>(last)) > 0);
  }

  /// Whether the server waits for the client: after ReadyForQuery, or an answer of its own to a Flush.
  static bool is_complete(const std::string& answer) {
    std::size_t at = 0;
    char last = 0;
    while (at + 5 <= answer.size()) {
      unsigned length = 0;
      for (int i = 1; i <= 4; ++i)
        length = (length << 8) | static_cast<unsigned char>(answer[at + static_cast<std::size_t>(i)]);
      last = answer[at];
      at += 1 + length;
    }
    return at == answer.size() && (last == 'Z' || last == 'I');
  }

  int connect() const {
    const int server = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = Database::shared().host() + "/.s.PGSQL." + Database::shared().port();
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    (void)!::connect(server, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    return server;
  }

  std::shared_ptr<SSL_CTX> context_;
  support::Listener listener_;
  std::atomic<std::size_t> largest_{0};
  std::vector<std::thread> links_;
  std::thread acceptor_;
};

/// Rows of which a hundred are more than one record.
struct WideRows {
  WideRows() { session.run("UPDATE scholarships SET provider = provider || repeat('x', 100) WHERE id > 2000"); }
  ~WideRows() { session.run("UPDATE scholarships SET provider = left(provider, -100) WHERE id > 2000"); }
  Session session;
};

TEST_CASE("A result in large TLS records is read to its end without a wait") {
  WideRows rows;
  TlsRelay relay;
  Program api("database: {url: \"" + relay.url() + "\", pool_size: 1, max_overflow: 0, ping_timeout: 30s}\n");
  api.await_ready();
  Client client(api.port());
  client.login();
  for (int i = 0; i < 10; ++i) {
    const std::string cursor = std::to_string(2000 + 50 * i);
    const Reply reply = client.request("GET", "/api/v1/scholarships?limit=100&cursor=" + cursor);
    REQUIRE(reply.status == 200);
    CHECK(reply.json().at("items").as_array().size() == 100);
  }
  CHECK(relay.largest() > kLargestRecord);
  // A second attempt would hide that the first one was abandoned.
  CHECK(client.request("GET", "/health").json().at("pool").at("connection_errors") == 0);
  CHECK(api.stop() == 0);
}

}  // namespace
}  // namespace api::test
