// What goes wrong while a new process takes over leaves the old one as it was.

#include <csignal>
#include <fstream>
#include <list>
#include <optional>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/proxy/handover_place.hpp"
#include "tests/integration/proxy/held.hpp"
#include "tests/support/listener.hpp"

namespace spillway::test {
namespace {

std::string frame(const std::string& kind, const std::string& payload) {
  return kind + " " + std::to_string(payload.size()) + "\n" + payload;
}

/// Reads frames until one of this kind. Nothing: it did not come.
std::optional<std::string> await_frame(Wire& wire, const std::string& kind) {
  std::string line, payload;
  while (wire.read_exactly(1, line)) {
    if (line.back() != '\n') continue;
    const std::size_t blank = line.find(' ');
    payload.clear();
    if (blank == std::string::npos || !wire.read_exactly(std::stoul(line.substr(blank + 1)), payload)) break;
    if (line.substr(0, blank) == kind) return payload;
    line.clear();
  }
  return std::nullopt;
}

TEST_CASE("a successor with a bad configuration, or one that cannot start, changes nothing") {
  Upstream upstream;
  const Place place;
  Settings settings = place.settings();
  const std::string traffic = place.folder.path("traffic.sock");
  settings.listen = "['127.0.0.1:0', 'unix:" + traffic + "']";
  Proxy first(upstream, settings);
  const support::Listener taken;
  for (const std::string& config :
       {std::string("listen: nowhere\nhandover: ") + place.socket + "\n",
        std::string("listen: ['127.0.0.1:0', 'unix:") + traffic + "', '127.0.0.1:" + std::to_string(taken.port()) +
            "']\nadmin: {listen: '127.0.0.1:0'}\nhandover: " + place.socket + "\n"}) {
    const std::string path = place.folder.path("bad.yaml");
    std::ofstream(path) << config;
    support::Process bad({.arguments = {program(), "--config", path}, .environment = {}, .in_child = {}});
    CHECK(bad.wait() == 1);
    CHECK(Client(first).get("/").status == 200);
    CHECK(Client(Wire::unix_socket(traffic)).get("/").status == 200);
    CHECK(first.page("/ready").first == 200);
  }
  CHECK(first.await_log("this process goes on"));
  Proxy second(upstream, settings);
  REQUIRE(await_takeover(second, first));
  CHECK(second.port() == first.port());
  check_ended(first);
}

TEST_CASE("a successor that dies on the way changes nothing, wherever it was") {
  Upstream upstream(hold);
  const Place place;
  Settings settings = place.settings();
  settings.admission = admit(2) + ", queue: {max_wait: 0s}";
  Proxy first(upstream, settings);
  std::list<Client> inside = fill(first, upstream, 1);
  struct Row {
    const char *last, *told;
  };
  for (const Row& row : {Row{"hello", "before it was known"}, Row{"end", "before it was ready"},
                         Row{"go", "before it was running"}, Row{"", "what is no frame"}}) {
    CAPTURE(row.told);
    const std::string last = row.last;
    Wire fake = Wire::unix_socket(place.socket);
    REQUIRE(await_frame(fake, "hello"));
    if (last.empty()) fake.send(std::string(100, '\0'));
    if (last == "end" || last == "go") {
      fake.send(frame("hello", "{}") + frame("from_the_future", "..."));
      REQUIRE(await_frame(fake, "end"));
    }
    if (last == "go") {
      fake.send(frame("ready", ""));
      const auto go = await_frame(fake, "go");
      REQUIRE(go);
      CHECK(go->find("\"requests\":1") != std::string::npos);
    }
    if (!last.empty()) fake.close();
    CHECK(first.await_log(row.told));
    fake.close();
    Client client(first);
    client.start("GET", "/");  // the second slot can be used again
    REQUIRE(eventually([&] { return upstream.inside() == 2; }));
    upstream.release();
    REQUIRE(eventually([&] { return upstream.inside() == 1; }));
  }
  upstream.release_all();
  Proxy second(upstream, settings);
  REQUIRE(await_takeover(second, first));
  inside.clear();
  check_ended(first);
}

TEST_CASE("a process of another user gets nothing") {
  if (::geteuid() != 0) return;
  Upstream upstream;
  const Place place;
  Proxy first(upstream, place.settings());
  ::chmod(place.folder.path().c_str(), 0755);
  REQUIRE(eventually([&] {
    struct stat is {};
    return ::stat(place.socket.c_str(), &is) == 0 && (is.st_mode & 0777) == 0600;
  }));
  ::chmod(place.socket.c_str(), 0666);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    place.socket.copy(name.sun_path, sizeof name.sun_path - 1);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) ::_exit(3);
    char answer[8];
    if (::read(socket, answer, sizeof answer) != sizeof answer) ::_exit(4);
    ::_exit(std::string_view(answer, sizeof answer) == "refused " ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(first.await_log("refused a process of user 65534"));
  CHECK(Client(first).get("/").status == 200);
}

/// A listening unix socket.
class UnixListener {
 public:
  explicit UnixListener(const std::string& path) : path_(path), descriptor_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    REQUIRE(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    REQUIRE(::listen(descriptor_, 1) == 0);
  }
  ~UnixListener() {
    ::close(descriptor_);
    ::unlink(path_.c_str());
  }
  UnixListener(const UnixListener&) = delete;
  Wire accept() const { return Wire(::accept(descriptor_, nullptr, nullptr)); }

