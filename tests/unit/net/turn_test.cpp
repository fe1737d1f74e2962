// The end of a turn of the loop: what goes out then, in which order, and who is told.

#include "proxy/net/turn.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/post.hpp>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/net/spawn.hpp"
#include "tests/unit/net/peer.hpp"

namespace net {
namespace {

constexpr int kOneThread = BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO;

struct Scene {
  explicit Scene(int count) {
    for (int i = 0; i < count; ++i) peers.push_back(std::make_unique<Peer>(loop, blocks));
  }
  Stream& stream(std::size_t i) { return *peers[i]->stream; }

  /// What has happened, in order: `told` is called when the write of a stream has ended.
  void write(std::size_t i, std::string_view bytes, Turn::Order order = Turn::Order::normal) {
    spawn_vital(loop.get_executor(), write_and_note(this, i, bytes, order), "a write");
  }
  static Task<> write_and_note(Scene* scene, std::size_t i, std::string_view bytes, Turn::Order order) {
    Gather output;
    output.add(bytes);
    Stream& stream = scene->stream(i);
    co_await stream.write_at_end_of_turn(output, order);
    scene->left = output.size();
    scene->events.push_back(std::to_string(i) + (stream.written().error() ? " failed"
                                                 : stream.written().all() ? " sent"
                                                                          : " full"));
  }
  /// Runs what is ready.
  void run() {
    loop.restart();
    loop.poll();
  }

