// How a process starts: what it opens, in which order, and what it says of that.

#include <algorithm>
#include <ctime>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proxy/admin/pages.hpp"
#include "proxy/net/descriptors.hpp"
#include "proxy/net/host_name.hpp"
#include "proxy/net/ring.hpp"
#include "proxy/process.hpp"
#include "proxy/version.hpp"

namespace spillway {

namespace {
/// Longest time that the start waits for the API's addresses.
constexpr Duration kFirstLookUp = std::chrono::seconds(2);

/// Without /proc: no resident memory.
telemetry::ProcessUse process_use(int most_descriptors, double started) {
  telemetry::ProcessUse use;
  rusage times{};
  if (::getrusage(RUSAGE_SELF, &times) == 0) {
    for (const timeval& part : {times.ru_utime, times.ru_stime}) {
      use.cpu_seconds += static_cast<double>(part.tv_sec) + static_cast<double>(part.tv_usec) / 1e6;
    }
  }
  std::ifstream memory("/proc/self/statm");
  double all = 0, resident = 0;
  if (memory >> all >> resident) use.resident_bytes = resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
  use.open_descriptors = net::open_descriptors();
  use.most_descriptors = most_descriptors;
  use.started = started;
  return use;
}
}  // namespace

bool Process::start() {
  descriptors_.limit = net::raise_descriptor_limit();
  if (!certificates_.load(config_)) return false;
  for (int i = 0; i < config_.workers; ++i) {
    // Settings for each: neither the count of who holds them nor a lock in them is fought over.
    workers_.push_back(std::make_unique<relay::Worker>(
        shared_, std::make_shared<const relay::Settings>(config_, certificates_.contexts())));
  }
  if (!open_rings()) return false;
  find_api();
  if (!prepare_tracing() || !take_over() || !open_admin() || !open_listeners() || !open_handover()) return false;
  descriptors_.used = net::open_descriptors();
  return fit_to_descriptors();
}

/// False: io_uring is asked for, and cannot be had.
bool Process::open_rings() {
  if (config_.io == Io::epoll) {
    shared_.log.info("io: epoll");
    return true;
  }
  std::vector<std::unique_ptr<net::Ring>> rings;
  std::string why;
  while (rings.size() < workers_.size() && why.empty()) {
    if (auto ring = net::Ring::open(why)) rings.push_back(std::move(ring));
  }
  if (!why.empty() && config_.io == Io::io_uring) {
    shared_.log.error(fmt::format("io: io_uring cannot be had: {}. `io: auto` goes without", why));
    return false;
  }
  shared_.state.io_uring = why.empty();
  shared_.log.info(why.empty() ? std::string("io: io_uring") : fmt::format("io: epoll; io_uring: {}", why));
  for (std::size_t i = 0; i < workers_.size() && why.empty(); ++i) workers_[i]->collect(std::move(rings[i]));
  return true;
}

/// A name that cannot be resolved yet is no reason to end: the API may be started after the proxy.
void Process::find_api() {
  health_ = std::make_unique<upstream::HealthPoller>(
      loop_, shared_.addresses, config_.upstream.health, certificates_.contexts().upstream,
      [this](const upstream::HealthResult& result) { note_poll(result); });
  shared_.found_nobody = [this] { health_->unreachable(); };
  const auto note = [this](const upstream::Addresses::News& news) {
    shared_.state.upstream_unresolved = !news.resolved;
    news.failed ? shared_.log.warning(news.text) : shared_.log.info(news.text);
    if (news.failed) return;
    health_->moved();
    for (const auto& worker : workers_) worker->addresses_changed();
  };
  if (shared_.addresses.start(config_.upstream.resolve_interval, kFirstLookUp, note)) return;
  shared_.state.upstream_unresolved = true;
}

/// False: the collector cannot be spoken to as configured.
bool Process::prepare_tracing() {
  std::string error;
  exporter_ = tracing::Exporter::make(
      config_.tracing, "spillway", kVersion,
      [this](bool failed, const std::string& line) { failed ? shared_.log.warning(line) : shared_.log.info(line); },
      error);
  if (exporter_) shared_.spans = &exporter_->queue();
  if (!error.empty()) shared_.log.error(error);
  return error.empty();
}

/// Lowers limits that the process's descriptors cannot carry: else clients would take those that connections to the
/// API, the admin listener and the health poll need. False: there is room for nothing.
bool Process::fit_to_descriptors() {
  in_force_ = config_;
  const Connections wanted{config_.limits.connections, most_upstream_connections(config_),
                           admin::Server::kConnectionsMax};
  const Connections fitted = fit(descriptors_, wanted, config_.workers);
  if (fitted.clients == 0) {
    shared_.log.error(fmt::format("RLIMIT_NOFILE is {}, of which {} are taken: that leaves no room for clients",
                                  descriptors_.limit, descriptors_.used));
    return false;
  }
  admin_->set_connections_max(fitted.admin);
  in_force_.limits.connections = fitted.clients;
  if (fitted.upstream != wanted.upstream) in_force_.upstream.max_connections = fitted.upstream;
  std::string lowered;
  if (fitted != wanted) {
    lowered = fmt::format(
        "RLIMIT_NOFILE is {}: limits.connections is lowered from {} to {}, upstream.max_connections from {} to {}",
        descriptors_.limit, wanted.clients, fitted.clients, wanted.upstream, fitted.upstream);
  }
  if (lowered != lowered_ && !lowered.empty()) shared_.log.warning(lowered);
  lowered_ = lowered;
  apply();
  return true;
}

void Process::apply() {
  const relay::Contexts& contexts = certificates_.contexts();
  admin_->set_tls(contexts.admin);
  for (const auto& worker : workers_) worker->reconfigure(std::make_shared<const relay::Settings>(in_force_, contexts));
}

/// An inherited socket has the further keys of the entry of `listen` that names it, if there is one.
std::size_t Process::configured(const config::Listen& inherited) const {
  const auto named = std::find_if(config_.listen.begin(), config_.listen.end(),
                                  [&](const config::Listen& each) { return each.address == inherited.address; });
  return static_cast<std::size_t>(named - config_.listen.begin());
}

bool Process::open_listeners() {
  std::vector<std::string> names;
  std::vector<config::Listen> given = net::given_by_systemd();
  if (given.empty() && predecessor_) given = predecessor_->given_by_systemd();
  const std::vector<config::Listen>& wanted = given.empty() ? config_.listen : given;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::size_t entry = given.empty() ? i : configured(wanted[i]);
    const config::Listen& listen = entry < config_.listen.size() ? config_.listen[entry] : wanted[i];
    std::string error;
    const auto number = static_cast<int>(i);
    auto all = sockets_of({.use = handover::Listening::Use::traffic, .entry = number, .systemd = !given.empty()},
                          listen, config_.workers, error);
    if (all.empty()) {
      shared_.log.error(error);
      return false;
    }
    for (std::vector<net::ListenSocket>& sockets : all) {
      names.push_back(net::local_name(sockets.front()));
      for (std::size_t s = 0; s < sockets.size(); ++s) {
        workers_[s % workers_.size()]->listen(std::move(sockets[s]), listen, entry);
      }
    }
  }
  announce(names);
  return true;
}

