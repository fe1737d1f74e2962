#include "proxy/tracing/exporter.hpp"

#include <algorithm>
#include <iomanip>

#include <boost/asio/basic_socket_iostream.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include "proxy/upstream/resolve.hpp"

namespace spillway::tracing {

namespace {
/// A span is at most so long on this side of the network.
constexpr Duration kEvery = std::chrono::seconds(1);
/// For connecting, sending and the answer together.
constexpr auto kPatience = std::chrono::seconds(2);
constexpr int kWordMax = 16;  ///< of the words of a status line that matter
}  // namespace

Exporter::Exporter(TracingEndpoint endpoint, Resource resource, std::function<void(bool, const std::string&)> tell)
    : endpoint_(std::move(endpoint)), resource_(std::move(resource)), tell_(std::move(tell)) {}

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
  std::vector<Record> records;
  for (bool more = true; more;) {
    more = !queue_.stopping();  // before the last records are taken
    queue_.take(records, kEvery);
    while (!records.empty() && send_batch(records)) {
    }
  }
  for (const Record& record : records) queue_.count_dropped(record.spans());
}

bool Exporter::send_batch(std::vector<Record>& records) {
  const std::size_t size = std::min(records.size(), Queue::kBatch);
  std::string error;
  const Sent sent = post(otlp_json({records.data(), size}, resource_), error);
  if (failing_ != (sent != Sent::yes)) {
    failing_ = !failing_;
    tell_(failing_, failing_ ? "spans cannot be sent to " + endpoint_.host + ": " + error
                             : "spans are sent to " + endpoint_.host + " again");
  }
  if (sent == Sent::later) return false;
  const auto end = records.begin() + static_cast<std::ptrdiff_t>(size);
  if (sent == Sent::never) {
    for (auto record = records.begin(); record != end; ++record) queue_.count_dropped(record->spans());
  }
  records.erase(records.begin(), end);
  return true;
}

Exporter::Sent Exporter::post(const std::string& body, std::string& error) {
  const upstream::Endpoints endpoints = upstream::resolve(endpoint_.address, error);
  net::asio::basic_socket_iostream<net::asio::generic::stream_protocol> stream;
  stream.expires_after(kPatience);
  for (const upstream::Endpoint& endpoint : endpoints) {
    stream.clear();
    stream.connect(endpoint);
    if (stream) break;
    error = stream.error().message();
    stream.close();
  }
  if (!stream || endpoints.empty()) return Sent::later;
  stream << "POST " << endpoint_.path << " HTTP/1.1\r\nHost: " << endpoint_.host
         << "\r\nContent-Type: application/json\r\nContent-Length: " << body.size() << "\r\nUser-Agent: spillway/"
         << resource_.version << "\r\nConnection: close\r\n\r\n"
         << body << std::flush;
  std::string version, status;
  stream >> std::setw(kWordMax) >> version >> std::setw(kWordMax) >> status;
  if (status.size() != 3 || !version.starts_with("HTTP/1.")) {
    error = stream.error() ? stream.error().message() : "no HTTP answer";
    return Sent::later;
  }
  if (status.front() == '2') return Sent::yes;
  error = "it answers " + status;
  // The statuses that OTLP names as worth a repetition.
  const bool later = status == "429" || status == "502" || status == "503" || status == "504";
  return later ? Sent::later : Sent::never;
}

}  // namespace spillway::tracing
