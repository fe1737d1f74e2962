// Reads and sends that a turn collects for one system call.

#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/post.hpp>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/net/ring.hpp"
#include "proxy/net/spawn.hpp"
#include "proxy/net/turn.hpp"
#include "tests/unit/net/peer.hpp"

namespace net {
namespace {

constexpr int kOneThread = BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO;

/// Performs each transfer alone, but does with the next ones what the test says.
class Scripted final : public Batch {
 public:
  enum class Fault : std::uint8_t { none, interrupted, blocked, reset, one_byte };

  explicit Scripted(std::deque<Fault>& faults, std::vector<std::size_t>& sizes) : faults_(faults), sizes_(sizes) {}
  bool begin() override { return true; }
  void perform(std::span<Transfer> all) override {
    sizes_.push_back(all.size());
    for (Transfer& each : all) {
      const Fault fault = faults_.empty() ? Fault::none : faults_.front();
      if (!faults_.empty()) faults_.pop_front();
      if (fault == Fault::one_byte) {
        each.pieces[0].iov_len = 1;
        each.count = 1;
      }
      if (fault == Fault::none || fault == Fault::one_byte) each.perform();
      if (fault == Fault::interrupted) each.result = -EINTR;
      if (fault == Fault::blocked) each.result = -EAGAIN;
      if (fault == Fault::reset) each.result = -ECONNRESET;
    }
  }

 private:
  std::deque<Fault>& faults_;
  std::vector<std::size_t>& sizes_;
};
using Fault = Scripted::Fault;

/// Its stream reads on and on.
struct Reader final : Peer, Stream::Observer {
  Reader(asio::io_context& loop, BlockPool& blocks) : Peer(loop, blocks) {
    stream->observe(this);
    stream->await_input();
  }
  void on_unawaited_read(Stream& of) override {
    ++reads;
    error = of.read_error();
    if (!error && goes_on) of.await_input();
  }
  std::string_view came() const { return stream->in.view(); }

  int reads = 0;
  error_code error;
  bool goes_on = true;
};

/// Two streams that read, on a loop whose turn collects.
struct Scene {
  explicit Scene(std::unique_ptr<Batch> batch = nullptr) {
    turn.collect(batch ? std::move(batch) : std::make_unique<Scripted>(faults, sizes));
    for (int i = 0; i < 2; ++i) peers.push_back(std::make_unique<Reader>(loop, blocks));
    run();
    sizes.clear();
  }
  ~Scene() {
    for (const auto& peer : peers) {
      peer->goes_on = false;
      if (peer->stream->busy()) peer->stream->close();
    }
    run();
    for (const auto& peer : peers) CHECK_FALSE(peer->stream->busy());
  }
  void run() {
    loop.restart();
    loop.poll();
  }
  void write(std::size_t i, std::string_view bytes) {
    spawn_vital(loop.get_executor(), write_and_note(this, i, bytes), "a write");
  }
  static Task<> write_and_note(Scene* scene, std::size_t i, std::string_view bytes) {
    Gather output;
    output.add(bytes.substr(0, bytes.size() / 2));
    output.add(bytes.substr(bytes.size() / 2));
    Stream& stream = *scene->peers[i]->stream;
    co_await stream.write_at_end_of_turn(output);
    const std::string what = stream.written().error() ? " failed" : stream.written().all() ? " sent" : " full";
    scene->events.push_back(std::to_string(i) + what + " " + std::to_string(output.size()));
  }

