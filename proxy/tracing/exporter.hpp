#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "config/tracing.hpp"
#include "proxy/tracing/collector.hpp"
#include "proxy/tracing/news.hpp"
#include "proxy/tracing/otlp.hpp"
#include "proxy/tracing/queue.hpp"

namespace tracing {

/// Posts records to a collector, on a thread of its own. A batch that the collector cannot take now is kept and sent
/// again, as long as the queue's bound allows; one that it refuses is dropped. Either way nothing but spans suffers.
class Exporter {
 public:
  /// Gets one line when sending fails, and when it works again; on the exporter's thread.
  using Tell = std::function<void(bool failed, const std::string&)>;

  /// As the configuration says; the resource's instance is this machine. Null: no collector is configured, or `error`
  /// says why it cannot be spoken to.
  static std::unique_ptr<Exporter> make(const config::TracingConfig& config, std::string program, std::string version,
                                        Tell tell, std::string& error);
  Exporter(Collector collector, Resource resource, Tell tell);
  ~Exporter();
  Exporter(const Exporter&) = delete;

  /// Safe from any thread.
  Queue& queue() { return queue_; }
  void start();
  /// Sends what is there, once, and ends the thread: within a few seconds, whatever the collector does.
  void stop();

 private:
  void run();
  /// Sends the first batch of `records`, and removes it unless it is kept for later. False: nothing more can be sent
  /// now.
  bool send_batch(std::vector<std::unique_ptr<const Record>>& records);

  Collector collector_;
  Resource resource_;
  Tell tell_;
  Queue queue_;
  std::thread thread_;
  News news_;  ///< of the thread
};

}  // namespace tracing
