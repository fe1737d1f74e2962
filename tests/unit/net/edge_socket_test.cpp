// Waiting for input without a system call: what is a report, and what ends a wait.

#include "proxy/net/edge_socket.hpp"

#include <memory>
#include <optional>
#include <string_view>

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/net/spawn.hpp"

namespace net {
namespace {

/// A socket of the loop, and the descriptor of its peer.
struct Scene {
  Scene() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    peer = ends[1];
    socket.emplace(loop->get_executor(), ends[0]);
    settle();
  }
  ~Scene() {
    if (peer >= 0) ::close(peer);
  }

  void send(std::string_view bytes) const {
    REQUIRE(::send(peer, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  void close_peer() { ::close(std::exchange(peer, -1)); }
  /// Runs what is ready.
  void turn() const {
    loop->restart();
    loop->poll();
  }
  void wait() {
    ended.reset();
    spawn_vital(loop->get_executor(), one_wait(), "waiting");
    turn();
  }
  Task<> one_wait() {
    auto [error] = co_await socket->wait_input();
    ended = error;
  }
  /// The first wait of a socket may end at once.
  void settle() {
    wait();
    if (!ended) {
      socket->end_wait();
      turn();
    }
    ended.reset();
  }

  std::unique_ptr<asio::io_context> loop = std::make_unique<asio::io_context>(1);
  std::optional<EdgeSocket> socket;
  std::optional<error_code> ended;
  int peer = -1;
};

TEST_CASE("A wait ends when input comes, and each report ends one wait") {
  Scene scene;
  scene.wait();
  CHECK(!scene.ended);
  scene.send("one");
  scene.turn();
  REQUIRE(scene.ended);
  CHECK(!*scene.ended);

  // The bytes are still unread, and are not reported again.
  scene.wait();
  CHECK(!scene.ended);
  scene.send("two");
  scene.turn();
  CHECK(scene.ended);
}

TEST_CASE("A report that comes while nobody waits ends the next wait at once") {
  Scene scene;
  scene.send("early");
  scene.turn();
  scene.wait();
  REQUIRE(scene.ended);
  CHECK(!*scene.ended);
  scene.wait();
  CHECK(!scene.ended);
  scene.socket->close();
  scene.turn();
}

TEST_CASE("The end of the input is a report") {
  Scene scene;
  scene.wait();
  scene.close_peer();
  scene.turn();
  REQUIRE(scene.ended);
  CHECK(!*scene.ended);
}

TEST_CASE("cancel, end_wait and close end a wait; without one they do nothing") {
  Scene scene;
  scene.socket->end_wait();
  scene.wait();
  scene.socket->end_wait();
  scene.turn();
  CHECK(scene.ended == asio::error::operation_aborted);

  scene.wait();
  scene.socket->cancel();
  scene.turn();
  CHECK(scene.ended == asio::error::operation_aborted);

  scene.wait();
  scene.socket->close();
  scene.turn();
  CHECK(scene.ended == asio::error::operation_aborted);

  scene.wait();
  CHECK(scene.ended == asio::error::bad_descriptor);
}

TEST_CASE("A released descriptor goes on in another loop, which is told of what has come") {
  Scene scene;
  scene.send("between");
  const int descriptor = scene.socket->release();
  scene.loop = std::make_unique<asio::io_context>(1);
  scene.socket.emplace(scene.loop->get_executor(), descriptor);
  scene.wait();
  REQUIRE(scene.ended);
  CHECK(!*scene.ended);
  char bytes[16];
  CHECK(::recv(descriptor, bytes, sizeof(bytes), MSG_DONTWAIT) == 7);
}

TEST_CASE("Asio's own waits work beside it") {
  Scene scene;
  std::optional<error_code> writable;
  scene.socket->async_wait(Socket::wait_write, [&](error_code error) { writable = error; });
  scene.wait();
  scene.turn();
  REQUIRE(writable);
  CHECK(!*writable);
  CHECK(!scene.ended);
  scene.socket->end_wait();
  scene.turn();

  scene.send("unread");
  scene.turn();
  scene.wait();
  REQUIRE(scene.ended);
  std::optional<error_code> readable;  // by its state, not by a report
  scene.socket->async_wait(Socket::wait_read, [&](error_code error) { readable = error; });
  scene.turn();
  CHECK(readable);
}

TEST_CASE("A loop that ends destroys the coroutine that waits") {
  const auto alive = std::make_shared<int>(0);
  {
    Scene scene;
    spawn_vital(
        scene.loop->get_executor(),
        [](Scene* of, std::shared_ptr<int> /*held*/) -> Task<> { co_await of->socket->wait_input(); }(&scene, alive),
        "waiting");
    scene.turn();
    CHECK(alive.use_count() == 2);
    scene.loop->stop();
    // The coroutine goes first, then its socket, then the loop: as when a program ends.
    struct Loop : asio::io_context {
      using asio::io_context::shutdown;
    };
    static_cast<Loop*>(scene.loop.get())->shutdown();
    CHECK(alive.use_count() == 1);
  }
}

}  // namespace
}  // namespace net