bool Process::open_admin() {
  std::string error;
  auto all = sockets_of({.use = handover::Listening::Use::admin}, config_.admin.listen, 1, error);
  if (all.empty()) {
    shared_.log.error("admin: " + error);
    return false;
  }
  telemetry::MetricSources values;
  for (const auto& worker : workers_) values.workers.push_back(&std::as_const(*worker).counters());
  values.class_names = &shared_.class_names;
  values.admission = [this] { return shared_.gate.state(); };
  values.buffered_bytes = [this] { return shared_.buffered.used(); };
  values.certificates = [this] { return certificates_.expiries(); };
  values.log_lines_dropped = [this] { return shared_.log.dropped(); };
  values.trace_spans_dropped = [this] { return exporter_ ? exporter_->queue().dropped() : 0; };
  values.state = &shared_.state;
  values.process_use = [this, started = static_cast<double>(std::time(nullptr))] {
    return process_use(descriptors_.limit, started);
  };
  values.version = kVersion;
  metrics_ = std::make_unique<telemetry::Metrics>(values);
  history_ = std::make_unique<telemetry::History>(values.workers);
  if (taken_) history_->restore(std::move(taken_->history));
  std::vector<net::ListenSocket> sockets;
  for (std::vector<net::ListenSocket>& each : all) {
    shared_.log.info("admin on " + net::local_name(each.front()));
    sockets.push_back(std::move(each.front()));
  }
  admin_name_ = net::local_name(sockets.front());
  admin_ = std::make_unique<admin::Server>(
      loop_, std::move(sockets),
      admin::pages(
          {metrics_.get(),
           values,
           [this] { return shared_.gate.snapshot(Clock::now()); },
           [this] { return shared_.gate.advice(); },
           history_.get(),
           &shared_.refusals,
           [this] { return effective_config(); },
           {.instance = net::host_name(), .started = Clock::now(), .upstream = to_text(config_.upstream.address)},
           [this] { return net::to_text(*shared_.addresses.list()); }}));
  return true;
}

void Process::announce(const std::vector<std::string>& addresses) {
  for (const std::string& address : addresses) {
    shared_.log.info("listening on " + address + ", API at " + to_text(config_.upstream.address));
  }
  const int capacity = config_.admission.max_concurrent;
  std::string line = fmt::format("admitting {}", capacity);
  for (const admission::ClassPolicy& c : admission_policy(config_).classes) {
    line += fmt::format(", shedding {} at {}", c.name, admission::share_of(c.shed_at, capacity));
  }
  if (config_.admission.mode == admission::Mode::shadow) line += "; mode shadow: nothing is refused";
  if (config_.admission.mode == admission::Mode::off) line += "; mode off: nothing is refused";
  shared_.log.info(line);
  announce_page();
}

/// For those who have started it by one line: where to look, and what to change next.
void Process::announce_page() {
  if (config_.admin.listen.address.kind == config::Address::Kind::tcp) {
    const char* const scheme = certificates_.contexts().admin ? "https://" : "http://";
    shared_.log.info(std::string("status page at ") + scheme + admin_name_ + "/, metrics at /metrics there");
  }
  if (!origin_.path.empty()) return;
  shared_.log.info(
      "no configuration file: defaults apply. To be stricter, lower --max-concurrent, or add --set "
      "admission.shed_at=0.5; to only count, --set admission.mode=shadow; to write a file, the same line with "
      "--print-config > proxy.yaml");
}

}  // namespace spillway
