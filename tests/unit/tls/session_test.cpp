#include "proxy/tls/session.hpp"

#include <memory>
#include <string>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/tls/server_context.hpp"
#include "proxy/tls/ticket_keys.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/folder.hpp"

namespace {

using tls::Step;

/// A session that has shaken hands with a client of OpenSSL, over a pair of sockets.
struct Pair {
  Pair() {
    const support::Folder folder;
    const support::Issued issued = support::Authority().issue();
    support::write_file(folder.path("both.pem"), issued.key + issued.certificate);
    tls::ServerOptions options;
    options.certificates.push_back({folder.path("both.pem"), {}, {}});
    std::vector<tls::Fault> faults;
    const auto server = tls::ServerContext::make(options, std::make_shared<tls::TicketKeys>(),
                                                 std::chrono::system_clock::now(), faults);
    REQUIRE(server);
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets) == 0);
    session = server->accept();
    session->attach(sockets[0]);
    SSL_set_fd(client, sockets[1]);
    SSL_set_connect_state(client);
    Step step = Step::wants_read;
    while (step == Step::wants_read) {
      SSL_do_handshake(client);
      step = session->handshake();
    }
    REQUIRE(step == Step::done);
    char byte;
    std::size_t n = 0;
    CHECK(SSL_read_ex(client, &byte, 1, &n) == 0);  // takes the ticket
  }
  ~Pair() {
    session.reset();
    SSL_free(client);
    SSL_CTX_free(context);
    for (const int each : sockets) ::close(each);
  }
  void send(const std::string& bytes) {
    std::size_t n = 0;
    REQUIRE(SSL_write_ex(client, bytes.data(), bytes.size(), &n) == 1);
  }
  std::string read(std::size_t space = 16 * 1024) {
    std::string bytes(space, '\0');
    std::size_t n = 0;
    last = session->read(bytes.data(), space, n);
    bytes.resize(last == Step::done ? n : 0);
    return bytes;
  }

  int sockets[2]{};
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* client = SSL_new(context);
  std::unique_ptr<tls::Session> session;
  Step last = Step::done;
};

TEST_CASE("a read that has taken all that had come needs no other one to find that out") {
  Pair pair;
  pair.send("a request");
  CHECK(pair.read() == "a request");
  CHECK_FALSE(pair.session->may_have_more());
  CHECK(pair.read().empty());
  CHECK(pair.last == Step::wants_read);
  CHECK_FALSE(pair.session->may_have_more());
}

TEST_CASE("what one read of the socket has brought beside the record is not forgotten") {
  Pair pair;
  pair.send("one");
  pair.send("two");
  CHECK(pair.read() == "one");
  CHECK(pair.session->may_have_more());
  CHECK(pair.read(2) == "tw");
  CHECK(pair.session->may_have_more());
  CHECK(pair.read() == "o");
  CHECK_FALSE(pair.session->may_have_more());
}

TEST_CASE("more than one read of the socket takes is read to its end") {
  Pair pair;
  std::string sent;
  for (const char each : {'a', 'b', 'c', 'd'}) {
    const std::string record(10'000, each);
    pair.send(record);
    sent += record;
  }
  std::string got;
  do {
    got += pair.read();  // the last time, it may find nothing
  } while (pair.session->may_have_more());
  CHECK(got == sent);
}

TEST_CASE("an end that the peer has announced is told from one that it has not") {
  Pair announced;
  announced.send("x");
  SSL_shutdown(announced.client);
  CHECK(announced.read() == "x");
  CHECK(announced.session->may_have_more());
  announced.read();
  CHECK(announced.last == Step::closed);

  Pair cut;
  ::shutdown(cut.sockets[1], SHUT_WR);
  cut.read();
  CHECK(cut.last == Step::truncated);
}

TEST_CASE("what a full socket has not taken goes out later, and is counted once it has") {
  Pair pair;
  const std::uint64_t before = pair.session->sent();
  const std::string record(tls::Session::kRecord, 'x');
  std::size_t n = 0;
  Step step = Step::done;
  std::size_t written = 0;
  while ((step = pair.session->write(record, n)) == Step::done) written += n;
  CHECK(step == Step::wants_write);
  std::string got(written + record.size(), '\0');
  std::size_t size = 0;
  while (SSL_read_ex(pair.client, got.data() + size, got.size() - size, &n) == 1) size += n;
  while ((step = pair.session->write(record, n)) == Step::wants_write) {
    while (SSL_read_ex(pair.client, got.data() + size, got.size() - size, &n) == 1) size += n;
  }
  CHECK(step == Step::done);
  while (SSL_read_ex(pair.client, got.data() + size, got.size() - size, &n) == 1) size += n;
  CHECK(size == written + record.size());
  CHECK(pair.session->sent() - before > size);
}

TEST_CASE("a session whose descriptor is closed touches no other one") {
  Pair pair;
  pair.send("x");
  pair.session->detach();
  CHECK(pair.read().empty());
  CHECK(pair.last == Step::failed);
  CHECK(pair.session->system_error() == EBADF);
}

}  // namespace
