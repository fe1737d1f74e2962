// Bytes that pass from socket to socket within the kernel.

#include "proxy/net/pipe.hpp"

#include <array>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace net {
namespace {

constexpr std::size_t kPlenty = 10 * Pipe::kSize;

/// A transport, and the descriptor of its peer.
struct End {
  explicit End(asio::io_context& loop) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    transport.emplace(Socket(loop.get_executor(), asio::generic::stream_protocol(AF_UNIX, 0), ends[0]));
    own = ends[0];
    peer = ends[1];
  }
  ~End() { close_peer(); }
  void close_peer() {
    if (peer >= 0) ::close(std::exchange(peer, -1));
  }
  void send(std::string_view bytes) const {
    REQUIRE(::send(peer, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  std::string receive() const {
    std::string all;
    std::array<char, 4096> piece;
    for (ssize_t size; (size = ::recv(peer, piece.data(), piece.size(), 0)) > 0;)
      all.append(piece.data(), static_cast<std::size_t>(size));
    return all;
  }
  std::optional<Transport> transport;
  int own = -1, peer = -1;
};

struct Scene {
  asio::io_context loop;
  MemoryBudget budget;
  End from{loop}, to{loop};
  std::unique_ptr<Pipe> pipe = Pipe::open(budget, kPlenty);
  error_code error;
};

TEST_CASE("a pipe carries what has come, and no more than it is asked for") {
  Scene s;
  REQUIRE(s.pipe);
  CHECK(s.pipe->fill(*s.from.transport, 100, s.error) == 0);
  CHECK(s.error == asio::error::would_block);
  s.from.send("first and second");
  s.error = {};
  CHECK(s.pipe->fill(*s.from.transport, 5, s.error) == 5);
  CHECK(s.pipe->held() == 5);
  CHECK(s.pipe->write_now(*s.to.transport, s.error));
  CHECK(s.to.receive() == "first");
  CHECK(s.pipe->empty());
  CHECK(s.pipe->fill(*s.from.transport, 100, s.error) == 11);
  CHECK(s.pipe->write_now(*s.to.transport, s.error));
  CHECK(s.to.receive() == " and second");
  CHECK_FALSE(s.error);
}

TEST_CASE("the end of the input is told, and is no error") {
  Scene s;
  s.from.send("last");
  s.from.close_peer();
  CHECK(s.pipe->fill(*s.from.transport, 100, s.error) == 4);
  CHECK(s.pipe->write_now(*s.to.transport, s.error));
  CHECK(s.pipe->fill(*s.from.transport, 100, s.error) == 0);
  CHECK_FALSE(s.error);
}

TEST_CASE("what a full socket does not take stays, and can be taken into memory") {
  Scene s;
  const std::string before(64 * 1024, 'x');
  while (::send(s.to.own, before.data(), before.size(), 0) > 0) continue;
  s.from.send("first and second");
  REQUIRE(s.pipe->fill(*s.from.transport, kPlenty, s.error) == 16);
  CHECK_FALSE(s.pipe->write_now(*s.to.transport, s.error));
  CHECK_FALSE(s.error);
  CHECK(s.pipe->held() == 16);
  std::array<char, 100> kept;
  CHECK(s.pipe->read(kept.data(), 6) == 6);
  s.to.receive();
  CHECK(s.pipe->write_now(*s.to.transport, s.error));
  CHECK(s.to.receive() == "and second");
  CHECK(std::string_view(kept.data(), 6) == "first ");
  CHECK(s.pipe->empty());
}

TEST_CASE("a peer that has left is an error") {
  std::signal(SIGPIPE, SIG_IGN);  // as the process does
  Scene s;
  s.from.send("bytes");
  REQUIRE(s.pipe->fill(*s.from.transport, 100, s.error) == 5);
  s.to.close_peer();
  CHECK_FALSE(s.pipe->write_now(*s.to.transport, s.error));
  CHECK(s.error == asio::error::broken_pipe);
}

TEST_CASE("pipes take memory out of the budget while they live") {
  MemoryBudget budget;
  {
    const auto first = Pipe::open(budget, Pipe::kSize);
    CHECK(first);
    CHECK(budget.used() == Pipe::kSize);
    CHECK_FALSE(Pipe::open(budget, Pipe::kSize));
  }
  CHECK(budget.used() == 0);
}

}  // namespace
}  // namespace net
