// The API waits for reports of input and asks for none twice. So what comes together with the end of its connection, or
// in more parts than one, must not be missed. A stopped process makes things come together.

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"
#include "tests/integration/api/relay.hpp"
#include "tests/support/preload/calls.hpp"

namespace api::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// A configuration with the shared database.
std::string with_database(const std::string& more = {}) {
  return "database: {url: \"" + Database::shared().url() + "\", pool_size: 1, max_overflow: 0}\n" + more;
}

constexpr const char* kLookup = "/api/v1/scholarships/1";
/// The silence of a server is noticed only after this.
constexpr const char* kLongSilence = "ping_timeout: 60s";

/// The calls of a program that was started with `start`.
class CallCounts {
 public:
  CallCounts() {
    std::ofstream(path_) << std::string(sizeof(Counts), '\0');
    const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    void* const memory = ::mmap(nullptr, sizeof(Counts), PROT_READ, MAP_SHARED, file, 0);
    ::close(file);
    REQUIRE(memory != MAP_FAILED);
    counts_ = static_cast<const Counts*>(memory);
  }
  ~CallCounts() { ::munmap(const_cast<Counts*>(counts_), sizeof(Counts)); }
  CallCounts(const CallCounts&) = delete;
  CallCounts& operator=(const CallCounts&) = delete;

  /// Listens at `listen()`.
  Start start(const std::string& config) const {
    const char* options = std::getenv("ASAN_OPTIONS");
    return {"listen: \"unix:" + listen() + "\"\n" + config,
            {},
            {{"LD_PRELOAD", PRELOADED_CALLS},
             {"PRELOADED_CALLS_FILE", path_},
             {"ASAN_OPTIONS", std::string(options ? options : "") + ":verify_asan_link_order=0"}},
            {}};
  }
  std::string listen() const { return folder_.path() + "/api.sock"; }
  double of(support::Call call) const {
    return static_cast<double>((*counts_)[static_cast<std::size_t>(call)].load(std::memory_order_relaxed));
  }

 private:
  using Counts = std::array<std::atomic<std::uint64_t>, support::kCalls>;
  Folder folder_;
  const std::string path_ = folder_.path() + "/calls";
  const Counts* counts_ = nullptr;
};

TEST_CASE("A look-up takes two reads and no other call for its waits") {
  CallCounts calls;
  Program api(calls.start(with_database()));
  REQUIRE(api.await_log("listening on "));
  Client client(calls.listen());
  REQUIRE(eventually([&] { return client.request("GET", "/ready").status == 200; }));
  client.login();
  CHECK(client.request("GET", kLookup).status == 200);

  constexpr int kLookups = 300;
  const double read = calls.of(support::Call::recv);
  const double registered = calls.of(support::Call::epoll_ctl);
  const double polled = calls.of(support::Call::poll);
  REQUIRE(read > 0);
  REQUIRE(registered > 0);
  for (int i = 0; i < kLookups; ++i) REQUIRE(client.request("GET", kLookup).status == 200);
  // The rest is for what happens every second, and for pauses of this test.
  CHECK((calls.of(support::Call::recv) - read) / kLookups < 2.3);
  CHECK((calls.of(support::Call::epoll_ctl) - registered) / kLookups < 0.3);
  CHECK((calls.of(support::Call::poll) - polled) / kLookups < 0.3);
  CHECK(api.stop() == 0);
}

TEST_CASE("Results of megabytes are read to their end, and small ones after them") {
  OwnTables tables("large");
  Program api(tables.config());
  api.await_ready();
  Client client(api.port());
  client.login();
  for (const std::size_t size : {std::size_t{3} << 20, std::size_t{10}, std::size_t{16384}, std::size_t{1} << 20}) {
    CAPTURE(size);
    tables.session().run("UPDATE large.scholarships SET description = repeat('x', " + std::to_string(size) + ")");
    for (int i = 0; i < 10; ++i) {
      const Reply reply = client.request("GET", kLookup);
      REQUIRE(reply.status == 200);
      REQUIRE(reply.json().at("description").as_string().size() == size);
    }
  }
  // A second attempt would hide that a first one was abandoned.
  CHECK(client.request("GET", "/health").json().at("pool").at("connection_errors") == 0);
  CHECK(api.stop() == 0);
}

