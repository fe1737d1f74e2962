// An API of finite capacity: it works on SLOTS requests at a time for SERVICE milliseconds each, and keeps all others
// in a queue without bound, in which it does not notice that a client has left. One thread.
//
//   overload_backend PORT SLOTS SERVICE_MS [exponential] [slowdown=X] [pool_timeout=SECONDS] [seed=N]
//
//   slowdown      a request takes 1 + X * (requests in the queue) times as long
//   pool_timeout  the slots stand for database connections: they are reported as a pool, and who has waited so long
//                 for one gets a 500
//
// `Accept: text/event-stream` and `Upgrade: websocket` get a stream, which takes no slot and never ends. A request with
// `X-Class: cached` is answered at once, without a slot. A body has to be complete before its request is worked on.
//
// Commands, as GET requests: /_stats (JSON, then counts from 0), /_stall?ms=N (the whole process stops),
// /_freeze?ms=N (the work stops, health polls are answered), /_service?ms=X. /health is answered at once.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Seconds = std::chrono::duration<double>;

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr int kBacklog = 4096;  // as good servers have it
constexpr int kEventsPerWait = 256;
constexpr std::size_t kReadSize = 16 * 1024;

void require(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::exit(1);
}

Clock::duration of(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
}

class Backend {
 public:
  Backend(int port, int slots, double service) : slots_(slots), service_(service), epoll_(::epoll_create1(0)) {
    require(epoll_ >= 0, "epoll_create1");
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
    require(::listen(listener_, kBacklog) == 0, "listen");
    watch(listener_);
  }

  bool exponential = false;
  double slowdown = 0;
  double pool_timeout = 0;  // seconds; 0: no pool
  void seed(std::uint64_t seed) { random_.seed(seed); }

