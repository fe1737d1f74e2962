#include "tests/integration/proxy/proxy.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/proxy/client.hpp"

namespace spillway::test {

namespace {

/// The key `io` as SPILLWAY_TEST_IO has it: all tests can be run under both.
std::string wanted_io() {
  const char* const wanted = std::getenv("SPILLWAY_TEST_IO");  // NOLINT(concurrency-mt-unsafe)
  return wanted ? std::string("io: ") + wanted + '\n' : std::string();
}

/// The defaults, with short health polls. The breaker is off unless `more` configures it: it would refuse requests to
/// upstreams that fail on purpose.
std::string yaml(const std::string& upstream, const Settings& s) {
  std::ostringstream out;
  out << "listen: " << s.listen << "\nadmin: {listen: '127.0.0.1:0'}\nworkers: " << s.workers
      << "\nupstream: {address: '" << upstream << "', health: {" << s.health;
  if (s.health.find("path:") == std::string::npos) out << ", path: " << Upstream::kPollPath;
  out << "}";
  if (!s.upstream.empty()) out << ", " << s.upstream;
  out << "}\n";
  if (!s.timeouts.empty()) out << "timeouts: {" << s.timeouts << "}\n";
  if (!s.limits.empty()) out << "limits: {" << s.limits << "}\n";
  if (!s.admission.empty()) out << "admission: {" << s.admission << "}\n";
  if (s.more.find("log:") == std::string::npos) out << "log: {format: json}\n";
  if (s.more.find("breaker:") == std::string::npos) out << "breaker: {enabled: false}\n";
  out << s.more << '\n';
  if (!s.more.starts_with("io:")) out << wanted_io();
  return out.str();
}

}  // namespace

std::string program() {
  return SPILLWAY_BINARY;
}

std::string admit(int count) {
  return "max_concurrent: " + std::to_string(count) + ", shed_at: 1";
}

Proxy::Proxy(const Upstream& upstream, const Settings& settings) : upstream_(upstream.address()) {
  if (!settings.address.empty()) upstream_ = settings.address;
  configure(settings);
  start(settings);
  await_start(settings.awaited);
}

Proxy::Proxy(const std::string& config) {
  configure_badly(config + '\n' + wanted_io());
  start({});
  await_start(Settings().awaited);
}

void Proxy::await_start(const std::string& line) {
  const bool listening = await_log(line);
  INFO(log());
  REQUIRE(listening);
  admin_port_ = port_in_log("admin on ");
  port_ = port_in_log("listening on ");
}

Proxy::~Proxy() {
  if (!process_->running()) return;
  const int status = stop();
  const std::string text = log();
  INFO(text.substr(text.size() - std::min<std::size_t>(text.size(), 3000)));
  CHECK(status == 0);
}

void Proxy::start(const Settings& settings) {
  const auto in_child = [&settings] {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int hard = std::max(settings.descriptors, settings.descriptors_hard);
    const rlimit limit{static_cast<rlim_t>(settings.descriptors), static_cast<rlim_t>(hard)};
    if (settings.descriptors > 0) ::setrlimit(RLIMIT_NOFILE, &limit);
    if (settings.inherited >= 0) {
      const int copy = ::fcntl(settings.inherited, F_DUPFD, 10);  // if it is 3 already, dup2 would keep close-on-exec
      ::dup2(copy, 3);
      ::close(copy);
      ::setenv("LISTEN_FDS", "1", 1);
      ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    }
  };
  std::map<std::string, std::string> environment = settings.environment;
  environment["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1";
  // Both sanitizers stop the program at the first finding, so that the exit status shows it.
  process_ = std::make_unique<support::Process>(
      support::Command{.arguments = {SPILLWAY_BINARY, "--config", folder_.path("proxy.yaml")},
                       .environment = environment,
                       .in_child = in_child});
}

int Proxy::port_in_log(const std::string& before) const {
  const std::string text = log();
  const std::size_t line = text.find(before);
  if (line == std::string::npos) return 0;
  const std::size_t end = text.find_first_of(",\"\n", line + before.size());
  return std::stoi(text.substr(text.rfind(':', end) + 1));
}

void Proxy::configure(const Settings& settings) {
  configure_badly(yaml(upstream_, settings));
}

void Proxy::configure_badly(const std::string& text) {
  std::ofstream(folder_.path("proxy.yaml")) << text;
}

std::pair<int, std::string> Proxy::page(const std::string& path) const {
  Client client = admin();
  client.send("GET " + path + " HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
  Reply reply = client.receive();
  return {reply.status, reply.body};
}

Client Proxy::admin() const {
  return Client(admin_port_);
}

double Proxy::metric(const std::string& name, Labels labels) const {
  double sum = std::numeric_limits<double>::quiet_NaN();
  std::istringstream lines(page("/metrics").second);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t end = line.find_first_of("{ ");
    if (line.substr(0, end) != name) continue;
    bool wanted = true;
    for (const auto& [label, value] : labels) {
      wanted = wanted && line.find(label + "=\"" + value + "\"") != std::string::npos;
    }
    if (!wanted) continue;
    const double value = std::stod(line.substr(line.rfind(' ')));
    sum = sum == sum ? sum + value : value;
  }
  return sum;
}

bool Proxy::await_metric(const std::string& name, double value, Labels labels) const {
  double last = 0;
  if (eventually([&] { return (last = metric(name, labels)) == value; })) return true;
  MESSAGE(name, " is ", last, " where it should be ", value);
  return false;
}

double Proxy::stat(const std::string& name) const {
  const std::string json = page("/stats").second;
  const std::string key = "\"" + name + "\":";
  const std::size_t at = json.find(key);
  return at == std::string::npos ? std::numeric_limits<double>::quiet_NaN() : std::stod(json.substr(at + key.size()));
}

bool Proxy::accounts_balance() const {
  return eventually([&] {
    const double parsed = stat("parsed");
    return parsed == stat("answered_by_api") + stat("answered_by_proxy") + stat("aborted") &&
           parsed == metric("spillway_requests_total") && stat("in_flight") == 0 && stat("queue_length") == 0;
  });
}

std::size_t Proxy::memory() const {
  std::ifstream file("/proc/" + std::to_string(pid()) + "/statm");
  std::size_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

int Proxy::descriptors() const {
  const std::filesystem::directory_iterator open("/proc/" + std::to_string(pid()) + "/fd");
  return static_cast<int>(std::distance(begin(open), end(open)));
}

void Proxy::limit_descriptors(int count) const {
  rlimit limit{};
  REQUIRE(::prlimit(pid(), RLIMIT_NOFILE, nullptr, &limit) == 0);
  limit.rlim_cur = static_cast<rlim_t>(count);
  REQUIRE(::prlimit(pid(), RLIMIT_NOFILE, &limit, nullptr) == 0);
}

int Proxy::healthcheck() const {
  const std::string command =
      SPILLWAY_BINARY " healthcheck --admin 127.0.0.1:" + std::to_string(admin_port_) + " 2>/dev/null";
  const int status = std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe)
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace spillway::test
