#include "proxy/tracing/exporter.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "proxy/net/host_name.hpp"
#include "proxy/text/utf8.hpp"

namespace tracing {

namespace {
/// A span is at most so long on this side of the network.
constexpr net::Duration kEvery = std::chrono::seconds(1);
}  // namespace

std::unique_ptr<Exporter> Exporter::make(const config::TracingConfig& config, std::string program, std::string version,
                                         Tell tell, std::string& error) {
  config::TracingEndpoint endpoint;
  if (!config.enabled() || !parse(config.endpoint, endpoint)) return nullptr;
  std::shared_ptr<const tls::ClientContext> tls;
  if (endpoint.secure) {
    std::vector<tls::Fault> faults;
    tls::ClientOptions options;
    options.server_name = endpoint.address.host;
    options.ca = config.ca;
    tls = tls::ClientContext::make(options, std::chrono::system_clock::now(), faults);
    for (const tls::Fault& fault : faults) error = "tracing.ca: " + fault.text;
    if (!tls) return nullptr;
  }
  Collector collector(std::move(endpoint), std::move(tls), program + '/' + version);
  Resource resource{text::to_valid_utf8(config.service_name), std::move(program), std::move(version),
                    text::to_valid_utf8(net::host_name())};
  return std::make_unique<Exporter>(std::move(collector), std::move(resource), std::move(tell));
}

Exporter::Exporter(Collector collector, Resource resource, Tell tell)
    : collector_(std::move(collector)), resource_(std::move(resource)), tell_(std::move(tell)) {}

Exporter::~Exporter() {
  stop();
}

void Exporter::start() {
  thread_ = std::thread([this] { run(); });
}

void Exporter::stop() {
  queue_.stop();
  if (thread_.joinable()) thread_.join();
}

void Exporter::run() {
  std::vector<std::unique_ptr<const Record>> records;
  for (bool more = true; more;) {
    more = !queue_.stopping();  // before the last records are taken
    queue_.take(records, kEvery);
    while (!records.empty() && send_batch(records)) {
    }
  }
  for (const auto& record : records) queue_.count_dropped(record->spans());
}

bool Exporter::send_batch(std::vector<std::unique_ptr<const Record>>& records) {
  const std::size_t size = std::min(records.size(), Queue::kBatch);
  std::string error;
  const auto answer = collector_.post(otlp_json(std::span(records).first(size), resource_), error);
  const bool taken = answer == Collector::Answer::taken;
  if (taken && news_.worked()) tell_(false, "spans are sent to " + collector_.host() + " again");
  if (!taken && news_.failed(error, net::Clock::now())) {
    tell_(true, "spans cannot be sent to " + collector_.host() + ": " + error);
  }
  if (answer == Collector::Answer::later) return false;
  const auto end = records.begin() + static_cast<std::ptrdiff_t>(size);
  if (answer == Collector::Answer::never) {
    for (auto record = records.begin(); record != end; ++record) queue_.count_dropped((*record)->spans());
  }
  records.erase(records.begin(), end);
  return true;
}

}  // namespace tracing