 private:
  std::string path_;
  int descriptor_;
};

/// A process of another version that hands over nothing but this state.
void hand_over(const std::string& path, const std::string& state, const Settings& settings, const char* told) {
  Upstream upstream;
  std::optional<UnixListener> listener(std::in_place, path);
  std::thread old([&] {
    Wire wire = listener->accept();
    listener.reset();  // the successor opens a socket of its own there

    wire.send(frame("hello", R"({"version":99})") + frame("from_the_future", "{}") + frame("state", state) +
              frame("end", ""));
    if (!await_frame(wire, "ready")) return;
    wire.send(frame("go", R"({"requests":0,"streams":0,"later":1})"));
    if (await_frame(wire, "running")) wire.send(frame("need", R"({"requests":0})"));
  });
  {
    Proxy next(upstream, settings);
    CHECK(next.await_log(told));
    CHECK(await_takeover(next));
    CHECK(Client(next).get("/").status == 200);
  }
  old.join();
}

TEST_CASE("of a state of another version what is known counts; a corrupt one is refused, and nothing is learned") {
  const Place place;
  Settings settings = place.settings();
  settings.admission = "max_concurrent: 200, adaptive: {enabled: true}";
  hand_over(place.socket, R"({"version":99,"admission":{"limit":{"enabled":true,"level":77,"found":true,"new":[]}}})",
            settings, "limit 77");
  hand_over(place.socket, R"({"version":1,"admission":{"limit":{"level":"77"}}})", settings,
            "refused: admission.limit.level is not");
  hand_over(place.socket, std::string(100'000, '{'), settings, "nothing learned is taken over");
}

TEST_CASE("a successor that cannot be started is told of, and the next attempt works") {
  Upstream upstream;
  const Place place;
  Proxy first(upstream, place.settings());
  first.configure_badly("listen: nowhere\nreload: auto\n");
  first.signal(SIGUSR2);
  REQUIRE(first.await_log("has ended with status 1: this process goes on"));
  CHECK(Client(first).get("/").status == 200);
}

TEST_CASE("a successor that hangs at its start is killed after half a minute, and the next attempt works") {
  const Place place;
  const std::string link = place.folder.path("spillway"), config = place.folder.path("proxy.yaml");
  const auto install = [&](const std::string& target) {
    std::filesystem::remove(link);
    std::filesystem::create_symlink(target, link);
  };
  const std::string hangs = place.folder.path("hangs");
  std::ofstream(hangs) << "#!/bin/sh\nexec sleep 600\n";
  std::filesystem::permissions(hangs, std::filesystem::perms::owner_all);
  std::ofstream(config) << "listen: '127.0.0.1:0'\nadmin: {listen: '127.0.0.1:0'}\nupstream: {address: '127.0.0.1:1'}\n"
                        << "log: {format: json}\nhandover: " << place.socket << '\n';
  install(program());
  support::Process old({.arguments = {link, "--config", config}, .environment = {}, .in_child = {}});
  REQUIRE(old.await_log("listening on "));

  install(hangs);
  old.signal(SIGUSR2);
  const auto kPatience = std::chrono::seconds(60);
  CHECK(eventually([&] { return old.log().find("it is killed") != std::string::npos; }, kPatience));
  REQUIRE(old.await_log("has ended by signal 9: this process goes on"));
  install(program());
  old.signal(SIGUSR2);
  REQUIRE(old.await_log("taken over from process "));
  const std::string log = old.log(), started = " as process ";
  const pid_t successor = std::stoi(log.substr(log.rfind(started) + started.size()));
  ::kill(successor, SIGTERM);  // it writes to the same log
  CHECK(old.wait() == 0);
}

}  // namespace
}  // namespace spillway::test
