// Sockets that take less than they are given, and calls that are interrupted: see tests/support/preload/faults.cpp.

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tests/integration/proxy/client.hpp"
#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {
namespace {

constexpr int kClients = 16;
constexpr int kRounds = 20;

struct Faults {
  unsigned cut = 0, interrupted = 0, entries_cut = 0;
};

/// A proxy whose calls fail so, with this value of `io`.
class Faulty {
 public:
  Faulty(const Upstream& upstream, const std::string& io, const Settings& more = {})
      : io_(io), proxy_(std::make_unique<Proxy>(upstream, settings(io, more))) {}
  ~Faulty() {
    CHECK(proxy_->accounts_balance());
    const bool ring = proxy_->metric("spillway_io_uring") == 1;
    proxy_.reset();
    Faults faults;
    std::ifstream(folder_.path("faults")) >> faults.cut >> faults.interrupted >> faults.entries_cut;
    CHECK(faults.cut > 0);
    CHECK(faults.interrupted > 0);
    if (io_ == "epoll") CHECK_FALSE(ring);
    if (ring) CHECK(faults.entries_cut > 0);
  }
  const Proxy& operator*() const { return *proxy_; }

 private:
  Settings settings(const std::string& io, Settings settings) const {
    const char* const options = std::getenv("ASAN_OPTIONS");
    settings.more = "io: " + io + "\n";
    settings.environment = {{"LD_PRELOAD", PRELOADED_FAULTS},
                            {"PRELOADED_FAULTS_FILE", folder_.path("faults")},
                            {"ASAN_OPTIONS", std::string(options ? options : "") + ":verify_asan_link_order=0"}};
    return settings;
  }

  Folder folder_;
  std::string io_;
  std::unique_ptr<Proxy> proxy_;
};

/// Runs `work` in as many threads as there are clients, so that a turn of the loop has more than one to serve.
template <class Work>
void all_at_once(Work work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("requests and answers arrive whole when sockets take them in parts") {
  for (const char* const io : {"epoll", "auto"}) {
    CAPTURE(io);
    Upstream upstream([](Turn& turn) {
      const std::string target = turn.request().substr(turn.request().find(' ') + 1);
      if (target == "/echo") return turn.answer(turn.body());
      turn.answer(pattern(static_cast<std::size_t>(std::stoi(target.substr(1)))));
    });
    const Faulty faulty(upstream, io);
    std::atomic<int> wrong{0};
    all_at_once([&](int number) {
      Client client(*faulty);
      for (int round = 0; round < kRounds; ++round) {
        const auto size = static_cast<std::size_t>(round * round * 50 + number);
        const std::string body = pattern(size);
        const std::string fields = "X-Long: " + std::string(static_cast<std::size_t>(100 * round), 'x') + "\r\n";
        if (client.get("/" + std::to_string(size), fields).body != body) ++wrong;
        if (client.request("POST", "/echo", {}, body).body != body) ++wrong;
      }
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("a large body that passes within the kernel arrives whole, and so does what follows") {
  const std::string body = pattern(2 * 1024 * 1024);
  for (const char* const io : {"epoll", "auto"}) {
    CAPTURE(io);
    Upstream upstream([&](Turn& turn) { turn.answer(turn.request() == "GET /small" ? "ok" : body); });
    const Faulty faulty(upstream, io);
    std::atomic<int> wrong{0};
    all_at_once([&](int) {
      Client client(*faulty);
      for (int round = 0; round < 3; ++round) {
        if (client.get("/").body != body || client.get("/small").body != "ok") ++wrong;
      }
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("a large upload that passes within the kernel arrives whole, and so does what follows") {
  constexpr std::size_t kMiB = 1024 * 1024;
  const std::string large = pattern(16 * kMiB);
  const std::string_view less = std::string_view(large).substr(0, 2 * kMiB);
  for (const char* const io : {"epoll", "auto"}) {
    CAPTURE(io);
    std::atomic<int> wrong{0};
    Upstream upstream([&](Turn& turn) {
      if (turn.request() == "PUT /large" && turn.body() != large) ++wrong;
      if (turn.request() == "PUT /less" && turn.body() != less) ++wrong;
      turn.answer();
    });
    Settings settings;
    settings.limits = "body: 0";
    const Faulty faulty(upstream, io, settings);
    all_at_once([&](int number) {
      Client client(*faulty);
      for (int round = 0; round < 3; ++round) {
        const Reply reply =
            number == 0 ? client.request("PUT", "/large", {}, large) : client.request("PUT", "/less", {}, less);
        if (reply.body != "ok" || client.get("/small").body != "ok") ++wrong;
      }
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("an answer that ends its connection arrives whole") {
  for (const char* const io : {"epoll", "auto"}) {
    CAPTURE(io);
    Upstream upstream([](Turn& turn) { turn.answer(pattern(1500)); });
    const Faulty faulty(upstream, io);
    std::atomic<int> wrong{0};
    all_at_once([&](int) {
      for (int round = 0; round < kRounds; ++round) {
        Client client(*faulty);
        const Reply reply = client.get("/", "Connection: close\r\n");
        if (!reply.whole || reply.body != pattern(1500) || client.ended() != End::closed) ++wrong;
      }
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("pipelined requests are answered in order, and refusals arrive whole") {
  for (const char* const io : {"epoll", "auto"}) {
    CAPTURE(io);
    Upstream upstream([](Turn& turn) { turn.answer(turn.request()); });
    const Faulty faulty(upstream, io);
    std::atomic<int> wrong{0};
    all_at_once([&](int) {
      Client client(*faulty);
      for (int round = 0; round < kRounds; ++round) {
        for (int i = 0; i < 4; ++i) client.start("GET", "/" + std::to_string(i));
        for (int i = 0; i < 4; ++i) {
          if (client.receive().body != "GET /" + std::to_string(i)) ++wrong;
        }
        const Reply refused = client.request("OPTIONS", "/", "Max-Forwards: 0\r\n");
        if (refused.status != 200 && refused.status != 204) ++wrong;
      }
    });
    CHECK(wrong == 0);
  }
}

}  // namespace
}  // namespace spillway::test