  std::deque<Fault> faults;
  std::vector<std::size_t> sizes;  ///< of the batches
  BlockPool blocks;
  asio::io_context loop{kOneThread};
  Turn& turn = Turn::install(loop);
  std::vector<std::unique_ptr<Reader>> peers;
  std::vector<std::string> events;
};

TEST_CASE("Reads of all that has been reported go together, and one goes alone") {
  Scene scene;
  for (const auto& peer : scene.peers) peer->send("bytes");
  scene.run();
  CHECK(scene.sizes == std::vector<std::size_t>{2});
  for (const auto& peer : scene.peers) CHECK(peer->came() == "bytes");
  scene.peers[0]->send(" more");
  scene.run();
  CHECK(scene.sizes.size() == 1);
  CHECK(scene.peers[0]->came() == "bytes more");
}

TEST_CASE("What is put off is called after the reads that the next report has collected") {
  Scene scene;
  struct Late {
    Scene& scene;
    Turn::Late late{[](void* self) {
                      Scene& of = static_cast<Late*>(self)->scene;
                      of.events.push_back(std::to_string(of.peers[0]->reads + of.peers[1]->reads) + " reads");
                    },
                    this};
  } late{scene};
  asio::post(scene.loop, [&] {
    scene.turn.put_off(late.late);
    for (const auto& peer : scene.peers) peer->send("bytes");
  });
  scene.run();
  CHECK(scene.events == std::vector<std::string>{"2 reads"});
}

TEST_CASE("Sends of a turn go together") {
  Scene scene;
  scene.write(0, "first");
  scene.write(1, "second");
  scene.run();
  CHECK(scene.sizes == std::vector<std::size_t>{2});
  CHECK(scene.events == std::vector<std::string>{"0 sent 0", "1 sent 0"});
  CHECK(scene.peers[0]->received() == "first");
  CHECK(scene.peers[1]->received() == "second");
}

TEST_CASE("What was interrupted is done again, and what was cut leaves the rest") {
  Scene scene;
  scene.faults = {Fault::interrupted, Fault::one_byte};
  scene.write(0, "first");
  scene.write(1, "second");
  scene.run();
  CHECK(scene.events == std::vector<std::string>{"0 sent 0", "1 full 5"});
  CHECK(scene.peers[0]->received() == "first");
  CHECK(scene.peers[1]->received() == "s");
}

TEST_CASE("A send that would wait is full, and one to a peer that has reset fails") {
  Scene scene;
  scene.faults = {Fault::blocked, Fault::reset};
  scene.write(0, "first");
  scene.write(1, "second");
  scene.run();
  CHECK(scene.events == std::vector<std::string>{"0 full 5", "1 failed 6"});
}

TEST_CASE("An interrupted read is done again") {
  Scene scene;
  scene.faults = {Fault::interrupted, Fault::interrupted};
  for (const auto& peer : scene.peers) peer->send("bytes");
  scene.run();
  for (const auto& peer : scene.peers) CHECK(peer->came() == "bytes");
}

TEST_CASE("A read that finds nothing waits for the next report") {
  Scene scene;
  scene.faults = {Fault::blocked};
  for (const auto& peer : scene.peers) peer->send("bytes");
  scene.run();
  CHECK(scene.peers[0]->reads == 0);
  CHECK(scene.peers[1]->reads == 1);
  scene.peers[0]->send(" more");
  scene.run();
  CHECK(scene.peers[0]->came() == "bytes more");
}

TEST_CASE("A read that fails tells why, and so does the end of the peer") {
  Scene scene;
  scene.faults = {Fault::reset};
  scene.peers[0]->send("bytes");
  ::shutdown(scene.peers[1]->descriptor, SHUT_WR);
  scene.run();
  CHECK(scene.peers[0]->error == asio::error::connection_reset);
  CHECK(scene.peers[1]->error == asio::error::eof);
}

TEST_CASE("A cancelled read that has been collected takes what has come: it is reported once") {
  Scene scene;
  for (const auto& peer : scene.peers) peer->send("bytes");
  // The reports come in one turn; the first reader cancels the other's read before both are performed.
  const auto cancels = [&scene] { scene.peers[1]->stream->cancel(); };
  SUBCASE("and nothing fails") {}
  SUBCASE("if nothing has come after all, it ends without waiting") {
    scene.faults = {Fault::none, Fault::blocked};
  }
  const bool blocked = !scene.faults.empty();
  scene.loop.restart();
  while (scene.peers[0]->reads == 0 && scene.loop.poll_one() > 0) {
    if (scene.sizes.empty()) cancels();
  }
  scene.run();
  CHECK(scene.peers[0]->came() == "bytes");
  if (blocked) {
    CHECK(scene.peers[1]->error == asio::error::operation_aborted);
  } else if (!scene.peers[1]->error) {
    CHECK(scene.peers[1]->came() == "bytes");
  }
  // In either case nothing is lost.
  if (!scene.peers[1]->stream->reading()) {
    scene.peers[1]->stream->start_read();
    scene.run();
  }
  CHECK(scene.peers[1]->came() == "bytes");
}

/// Closes the other one's stream when its own read is collected with it, and gives the descriptor to somebody else.
TEST_CASE("Closing takes a collected read back: the descriptor may be another connection's") {
  Scene scene;
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
  REQUIRE(::send(ends[1], "of others", 9, 0) == 9);
  for (const auto& peer : scene.peers) peer->send("bytes");
  Reader& closed = *scene.peers[1];
  const int descriptor = closed.stream->transport().descriptor();
  scene.loop.restart();
  bool done = false;
  while (!done && scene.loop.poll_one() > 0) {
    // After both reports, before the turn's end: nothing has been read yet.
    done = true;
    scene.loop.poll_one();
    REQUIRE(scene.sizes.empty());
    closed.stream->close();
    REQUIRE(::dup2(ends[0], descriptor) == descriptor);
  }
  scene.run();
  CHECK(closed.came().empty());
  CHECK(closed.error == asio::error::operation_aborted);
  CHECK(scene.peers[0]->came() == "bytes");
  char bytes[16];
  CHECK(::recv(ends[0], bytes, sizeof bytes, 0) == 9);
  ::close(descriptor);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("A full read is followed by another one without a report") {
  Scene scene;
  const std::string bytes(3 * kBlockSize, 'x');
  const int large = 1 << 20;
  for (const auto& peer : scene.peers) {
    ::setsockopt(peer->descriptor, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    peer->send(bytes);
  }
  scene.run();
  for (const auto& peer : scene.peers) CHECK(peer->came() == bytes);
}

// --- The ring itself -------------------------------------------------------------------------------------------------

/// Null where the kernel, or a filter, refuses it.
std::unique_ptr<Ring> ring() {
  std::string why;
  std::unique_ptr<Ring> made = Ring::open(why);
  if (!made) MESSAGE("no io_uring: ", why);
  if (made && !made->begin()) made.reset();
  return made;
}

TEST_CASE("A ring performs what a turn collects") {
  auto made = ring();
  if (!made) return;
  Scene scene(std::move(made));
  for (const auto& peer : scene.peers) peer->send("bytes");
  scene.write(0, "first");
  scene.write(1, "second");
  scene.run();
  CHECK(scene.events == std::vector<std::string>{"0 sent 0", "1 sent 0"});
  CHECK(scene.peers[0]->received() == "first");
  CHECK(scene.peers[1]->received() == "second");
  for (const auto& peer : scene.peers) CHECK(peer->came() == "bytes");
  ::shutdown(scene.peers[0]->descriptor, SHUT_RDWR);
  ::shutdown(scene.peers[1]->descriptor, SHUT_RDWR);
  scene.run();
  for (const auto& peer : scene.peers) CHECK(peer->error == asio::error::eof);
}

TEST_CASE("A ring never waits, tells each its own result, and takes more than it has places") {
  auto made = ring();
  if (!made) return;
  constexpr int kPairs = 300;
  std::vector<int> ours, theirs;
  std::vector<Transfer> all;
  std::vector<std::array<char, 16>> space(kPairs);
  for (int i = 0; i < kPairs; ++i) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);  // that would block
    ours.push_back(ends[0]);
    theirs.push_back(ends[1]);
    if (i % 3 > 0) REQUIRE(::send(ends[1], "bytes", static_cast<std::size_t>(1 + i % 5), 0) > 0);
    all.push_back(Transfer::receive(ends[0], asio::buffer(space[static_cast<std::size_t>(i)])));
  }
  made->perform(all);
  for (int i = 0; i < kPairs; ++i) CHECK(all[static_cast<std::size_t>(i)].result == (i % 3 > 0 ? 1 + i % 5 : -EAGAIN));

  // Sends: one that fits, one that is cut, one to a peer that has gone.
  all.clear();
  const std::string large(8 << 20, 'x');
  for (const std::string_view bytes : {std::string_view("bytes"), std::string_view(large), std::string_view("bytes")}) {
    Gather output;
    output.add(bytes.substr(0, 2));
    output.add(bytes.substr(2));
    all.push_back(Transfer::send(ours[all.size()], output));
  }
  ::close(std::exchange(theirs[2], -1));
  made->perform(all);
  CHECK(all[0].result == 5);
  CHECK(all[1].result > 0);
  CHECK(all[1].result < static_cast<int>(large.size()));
  CHECK(all[2].result == -EPIPE);
  for (const auto& list : {ours, theirs}) {
    for (const int each : list) {
      if (each >= 0) ::close(each);
    }
  }
}

}  // namespace
}  // namespace net