  BlockPool blocks;
  asio::io_context loop{kOneThread};
  Turn& turn = Turn::install(loop);
  std::vector<std::unique_ptr<Peer>> peers;
  std::vector<std::string> events;
  std::size_t left = 0;
};

TEST_CASE("A loop has the turn that was installed, and others have none") {
  Scene scene(0);
  CHECK(Turn::of(scene.loop.get_executor()) == &scene.turn);
  asio::io_context other(kOneThread);
  CHECK(Turn::of(other.get_executor()) == nullptr);
}

TEST_CASE("Nothing goes out before all handlers of the turn have run, then all in order") {
  Scene scene(2);
  scene.write(0, "first");
  scene.write(1, "second");
  asio::post(scene.loop, [&scene] {
    scene.events.push_back(scene.peers[0]->received() + "handler");  // nothing has come
  });
  scene.run();
  CHECK(scene.events == std::vector<std::string>{"handler", "0 sent", "1 sent"});
  CHECK(scene.peers[0]->received() == "first");
  CHECK(scene.peers[1]->received() == "second");
}

TEST_CASE("What sets somebody to work goes out before the rest of the turn, in order") {
  Scene scene(5);
  for (int turn = 0; turn < 2; ++turn) {
    scene.events.clear();
    scene.write(0, "answer");
    scene.write(1, "request", Turn::Order::first);
    scene.write(2, "answer");
    scene.write(3, "request", Turn::Order::first);
    scene.write(4, "answer");
    scene.run();
    CHECK(scene.events == std::vector<std::string>{"1 sent", "3 sent", "0 sent", "2 sent", "4 sent"});
  }
}

/// A handler that holds the turn and posts itself, `times` in all.
struct HoldsOn {
  Scene* scene;
  int times;
  void operator()() {
    scene->events.push_back("handler");
    if (--times == 0) return;
    scene->turn.hold();
    asio::post(scene->loop, *this);
  }
};

TEST_CASE("A turn that is held ends after the handlers that have been posted, and not for ever") {
  Scene scene(1);
  asio::post(scene.loop, [&scene] {
    scene.write(0, "bytes");
    scene.turn.hold();
    asio::post(scene.loop, HoldsOn{&scene, 5});
  });
  scene.run();
  REQUIRE(scene.events.size() == 6);
  CHECK(scene.events[0] == "handler");
  CHECK(scene.events[1] == "handler");
  CHECK(scene.events.back() == "handler");  // they cannot keep the output back
}

/// Waits to be resumed, notes it, and has the next one resumed, if there is one.
Task<> wait_and_note(Scene* scene, Parking* parking, std::string name, Parking* next) {
  co_await parking->wait();
  scene->events.push_back(name);
  if (next) scene->turn.resume(*next);
}

TEST_CASE("Coroutines that are resumed in a turn go on before it ends, each once, and may resume others") {
  Scene scene(1);
  Parking first, second, third;
  spawn_vital(scene.loop.get_executor(), wait_and_note(&scene, &first, "first", &third), "a wait");
  spawn_vital(scene.loop.get_executor(), wait_and_note(&scene, &second, "second", nullptr), "a wait");
  spawn_vital(scene.loop.get_executor(), wait_and_note(&scene, &third, "third", nullptr), "a wait");
  scene.run();
  CHECK(scene.events.empty());
  asio::post(scene.loop, [&] {
    scene.write(0, "bytes");
    scene.turn.resume(first);
    scene.turn.resume(second);
    scene.events.push_back("handler");
  });
  scene.run();
  CHECK(scene.events == std::vector<std::string>{"handler", "first", "second", "third", "0 sent"});
}

TEST_CASE("A socket that takes a part leaves the rest to the caller") {
  Scene scene(1);
  const int small = 4096;
  ::setsockopt(scene.stream(0).transport().descriptor(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  const std::string bytes(1 << 20, 'x');
  scene.write(0, bytes);
  scene.run();
  CHECK(scene.events == std::vector<std::string>{"0 full"});
  CHECK(scene.left > 0);
  CHECK(scene.left < bytes.size());
}

TEST_CASE("A write to a peer that has gone fails, and the next one is sent") {
  Scene scene(2);
  ::shutdown(scene.peers[0]->descriptor, SHUT_RDWR);
  scene.write(0, "bytes");
  scene.write(1, "bytes");
  scene.run();
  CHECK(scene.events == std::vector<std::string>{"0 failed", "1 sent"});
}

TEST_CASE("Closing takes the output back: the descriptor may be another connection's when the turn ends") {
  Scene scene(2);
  scene.write(0, "bytes of the closed one");
  asio::post(scene.loop, [&scene] {
    const int closed = scene.stream(0).transport().descriptor();
    scene.stream(0).close();
    REQUIRE(::dup2(scene.stream(1).transport().descriptor(), closed) == closed);
    scene.events.emplace_back("closed");
  });
  scene.run();
  CHECK(scene.events == std::vector<std::string>{"closed", "0 failed"});
  CHECK(scene.peers[1]->received().empty());
}

TEST_CASE("A loop ends only when what waits for the end of a turn has been told") {
  Scene scene(1);
  scene.write(0, "bytes");
  scene.loop.run();  // there is no other work
  CHECK(scene.events == std::vector<std::string>{"0 sent"});
}

TEST_CASE("Coroutines that write again and again do not keep the loop from its events") {
  Scene scene(2);
  bool read = false;
  const auto writes_on = [](Scene* of, const bool* until) -> Task<> {
    for (int i = 0; i < 10 && !*until; ++i) {
      Gather output;
      output.add("x");
      co_await of->stream(0).write_at_end_of_turn(output);
    }
  };
  struct Reader final : Stream::Observer {
    explicit Reader(bool& r) : read(r) {}
    void on_unawaited_read(Stream&) override { read = true; }
    bool& read;
  } reader(read);
  scene.stream(1).observe(&reader);
  scene.stream(1).await_input();
  scene.run();
  REQUIRE_FALSE(read);
  REQUIRE(::send(scene.peers[1]->descriptor, "y", 1, 0) == 1);
  spawn_vital(scene.loop.get_executor(), writes_on(&scene, &read), "writes");
  scene.run();
  CHECK(read);
  CHECK(scene.peers[0]->received().size() < 10);
}

/// Notes that it has been called, and what had happened before.
struct LateNote {
  explicit LateNote(Scene& of) : scene(of) {}
  static void call(void* self) {
    auto& note = *static_cast<LateNote*>(self);
    note.scene.events.emplace_back("late");
  }
  Scene& scene;
  Turn::Late late{&LateNote::call, this};
};

/// Notes what its stream reads.
struct ReadNote final : Stream::Observer {
  explicit ReadNote(Scene& of) : scene(of) {}
  void on_unawaited_read(Stream& stream) override {
    if (stream.read_error()) return;
    scene.events.emplace_back("read");
  }
  Scene& scene;
};

TEST_CASE("What is put off is called after the handlers of the next report, once") {
  Scene scene(1);
  LateNote note(scene);
  ReadNote reads(scene);
  scene.stream(0).observe(&reads);
  scene.stream(0).await_input();
  scene.run();
  asio::post(scene.loop, [&] {
    scene.turn.put_off(note.late);
    scene.turn.put_off(note.late);
    CHECK(note.late.waits());
    scene.peers[0]->send("bytes");  // is reported next
    scene.events.emplace_back("handler");
  });
  scene.run();
  CHECK(scene.events == std::vector<std::string>{"handler", "read", "late"});
  CHECK_FALSE(note.late.waits());
  scene.stream(0).close();
  scene.loop.restart();
  scene.loop.run();  // ends: no work is left
}

TEST_CASE("What is put off waits for turns that the handlers of the report ask for") {
  Scene scene(1);
  LateNote note(scene);
  struct Holds final : Stream::Observer {
    explicit Holds(Scene& of) : scene(of) {}
    void on_unawaited_read(Stream& /*stream*/) override {
      scene.turn.hold();
      asio::post(scene.loop, [this] { scene.events.emplace_back("turn"); });
    }
    Scene& scene;
  } holds(scene);
  scene.stream(0).observe(&holds);
  scene.stream(0).await_input();
  scene.run();
  asio::post(scene.loop, [&] {
    scene.turn.put_off(note.late);
    scene.peers[0]->send("bytes");
  });
  scene.run();
  CHECK(scene.events == std::vector<std::string>{"turn", "late"});
}

TEST_CASE("Handlers that go on posting do not keep back what is put off") {
  Scene scene(1);
  LateNote note(scene);
  asio::post(scene.loop, [&] {
    scene.turn.put_off(note.late);
    scene.turn.hold();
    asio::post(scene.loop, HoldsOn{&scene, 20});
  });
  scene.run();
  REQUIRE(scene.events.size() == 21);
  CHECK(scene.events.back() == "handler");
}

}  // namespace
}  // namespace net
