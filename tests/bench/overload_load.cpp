// An open loop of requests over keep-alive connections, on one core: each is sent when it is due, whether or not
// earlier ones have been answered, and its latency counts from that moment (a generator that waits for answers would
// not see the very delays it is to measure). Results as JSON on standard output.
//
//   overload_load PORT SECONDS FROM TO [seed=N] STREAM...
//
// Latencies and totals are those of requests due between FROM and TO; the bins hold all. A STREAM is one argument such
// as 'name=critical rate=500 header=X-Priority:high', see overload_stream.hpp.
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
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/overload_stream.hpp"

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSettle = 5;                     // seconds to wait for the last answers
constexpr std::size_t kMostConnections = 12'000;  // as many ports as one address has for its clients, about half
constexpr int kEventsPerWait = 512;
constexpr std::size_t kReadSize = 16 * 1024;

struct Request {
  std::size_t stream = 0;
  double due = 0;
  int key = 0;
  int call = 0;  // of its task, from 0
};

struct Connection {
  int fd = -1;
  std::uint32_t place = 0;  // among all
  unsigned generation = 0;
  bool busy = false, connected = false;
  Request request;
  std::string input;
};

std::string_view value_of(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (::strncasecmp(line.data(), name.data(), name.size()) != 0) continue;
    std::string_view value = line.substr(name.size() + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    return value;
  }
  return {};
}

class Load {
 public:
  Load(int port, double seconds, double from, double to, std::uint64_t seed, std::vector<Stream> streams)
      : port_(port), seconds_(seconds), from_(from), to_(to), streams_(std::move(streams)), random_(seed) {
    for (Stream& stream : streams_) {
      if (stream.to == 0) stream.to = seconds_;
      stream.bins.resize(static_cast<std::size_t>(seconds_ / kBin) + 1);
    }
  }

