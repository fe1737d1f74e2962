// Carries bytes between a TLS client and `net::Transport`, cut into records by the client and into pieces by the
// network, both as the input says. Whatever comes must be the front of what was sent; an end counts as one only if the
// client has said so; and nothing that has arrived may be left unread. Input: a byte of options, a byte for the pieces
// of the handshake, then steps: a byte that selects one, and one for its size.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/net/transport.hpp"
#include "proxy/tls/server_context.hpp"
#include "proxy/tls/ticket_keys.hpp"
#include "tests/fuzz/require.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/folder.hpp"

namespace {

constexpr std::size_t kBytesMax = 256 * 1024;  ///< that one side sends
constexpr int kRecordMax = 16 * 1024;

std::shared_ptr<const tls::ServerContext> make_server() {
  const support::Folder folder;
  const support::Issued issued = support::Authority().issue();
  support::write_file(folder.path("both.pem"), issued.key + issued.certificate);
  tls::ServerOptions options;
  options.certificates.push_back({folder.path("both.pem"), {}, {}});
  std::vector<tls::Fault> faults;
  auto server =
      tls::ServerContext::make(options, std::make_shared<tls::TicketKeys>(), std::chrono::system_clock::now(), faults);
  FUZZ_REQUIRE(server);
  return server;
}

/// The n-th byte that a side sends.
char byte_at(std::size_t n) {
  return static_cast<char>(n ^ (n >> 8) ^ (n >> 16));
}

/// Adds the next `size` bytes of that sequence.
void extend(std::string& text, std::size_t size) {
  while (size-- > 0 && text.size() < kBytesMax) text += byte_at(text.size());
}

bool is_front(const std::string& text, const std::string& of) {
  return text.size() <= of.size() && std::equal(text.begin(), text.end(), of.begin());
}

/// OpenSSL's client without a socket: what it writes waits in memory until it is delivered.
class Client {
 public:
  explicit Client(bool newest) : context_(SSL_CTX_new(TLS_client_method())), ssl_(SSL_new(context_)) {
    const int version = newest ? TLS1_3_VERSION : TLS1_2_VERSION;
    SSL_set_min_proto_version(ssl_, version);
    SSL_set_max_proto_version(ssl_, version);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_, in_, out_);
    SSL_set_connect_state(ssl_);
  }
  ~Client() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  Client(const Client&) = delete;

