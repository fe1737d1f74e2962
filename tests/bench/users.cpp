// Users of an API: each sends one of the given requests after the other and waits for the answer, with the patience of
// a person. One who is answered 503 comes back when Retry-After says. Reports as one JSON line.
//
//   users PORT USERS WARM_UP SECONDS RATE FILE...
//
// RATE   requests per second of all users together, sent whether or not the others were answered; 0: back to back
// FILE   a whole request, head and body

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr timeval kPatience{5, 0};

struct Reply {
  int status = 0;  ///< 0: none within kPatience, or the connection ended
  int retry_after = 0;
};

class Connection {
 public:
  explicit Connection(int port) : port_(port) {}
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Reply exchange(const std::string& request) {
    Reply reply;
    if (socket_ < 0) open();
    if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
      reply = receive();
    }
    if (reply.status == 0) close();
    return reply;
  }

 private:
  void open() {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)!::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }

  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  Reply receive() {
    std::string bytes;
    std::size_t end = std::string::npos;
    std::size_t wanted = 0;
    while (end == std::string::npos || bytes.size() < wanted) {
      char chunk[16384];
      const ssize_t got = ::recv(socket_, chunk, sizeof(chunk), 0);
      if (got < 0 && errno == EINTR) continue;  // stopped meanwhile
      if (got <= 0) return {};
      bytes.append(chunk, static_cast<std::size_t>(got));
      if (end != std::string::npos) continue;
      end = bytes.find("\r\n\r\n");
      if (end != std::string::npos) wanted = end + 4 + static_cast<std::size_t>(field(bytes, end, "content-length:"));
    }
    const Reply reply{std::atoi(bytes.c_str() + 9), field(bytes, end, "retry-after:")};
    if (bytes.substr(0, end).find("onnection: close") != std::string::npos) close();
    return reply;
  }

  /// The number in a field, 0 when it is not there.
  static int field(const std::string& bytes, std::size_t end, const char* name) {
    for (std::size_t line = bytes.find("\r\n"); line < end; line = bytes.find("\r\n", line + 2)) {
      if (::strncasecmp(bytes.c_str() + line + 2, name, std::strlen(name)) == 0) {
        return std::atoi(bytes.c_str() + line + 2 + std::strlen(name));
      }
    }
    return 0;
  }

  int port_;
  int socket_ = -1;
};

struct Totals {
  std::mutex mutex;
  std::vector<double> ok_ms;
  long refused = 0;  ///< 503
  long failed = 0;   ///< any other answer
  long silent = 0;   ///< none
};

struct Plan {
  int port, users;
  Clock::time_point measure_from, end;
  double rate;
  std::vector<std::string> requests;
};

void be_user(const Plan& plan, int number, Totals& totals) {
  Connection connection(plan.port);
  const Seconds interval(plan.rate > 0 ? plan.users / plan.rate : 0);
  auto due = Clock::now() + std::chrono::duration_cast<Clock::duration>(interval * number / plan.users);
  for (std::size_t turn = static_cast<std::size_t>(number); Clock::now() < plan.end; ++turn) {
    if (plan.rate > 0) std::this_thread::sleep_until(due);
    due += std::chrono::duration_cast<Clock::duration>(interval);
    const auto start = Clock::now();
    const Reply reply = connection.exchange(plan.requests[turn % plan.requests.size()]);
    const auto answered = Clock::now();
    if (answered >= plan.measure_from) {
      std::lock_guard lock(totals.mutex);
      if (reply.status == 200) totals.ok_ms.push_back(Seconds(answered - start).count() * 1e3);
      if (reply.status == 503) ++totals.refused;
      if (reply.status == 0) ++totals.silent;
      if (reply.status != 200 && reply.status != 503 && reply.status != 0) ++totals.failed;
    }
    if (reply.status == 503 && plan.rate == 0) {
      std::this_thread::sleep_until(std::min(plan.end, answered + std::chrono::seconds(reply.retry_after)));
    }
  }
}

double percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr, "usage: users PORT USERS WARM_UP SECONDS RATE FILE...\n");
    return 2;
  }
  Plan plan{std::atoi(argv[1]), std::atoi(argv[2]), {}, {}, std::atof(argv[5]), {}};
  plan.measure_from = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(std::atof(argv[3])));
  plan.end = plan.measure_from + std::chrono::duration_cast<Clock::duration>(Seconds(std::atof(argv[4])));
  for (int i = 6; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    plan.requests.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  Totals totals;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < plan.users; ++i) threads.emplace_back([&plan, &totals, i] { be_user(plan, i, totals); });
  }
  std::sort(totals.ok_ms.begin(), totals.ok_ms.end());
  std::printf(
      "{\"ok\":%zu,\"refused\":%ld,\"failed\":%ld,\"silent\":%ld,\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f}\n",
      totals.ok_ms.size(), totals.refused, totals.failed, totals.silent, percentile(totals.ok_ms, 0.5),
      percentile(totals.ok_ms, 0.95), percentile(totals.ok_ms, 0.99));
}
