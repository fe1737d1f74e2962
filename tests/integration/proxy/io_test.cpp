// The key `io`: what is taken, what the log and the gauge say of it, and what happens where io_uring is forbidden.

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"
#include "tests/support/process.hpp"

namespace spillway::test {
namespace {

/// As the filters of containers do.
void forbid(unsigned call) {
  std::array<sock_filter, 4> code{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{code.size(), code.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    ::_exit(99);
}

struct Running {
  Running(const std::string& io, unsigned forbidden) : process(command(io, forbidden)) {}

  support::Command command(const std::string& io, unsigned forbidden) const {
    support::Command all;
    all.arguments = {program(),
                     "--upstream",
                     upstream.address(),
                     "--listen",
                     "127.0.0.1:0",
                     "--set",
                     "admin.listen=127.0.0.1:0",
                     "--set",
                     "log.format=text",
                     "--set",
                     "io=" + io,
                     "--set",
                     "workers=2"};
    if (forbidden != 0) all.in_child = [forbidden] { forbid(forbidden); };
    return all;
  }
  int port_behind(const std::string& before) const {
    const std::string log = process.log();
    const std::size_t end = log.find_first_of(",/\n", log.find(before) + before.size());
    return std::stoi(log.substr(log.rfind(':', end) + 1));
  }
  /// Requests are answered, and the gauge has this value.
  void serves(const char* gauge) {
    REQUIRE(process.await_log("status page at"));
    Client client(port_behind("listening on "));
    for (int i = 0; i < 3; ++i) CHECK(client.get("/").status == 200);
    Client admin(port_behind("admin on "));
    CHECK(admin.get("/metrics").body.find(std::string("\nspillway_io_uring ") + gauge + "\n") != std::string::npos);
    client.close();
    CHECK(process.stop() == 0);
  }

  Upstream upstream;
  support::Process process;
};

TEST_CASE("where io_uring is forbidden, auto goes without and says so, and io_uring is an error at the start") {
  SUBCASE("auto") {
    Running running("auto", SYS_io_uring_setup);
    running.serves("0");
    CHECK(running.process.log().find("io: epoll; io_uring: Operation not permitted") != std::string::npos);
  }
  SUBCASE("auto, if it can be set up and not used") {
    Running running("auto", SYS_io_uring_enter);
    running.serves("0");
  }
  SUBCASE("io_uring") {
    Running running("io_uring", SYS_io_uring_setup);
    CHECK(running.process.wait() == 1);
    CHECK(running.process.log().find("io: io_uring cannot be had: Operation not permitted") != std::string::npos);
  }
}

TEST_CASE("epoll uses no io_uring, and auto does where it can") {
  SUBCASE("epoll") {
    Running running("epoll", 0);
    running.serves("0");
    CHECK(running.process.log().find("io: epoll\n") != std::string::npos);
  }
  SUBCASE("auto") {
    Running running("auto", 0);
    REQUIRE(running.process.await_log("status page at"));
    const bool ring = running.process.log().find("io: io_uring\n") != std::string::npos;
    if (!ring) CHECK(running.process.log().find("io: epoll; io_uring: ") != std::string::npos);
    running.serves(ring ? "1" : "0");
  }
}

}  // namespace
}  // namespace spillway::test
