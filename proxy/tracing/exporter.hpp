#pragma once

#include <functional>
#include <string>
#include <thread>

#include "proxy/config/tracing.hpp"
#include "proxy/tracing/otlp.hpp"
#include "proxy/tracing/queue.hpp"

namespace spillway::tracing {

/// Posts records to a collector, on a thread of its own. A batch that the collector cannot take now is kept and sent
/// again, as long as the queue's bound allows; one that it refuses is dropped. Either way nothing but spans suffers.
class Exporter {
 public:
  /// `tell` gets one line when sending fails, and when it works again; on the exporter's thread.
  Exporter(TracingEndpoint endpoint, Resource resource, std::function<void(bool failed, const std::string&)> tell);
  ~Exporter();
  Exporter(const Exporter&) = delete;

  /// Safe from any thread.
  Queue& queue() { return queue_; }
  void start();
  /// Sends what is there, once, and ends the thread: within a few seconds, whatever the collector does.
  void stop();

 private:
  enum class Sent { yes, later, never };

  void run();
  /// Sends the first batch of `records`, and removes it unless it is kept for later. False: nothing more can be sent
  /// now.
  bool send_batch(std::vector<Record>& records);
  Sent post(const std::string& body, std::string& error);

  TracingEndpoint endpoint_;
  Resource resource_;
  std::function<void(bool, const std::string&)> tell_;
  Queue queue_;
  std::thread thread_;
  bool failing_ = false;  ///< of the thread
};

}  // namespace spillway::tracing
