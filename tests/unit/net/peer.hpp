#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/net/stream.hpp"

namespace net {

/// A stream on a loop, and the descriptor of its peer.
struct Peer {
  Peer(asio::io_context& loop, BlockPool& blocks) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    descriptor = ends[1];
    Socket socket(loop.get_executor(), asio::generic::stream_protocol(AF_UNIX, 0), ends[0]);
    socket.non_blocking(true);
    stream = std::make_unique<Stream>(Transport(std::move(socket)), blocks);
  }
  ~Peer() { leave(); }
  Peer(const Peer&) = delete;

  void send(std::string_view bytes) const {
    REQUIRE(::send(descriptor, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  /// All that has come.
  std::string received() const {
    std::string all;
    char bytes[4096];
    for (ssize_t size; (size = ::recv(descriptor, bytes, sizeof bytes, 0)) > 0;) {
      all.append(bytes, static_cast<std::size_t>(size));
    }
    return all;
  }
  void leave() {
    if (descriptor >= 0) ::close(std::exchange(descriptor, -1));
  }

  int descriptor = -1;
  std::unique_ptr<Stream> stream;
};

}  // namespace net