  void run() {
    epoll_ = ::epoll_create1(0);
    began_ = Clock::now();
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      for (int n = 0; n < streams_[i].closed; ++n) due_.push({i, streams_[i].from});
      if (streams_[i].closed == 0) due_.push({i, streams_[i].from + gap(streams_[i])});
    }
    std::array<epoll_event, kEventsPerWait> events;
    while (now() < seconds_ + kSettle && (!due_.empty() || busy_ > 0)) {
      const int count = wait(events);
      for (int i = 0; i < count; ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        on_event(connections_[event.data.u32]);
      }
      const double t = now();
      send_due(t);
      give_up(t);
    }
  }

  void print() const {
    std::printf("{\"send_lag_ms\":{\"p99\":%.3f,\"max\":%.3f},\"bin\":%g,\"streams\":[", lag_.quantile(0.99) / 1e3,
                static_cast<double>(lag_.most()) / 1e3, kBin);
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      std::printf("%s\n", i ? "," : "");
      streams_[i].print();
    }
    std::printf("]}\n");
  }

 private:
  struct Due {
    std::size_t stream;
    double at;
    int key = -1;  // of a request that comes again
    int call = 0;
    bool operator>(const Due& other) const { return at > other.at; }
  };
  struct Deadline {
    double at;
    std::uint32_t connection;
    unsigned generation;
    bool operator>(const Deadline& other) const { return at > other.at; }
  };

  double now() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }

  double gap(const Stream& stream) {
    return stream.constant ? 1 / stream.rate : -std::log(1 - uniform_(random_)) / stream.rate;
  }

  int wait(std::array<epoll_event, kEventsPerWait>& events) {
    double next = seconds_ + kSettle;
    if (!due_.empty()) next = std::min(next, due_.top().at);
    if (!deadlines_.empty()) next = std::min(next, deadlines_.top().at);
    const double left = std::max(0.0, next - now());
    const timespec timeout{static_cast<std::time_t>(left), static_cast<long>(std::fmod(left, 1) * 1e9)};
    return ::epoll_pwait2(epoll_, events.data(), kEventsPerWait, &timeout, nullptr);
  }

  void send_due(double t) {
    while (!due_.empty() && due_.top().at <= t) {
      const Due due = due_.top();
      due_.pop();
      Stream& stream = streams_[due.stream];
      if (due.at >= std::min(stream.to, seconds_)) continue;
      if (stream.closed == 0 && due.key < 0) due_.push({due.stream, due.at + gap(stream)});
      const int key = due.key >= 0 ? due.key : stream.keys > 0 || stream.calls > 1 ? stream.next_key++ : 0;
      if (counts(due.at)) ++stream.sent, stream.tasks += due.call == 0;
      ++bin(stream, due.at).sent;
      lag_.add(static_cast<std::uint64_t>((t - due.at) * 1e6));
      send({due.stream, due.at, stream.keys > 0 ? key % stream.keys : key, due.call});
    }
  }

  void send(const Request& request) {
    if (idle_.empty() && (connections_.size() - free_.size() >= kMostConnections || !open())) {
      return ended(request, 0, {});
    }
    const std::uint32_t index = idle_.back();
    idle_.pop_back();
    Connection& connection = connections_[index];
    connection.busy = true;
    connection.request = request;
    connection.input.clear();
    ++busy_;
    deadlines_.push({request.due + streams_[request.stream].patience, index, connection.generation});
    if (connection.connected) write(connection);
  }

  bool open() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) return false;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
      ::close(fd);
      return false;
    }
    std::uint32_t index;
    if (free_.empty()) {
      index = static_cast<std::uint32_t>(connections_.size());
      connections_.emplace_back().place = index;
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Connection& connection = connections_[index];
    connection.fd = fd;
    connection.busy = connection.connected = false;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT;
    event.data.u32 = index;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    idle_.push_back(index);
    return true;
  }

  void write(Connection& connection) {
    Stream& stream = streams_[connection.request.stream];
    std::string head = "GET ";
    head += stream.paths.empty() ? "/work" : stream.paths[stream.next_path++ % stream.paths.size()];
    head += " HTTP/1.1\r\nHost: lab\r\n";
    if (!stream.token.empty()) head += "Authorization: Bearer " + stream.token + "\r\n";
    if (!stream.header.empty()) head += stream.header + "\r\n";
    if (!stream.key.empty()) head += stream.key + ": " + std::to_string(connection.request.key) + "\r\n";
    head += "\r\n";
    if (::send(connection.fd, head.data(), head.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(head.size())) {
      drop(connection, 0);
    }
  }

  void on_event(Connection& connection) {
    if (connection.fd < 0) return;
    if (!connection.connected) {
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) return drop(connection, 0);
      connection.connected = true;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u32 = connection.place;
      ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
      if (connection.busy) write(connection);
      return;
    }
    std::array<char, kReadSize> buffer;
    const ssize_t got = ::read(connection.fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return drop(connection, 0);
    connection.input.append(buffer.data(), static_cast<std::size_t>(got));
    const std::size_t end = connection.input.find("\r\n\r\n");
    if (!connection.busy || end == std::string::npos) return;
    const std::string_view head(connection.input.data(), end + 2);
    const std::string_view length = value_of(head, "content-length");
    if (connection.input.size() < end + 4 + static_cast<std::size_t>(std::atoi(std::string(length).c_str()))) return;
    const int status = std::atoi(connection.input.c_str() + 9);
    const Request request = connection.request;
    const bool stays = !length.empty() && value_of(head, "connection") != "close";
    finished(connection);
    ended(request, status, connection.input);
    if (stays) {
      idle_.push_back(connection.place);
    } else {
      close(connection);
    }
  }

  void finished(Connection& connection) {
    connection.busy = false;
    ++connection.generation;
    --busy_;
  }

  // The connection ends, and with it what was under way on it.
  void drop(Connection& connection, int status) {
    if (connection.busy) {
      const Request request = connection.request;
      finished(connection);
      ended(request, status, {});
    } else {
      const auto idle = std::find(idle_.begin(), idle_.end(), connection.place);
      if (idle != idle_.end()) idle_.erase(idle);
    }
    close(connection);
  }

  void close(Connection& connection) {
    // With a reset: ports in TIME_WAIT would run out.
    const linger at_once{1, 0};
    ::setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(connection.fd);
    connection.fd = -1;
    free_.push_back(connection.place);
  }

  void give_up(double t) {
    while (!deadlines_.empty() && deadlines_.top().at <= t) {
      const Deadline deadline = deadlines_.top();
      deadlines_.pop();
      Connection& connection = connections_[deadline.connection];
      if (connection.busy && connection.generation == deadline.generation) drop(connection, 0);
    }
  }

  void ended(const Request& request, int status, std::string_view response) {
    Stream& stream = streams_[request.stream];
    const double t = now();
    const auto latency = static_cast<std::uint64_t>((t - request.due) * 1e6);
    const bool ok = status >= 200 && status < 400, refused = status == 503 || status == 429;
    Bin& of_time = bin(stream, request.due);
    of_time.ok += ok;
    of_time.refused += refused;
    of_time.lost += !ok && !refused;
    if (ok) of_time.latency.add(latency);
    if (counts(request.due)) {
      ++stream.statuses[status];
      if (ok) stream.answered.add(latency);
      if (ok && t < to_) ++stream.in_time;
      if (ok && response.find("\"degraded\":true") != std::string_view::npos) ++stream.degraded;
      if (refused) {
        stream.refused.add(latency);
        const std::size_t at = response.find("\"reason\":\"");
        if (at != std::string_view::npos) {
          const std::string_view rest = response.substr(at + 10);
          ++stream.reasons[std::string(rest.substr(0, rest.find('"')))];
        }
      }
    }
    if (ok && request.call + 1 < stream.calls) {
      due_.push({request.stream, t + stream.pause, request.key, request.call + 1});
    } else if (ok && stream.calls > 1 && counts(t)) {
      ++stream.whole;
    }
    if (stream.closed > 0) due_.push({request.stream, t, request.key});
    if (stream.obey && refused) {
      const std::string_view after = value_of(response.substr(0, response.find("\r\n\r\n") + 2), "retry-after");
      if (!after.empty()) due_.push({request.stream, t + std::atof(std::string(after).c_str()), request.key});
    }
  }

  bool counts(double due) const { return due >= from_ && due < to_; }
  static Bin& bin(Stream& stream, double due) {
    return stream.bins[std::min(stream.bins.size() - 1, static_cast<std::size_t>(due / kBin))];
  }

  int port_;
  double seconds_, from_, to_;
  std::vector<Stream> streams_;
  int epoll_ = -1;
  Clock::time_point began_;
  std::deque<Connection> connections_;  // their addresses stay
  std::vector<std::uint32_t> idle_, free_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
  LogLinear lag_;
  long busy_ = 0;
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> uniform_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::fputs("usage: overload_load PORT SECONDS FROM TO [seed=N] STREAM...\n", stderr);
    return 2;
  }
  std::vector<Stream> streams;
  std::uint64_t seed = 7;
  for (int i = 5; i < argc; ++i) {
    if (std::strncmp(argv[i], "seed=", 5) == 0) {
      seed = std::strtoull(argv[i] + 5, nullptr, 10);
    } else {
      streams.push_back(Stream::parse(argv[i]));
    }
  }
  Load load(std::atoi(argv[1]), std::atof(argv[2]), std::atof(argv[3]), std::atof(argv[4]), seed, std::move(streams));
  load.run();
  load.print();
}