/// An API with one connection to the database, whose query waits for a lock. While the process is stopped it gets the
/// answer, and then whatever the test does.
class Stopped {
 public:
  /// The name tells its connection from others'.
  Stopped(const std::string& url, const std::string& name, const std::string& settings)
      : name_(name),
        api_("database: {url: \"" + url + " application_name=" + name +
             "\", pool_size: 1, max_overflow: 0, statement_timeout: 5m, " + settings + "}\n"),
        client_((api_.await_ready(), api_.port())) {
    client_.login();
    REQUIRE(client_.request("GET", kLookup).status == 200);
    lock_.emplace();
    client_.start("GET", kLookup);
    REQUIRE(eventually([&] { return backends("wait_event_type = 'Lock'") == 1; }));
    api_.signal(SIGSTOP);
    lock_.reset();
    REQUIRE(eventually([&] { return backends("state = 'idle'") == 1; }));
  }
  ~Stopped() { api_.signal(SIGCONT); }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

  void end_backend() {
    session_.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '" + name_ + "'");
    REQUIRE(eventually([&] { return backends("true") == 0; }));
  }
  /// Lets it go on: it answers this request, and the next one, too.
  void go_on() {
    api_.signal(SIGCONT);
    CHECK(client_.receive().status == 200);
    CHECK(client_.request("GET", kLookup).status == 200);
  }

 private:
  int backends(const std::string& which) {
    return std::stoi(
        session_.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = '" + name_ + "' AND " + which));
  }

  const std::string name_;
  Session session_;
  Program api_;
  Client client_;
  std::optional<TableLock> lock_;
};

TEST_CASE("An answer comes together with the end of its connection: the next query uses another one") {
  Stopped api(Database::shared().url(), "ended", kLongSilence);
  api.end_backend();
  const auto began = Clock::now();
  api.go_on();
  CHECK(Clock::now() - began < 40s);
}

TEST_CASE("The same over TCP") {
  Relay relay(Relay::Place::loopback);
  Stopped api(relay.url(), "ended_over_tcp", kLongSilence);
  api.end_backend();
  REQUIRE(eventually([&] { return relay.open() == 0; }));
  const auto began = Clock::now();
  api.go_on();
  CHECK(Clock::now() - began < 40s);
}

TEST_CASE("An answer comes together with a half-close that takes more queries: the same") {
  Relay relay(Relay::Place::loopback);
  Stopped api(relay.url(), "half_closed", kLongSilence);
  relay.half_close();
  const auto began = Clock::now();
  api.go_on();
  CHECK(Clock::now() - began < 40s);
}

/// A client sends this and ends its sending, in one report for the process. Returns what comes until the end.
std::string answer_to_ended(const Program& api, const std::string& sent) {
  support::Wire wire = support::Wire::tcp(api.port());
  api.signal(SIGSTOP);
  CHECK(wire.send(sent));
  wire.finish_sending();
  api.signal(SIGCONT);
  std::string answer;
  wire.read_to_end(answer);
  CHECK(wire.end() == support::End::closed);
  return answer;
}

TEST_CASE(
    "A client that ends its sending with the request gets the response, and then the end; half a one is told so") {
  Program api(with_database("timeouts: {keep_alive: 1h}\n"));
  api.await_ready();
  const std::string request = "GET /ready HTTP/1.1\r\nHost: test\r\n\r\n";
  for (int i = 0; i < 3; ++i) CHECK(answer_to_ended(api, request).starts_with("HTTP/1.1 200 "));
  CHECK(answer_to_ended(api, request.substr(0, 28)).starts_with("HTTP/1.1 400 "));
  CHECK(api.stop() == 0);
}

TEST_CASE("Requests that fill each read are all answered") {
  Program api(with_database());
  api.await_ready();
  // 4096 bytes, as many as a read takes.
  std::string request = "GET /health HTTP/1.1\r\nHost: test\r\nX-Filler: ";
  request.resize(4096 - 4, 'x');
  request += "\r\n\r\n";
  REQUIRE(request.size() == 4096);
  constexpr int kRequests = 40;
  std::string all;
  for (int i = 0; i < kRequests; ++i) all += request;
  Client client(api.port());
  api.signal(SIGSTOP);
  client.send(all);
  api.signal(SIGCONT);
  for (int i = 0; i < kRequests; ++i) REQUIRE(client.receive().status == 200);
  CHECK(client.request("GET", "/health").status == 200);
  CHECK(api.stop() == 0);
}

TEST_CASE("A client that sends without end does not keep the others waiting") {
  Program api(with_database("workers: 1\n"));
  api.await_ready();
  std::string all;
  while (all.size() < 200'000) all += "GET /health HTTP/1.1\r\nHost: test\r\n\r\n";
  support::Wire greedy = support::Wire::tcp(api.port());
  // It never reads: what it has sent is more than the sockets hold, so that its connection always has more to read or
  // to write.
  greedy.send_some(all);
  Client client(api.port());
  for (int i = 0; i < 20; ++i) {
    greedy.send_some(all);
    REQUIRE(client.request("GET", "/health").status == 200);
  }
  CHECK(api.stop() == 0);
}

}  // namespace
}  // namespace api::test