  bool shake_hands() { return SSL_do_handshake(ssl_) == 1; }
  void write(std::string_view bytes) {
    std::size_t n = 0;
    while (!bytes.empty() &&
           SSL_write_ex(ssl_, bytes.data(), std::min<std::size_t>(bytes.size(), kRecordMax), &n) == 1) {
      bytes.remove_prefix(n);
    }
  }
  void end() { SSL_shutdown(ssl_); }
  void renew_keys() {
    SSL_key_update(ssl_, SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(ssl_);
  }
  /// Ciphertext that is not on its way yet.
  std::size_t undelivered() const { return BIO_ctrl_pending(out_); }
  std::string take(std::size_t size) {
    std::string bytes(std::min(size, undelivered()), '\0');
    if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  void receive(std::string_view ciphertext) { BIO_write(in_, ciphertext.data(), static_cast<int>(ciphertext.size())); }
  void read(std::string& to) {
    char bytes[kRecordMax];
    std::size_t n = 0;
    while (SSL_read_ex(ssl_, bytes, sizeof bytes, &n) == 1) to.append(bytes, n);
  }

 private:
  SSL_CTX* context_;
  SSL* ssl_;
  BIO* in_;
  BIO* out_;
};

class Run {
 public:
  Run(const tls::ServerContext& server, bool newest) : client_(newest), newest_(newest), transport_(socket()) {
    transport_.secure(server.accept());
  }
  ~Run() {
    transport_.close();
    loop_.restart();
    loop_.poll();
    ::close(far_);
  }

  /// In pieces of so many bytes.
  void shake_hands(std::size_t piece) {
    bool client_done = false, server_done = false;
    while (!client_done || !server_done) {
      client_done = client_.shake_hands();
      do {
        deliver(piece);
        const tls::Step step = transport_.handshake_step();
        FUZZ_REQUIRE(step == tls::Step::done || step == tls::Step::wants_read);
        server_done = step == tls::Step::done;
      } while (client_.undelivered() > 0 && !server_done);
      collect(kBytesMax);
    }
  }

  void step(unsigned kind, std::size_t size) {
    switch (kind % 9) {
      case 0: {
        const std::size_t before = sent_.size();
        if (ended_) break;
        extend(sent_, size);
        client_.write(std::string_view(sent_).substr(before));
        break;
      }
      case 1:
        deliver(size);
        break;
      case 2:
        read(size);
        break;
      case 3:
        write(size);
        break;
      case 4:
        collect(size);
        break;
      case 5:
        if (newest_ && !ended_) client_.renew_keys();
        key_updates_ += newest_;
        break;
      case 6:
        client_.end();
        ended_ = true;
        break;
      case 7:
        cut();
        break;
      case 8:
        tampered_ = send(std::string(size % 64 + 1, '\x17')) || tampered_;
        break;
    }
    run();
  }

  /// Everything arrives that is still on its way.
  void finish() {
    while (client_.undelivered() > 0 && !cut_ && !error_) {
      deliver(kBytesMax);
      drain();
    }
    drain();
    const bool flawed = tampered_ || key_updates_ > 0;  // too many new keys end the connection
    if (!cut_ && !flawed) FUZZ_REQUIRE(received_ == sent_);
    if (!cut_ && !flawed && ended_) FUZZ_REQUIRE(error_ == net::asio::error::eof);
    if (!ended_ || cut_before_end_) FUZZ_REQUIRE(error_ != net::asio::error::eof);
    if (cut_ || error_) return;
    for (int tries = 0; !output_.empty() && !write_error_; ++tries) {
      FUZZ_REQUIRE(tries < 1000);
      write(0);
      collect(kBytesMax);
    }
    collect(kBytesMax);
    if (!write_error_) FUZZ_REQUIRE(answered_ == answer_);
  }

 private:
  net::Socket socket() {
    int both[2];
    FUZZ_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, both) == 0);
    far_ = both[1];
    const int smallest = 1;  // so that records go out in part
    ::setsockopt(both[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
    net::Socket near(loop_.get_executor(), net::asio::generic::stream_protocol(AF_UNIX, 0), both[0]);
    near.non_blocking(true);
    return near;
  }

  bool send(const std::string& bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size() && !cut_) {
      const ssize_t n = ::send(far_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0 && errno == EAGAIN && !error_)
        drain();
      else if (n <= 0)
        return false;
      sent += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    return !bytes.empty() && !cut_;
  }
  void deliver(std::size_t size) {
    if (!cut_) send(client_.take(size));
  }
  /// The client takes what has been sent to it.
  void collect(std::size_t size) {
    char bytes[kRecordMax];
    while (size > 0) {
      const ssize_t n = ::recv(far_, bytes, std::min(size, sizeof bytes), 0);
      if (n <= 0) break;
      client_.receive({bytes, static_cast<std::size_t>(n)});
      size -= static_cast<std::size_t>(n);
    }
    if (!transport_.tls()->established()) return;
    client_.read(answered_);
    FUZZ_REQUIRE(is_front(answered_, answer_));
  }
  void cut() {
    if (!cut_) ::shutdown(far_, SHUT_WR);
    cut_before_end_ = cut_before_end_ || (!cut_ && client_.undelivered() > 0);
    cut_ = true;
  }

  void read(std::size_t size) {
    if (reading_ || error_) return;
    reading_ = true;
    space_ = std::make_unique<char[]>(size + 1);  // of exactly its size, so that the sanitizer finds a write beyond it
    transport_.async_read(net::asio::buffer(space_.get(), size + 1), [this](net::error_code error, std::size_t n) {
      reading_ = false;
      error_ = error;
      FUZZ_REQUIRE(error || n > 0);
      received_.append(space_.get(), n);
      FUZZ_REQUIRE(is_front(received_, sent_));
    });
  }
  /// Reads until no more comes.
  void drain() {
    std::size_t before = 0;
    do {
      before = received_.size();
      read(kRecordMax);
      run();
    } while (received_.size() != before);
  }
  void write(std::size_t size) {
    if (write_error_) return;
    if (output_.empty()) {
      const std::size_t before = answer_.size();
      answer_.reserve(kBytesMax);  // the pieces must not move
      extend(answer_, size);
      const std::string_view bytes = std::string_view(answer_).substr(before);
      output_ = {};
      for (std::size_t i = 0; i < net::Gather::kPieces; ++i) {
        const std::size_t from = bytes.size() * i / net::Gather::kPieces;
        output_.add(bytes.substr(from, bytes.size() * (i + 1) / net::Gather::kPieces - from));
      }
    }
    transport_.write_now(output_, write_error_);
  }
  void run() {
    loop_.restart();
    loop_.poll();
  }

  net::asio::io_context loop_;
  Client client_;
  bool newest_;
  int far_ = -1;
  net::Transport transport_;
  std::unique_ptr<char[]> space_;
  std::string sent_, received_;    ///< by the client, by the transport
  std::string answer_, answered_;  ///< the other way
  net::Gather output_;
  net::error_code error_, write_error_;
  int key_updates_ = 0;
  bool reading_ = false, ended_ = false, cut_ = false, cut_before_end_ = false, tampered_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto server = make_server();
  if (size < 2) return 0;
  Run run(*server, (data[0] & 1) != 0);
  run.shake_hands(std::size_t{16} * data[1] + 1);
  for (std::size_t i = 2; i + 1 < size; i += 2) {
    // Sizes around those of records, and small ones.
    const std::size_t amount = data[i] >= 128 ? std::size_t{data[i + 1]} * 130 : data[i + 1];
    run.step(data[i] & 127, amount);
  }
  run.finish();
  return 0;
}