  [[noreturn]] void run() {
    std::array<epoll_event, kEventsPerWait> events;
    while (true) {
      const int count = wait(events);
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_) {
          accept_all();
        } else if (!read(fd)) {
          ++connections_[static_cast<std::size_t>(fd)].generation;
          ::close(fd);
        }
      }
      finish_due();
    }
  }

 private:
  struct Connection {
    std::string input;
    unsigned generation = 0;  // of the descriptor: tells a client from the next one under the same number
  };
  struct Job {
    int fd;
    unsigned generation;
    Time arrived;
  };
  struct Work {
    Time done;
    Job job;
    bool operator>(const Work& other) const { return done > other.done; }
  };

  void watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    require(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
  }

  int wait(std::array<epoll_event, kEventsPerWait>& events) {
    timespec left{};
    const timespec* until = nullptr;
    if (!working_.empty()) {
      const auto ns = std::max<std::int64_t>(0, std::chrono::nanoseconds(working_.top().done - Clock::now()).count());
      left = {static_cast<std::time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
      until = &left;
    }
    return ::epoll_pwait2(epoll_, events.data(), kEventsPerWait, until, nullptr);
  }

  void accept_all() {
    int client;
    while ((client = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0) {
      const int on = 1;
      ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (connections_.size() <= static_cast<std::size_t>(client)) {
        connections_.resize(static_cast<std::size_t>(client) + 1);
      }
      connections_[static_cast<std::size_t>(client)].input.clear();
      watch(client);
    }
  }

  // False: the connection is over.
  bool read(int fd) {
    std::array<char, kReadSize> buffer;
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got <= 0) return got < 0 && errno == EAGAIN;
    Connection& from = connections_[static_cast<std::size_t>(fd)];
    from.input.append(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t end; (end = from.input.find(kEndOfHead)) != std::string::npos;) {
      const std::string head = from.input.substr(0, end);
      const std::size_t size = end + kEndOfHead.size() + body_size(head);
      if (from.input.size() < size) break;
      from.input.erase(0, size);
      request(fd, head);
    }
    return true;
  }

  static std::size_t body_size(const std::string& head) {
    constexpr std::string_view kName = "\r\nContent-Length: ";
    const std::size_t at = head.find(kName);
    return at == std::string::npos ? 0 : static_cast<std::size_t>(std::atol(head.c_str() + at + kName.size()));
  }

  static bool has(const std::string& head, std::string_view field) { return head.find(field) != std::string::npos; }

  void request(int fd, const std::string& head) {
    const std::string target = head.substr(4, head.find(' ', 4) - 4);
    const std::size_t equals = target.find('=');
    const double value = equals == std::string::npos ? 0 : std::atof(target.c_str() + equals + 1);
    if (target == "/health") return answer(fd, 200, R"({"status":"healthy"})");
    if (target == "/_stats") return stats(fd);
    if (has(head, "text/event-stream")) return put(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    if (has(head, "Upgrade: websocket")) {
      return put(fd, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    }
    if (has(head, "X-Class: cached")) return answer(fd, 200, "{}", false);
    if (target.starts_with("/_")) answer(fd, 200, "{}");
    if (target.starts_with("/_service")) {
      service_ = value / 1000;
    } else if (target.starts_with("/_stall")) {
      std::this_thread::sleep_for(of(value / 1000));
      delay(value / 1000);
    } else if (target.starts_with("/_freeze")) {
      frozen_until_ = Clock::now() + of(value / 1000);
      delay(value / 1000);
    } else {
      queue_.push_back({fd, connections_[static_cast<std::size_t>(fd)].generation, Clock::now()});
      most_inside_ = std::max(most_inside_, inside());
      begin_work();
    }
  }

  void delay(double seconds) {
    std::vector<Work> later;
    for (; !working_.empty(); working_.pop()) later.push_back(working_.top());
    for (Work& work : later) {
      work.done += of(seconds);
      working_.push(work);
    }
  }

  int inside() const { return static_cast<int>(queue_.size() + working_.size()); }

  void begin_work() {
    while (static_cast<int>(working_.size()) < slots_ && !queue_.empty()) {
      const Job job = queue_.front();
      queue_.pop_front();
      const Time now = Clock::now();
      if (pool_timeout > 0 && now - job.arrived >= of(pool_timeout)) {
        ++pool_timeouts_;
        if (alive(job)) answer(job.fd, 500, "{}");
        continue;
      }
      // Without the jitter all slots would work in lockstep for ever.
      const double drawn = exponential ? -std::log(1 - uniform_(random_)) : 0.95 + 0.1 * uniform_(random_);
      const double taken = service_ * drawn * (1 + slowdown * static_cast<double>(queue_.size()));
      working_.push({std::max(now, frozen_until_) + of(taken), job});
    }
  }

  bool alive(const Job& job) const {
    return connections_[static_cast<std::size_t>(job.fd)].generation == job.generation;
  }

  void finish_due() {
    const Time now = Clock::now();
    while (!working_.empty() && working_.top().done <= now) {
      const Job job = working_.top().job;
      working_.pop();
      begin_work();  // before the answer: its report then shows the pool after the hand-over
      if (alive(job)) {
        ++served_;
        answer(job.fd, 200, R"({"status":"ok"})");
      } else {
        ++wasted_;
      }
    }
  }

  void answer(int fd, int status, std::string_view body, bool needs_pool = true) {
    std::string out = status == 200 ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 500 Internal Server Error\r\n";
    if (pool_timeout > 0) {
      const std::string slots = std::to_string(slots_);
      out += "Endpoint-Load-Metrics: TEXT application_utilization=" +
             std::to_string(static_cast<double>(working_.size()) / slots_) + ",named_metrics.db_pool_size=" + slots +
             ",named_metrics.db_pool_overflow=0,named_metrics.db_pool_checkedin=" +
             std::to_string(slots_ - static_cast<int>(working_.size())) + ",named_metrics.db_pool_capacity=" + slots +
             ",named_metrics.db_pool_waiters=" + std::to_string(queue_.size()) +
             ",named_metrics.request_db=" + (needs_pool ? "1" : "0") + "\r\n";
    }
    out += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    out += body;
    put(fd, out);
  }

  static void put(int fd, std::string_view bytes) {
    [[maybe_unused]] const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  void stats(int fd) {
    char text[256];
    const int size = std::snprintf(text, sizeof text,
                                   R"({"served":%ld,"wasted":%ld,"inside":%d,"most_inside":%d,"pool_timeouts":%ld})",
                                   served_, wasted_, inside(), most_inside_, pool_timeouts_);
    answer(fd, 200, {text, static_cast<std::size_t>(size)});
    served_ = wasted_ = pool_timeouts_ = 0;
    most_inside_ = inside();
  }

  int slots_;
  double service_;
  int epoll_, listener_;
  std::vector<Connection> connections_;  // by descriptor
  std::deque<Job> queue_;
  std::priority_queue<Work, std::vector<Work>, std::greater<>> working_;
  Time frozen_until_{};
  std::mt19937_64 random_{42};
  std::uniform_real_distribution<double> uniform_;
  long served_ = 0, wasted_ = 0, pool_timeouts_ = 0;
  int most_inside_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fputs(
        "usage: overload_backend PORT SLOTS SERVICE_MS [exponential] [slowdown=X] [pool_timeout=SECONDS] "
        "[seed=N]\n",
        stderr);
    return 2;
  }
  Backend backend(std::atoi(argv[1]), std::atoi(argv[2]), std::atof(argv[3]) / 1000);
  for (int i = 4; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "exponential") backend.exponential = true;
    if (option.starts_with("slowdown=")) backend.slowdown = std::atof(argv[i] + 9);
    if (option.starts_with("pool_timeout=")) backend.pool_timeout = std::atof(argv[i] + 13);
    if (option.starts_with("seed=")) backend.seed(std::strtoull(argv[i] + 5, nullptr, 10));
  }
  backend.run();
}
