// Opens COUNT connections to 127.0.0.1:PORT, makes one request on each, prints "idle" and holds them open until its
// input ends. Exits 1 if any connection was not answered with 200 or was closed meanwhile. With `tls` it speaks TLS and
// accepts any certificate.
//
//   idle_connections PORT COUNT [tls]
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::string_view kRequest = "GET /idle HTTP/1.1\r\nHost: bench\r\n\r\n";
constexpr std::string_view kExpectedStart = "HTTP/1.1 200";
constexpr std::string_view kExpectedEnd = "{\"status\":\"ok\"}\n";

/// A socket, or TLS over it; both stay open until the process ends.
struct Connection {
  int fd;
  SSL* ssl;

  ssize_t write(std::string_view bytes) const {
    return ssl ? SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size())) : ::write(fd, bytes.data(), bytes.size());
  }
  ssize_t read(char* to, std::size_t size) const {
    return ssl ? SSL_read(ssl, to, static_cast<int>(size)) : ::read(fd, to, size);
  }
};

int fail(const char* what, int number) {
  std::fprintf(stderr, "idle_connections: %s on connection %d\n", what, number);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const bool secure = argc == 4 && argv[3] == std::string_view("tls");
  if (argc != 3 && !secure) {
    std::fputs("usage: idle_connections PORT COUNT [tls]\n", stderr);
    return 2;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

  SSL_CTX* const context = secure ? SSL_CTX_new(TLS_client_method()) : nullptr;
  std::vector<Connection> held;
  for (int number = 1; number <= std::atoi(argv[2]); ++number) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return fail("no connection", number);
    }
    const Connection connection{fd, secure ? SSL_new(context) : nullptr};
    if (secure && (SSL_set_fd(connection.ssl, fd) != 1 || SSL_connect(connection.ssl) != 1)) {
      return fail("no handshake", number);
    }
    if (connection.write(kRequest) != static_cast<ssize_t>(kRequest.size())) {
      return fail("cannot write", number);
    }
    std::array<char, 4096> buffer;
    std::size_t filled = 0;
    while (!std::string_view(buffer.data(), filled).ends_with(kExpectedEnd)) {
      const ssize_t got = connection.read(buffer.data() + filled, buffer.size() - filled);
      if (got <= 0) return fail("no full answer", number);
      filled += static_cast<std::size_t>(got);
    }
    if (!std::string_view(buffer.data(), filled).starts_with(kExpectedStart)) return fail("not 200", number);
    held.push_back(connection);
  }
  std::puts("idle");
  std::fflush(stdout);
  while (std::getchar() != EOF) continue;

  char byte;
  for (const Connection& each : held) {
    if (::recv(each.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) return fail("closed by the proxy", each.fd);
  }
}
