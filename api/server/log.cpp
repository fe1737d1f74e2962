#include "api/server/log.hpp"

#include <memory>
#include <mutex>
#include <semaphore>
#include <string>

#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "proxy/net/line_writer.hpp"
#include "proxy/text/json.hpp"
#include "proxy/text/utf8.hpp"

namespace api {

namespace {

/// Lines that wait for the writer; the oldest are dropped beyond. Some 400 bytes each.
constexpr std::size_t kQueuedLines = 1024;
constexpr const char* kRequestLogger = "request";

using net::LineWriter;

/// Writes lines to stdout, on the log's own thread.
class Output : public spdlog::sinks::base_sink<std::mutex> {
 public:
  /// From now on a reader that has stalled is given up soon.
  void close() { writer_.close(); }
  /// Waits until what was logged before has been handed to the reader. False: not in time.
  bool await_flush(std::chrono::milliseconds limit) { return flushed_.try_acquire_for(limit); }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    writer_.write({line.data(), line.size()});
  }
  void flush_() override { flushed_.release(); }

  LineWriter writer_{STDOUT_FILENO};
  std::counting_semaphore<> flushed_{0};
};

std::shared_ptr<Output> output;
std::shared_ptr<spdlog::logger> request_logger;

/// The members of a line: as they are from the request logger, else the escaped message.
class Members : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    // Paths and messages of libraries may hold any bytes; a line must not.
    const std::string payload = text::to_valid_utf8({message.payload.data(), message.payload.size()});
    std::string members;
    if (std::string_view(message.logger_name.data(), message.logger_name.size()) == kRequestLogger) {
      members = payload;
    } else {
      members = "\"message\":\"";
      text::append_json_escaped(members, payload);
      members += '"';
    }
    out.append(members.data(), members.data() + members.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<Members>(); }
};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      break;
  }
  return spdlog::level::err;
}

}  // namespace

void start_log(LogLevel level) {
  spdlog::init_thread_pool(kQueuedLines, 1);
  output = std::make_shared<Output>();
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<Members>('*').set_pattern("{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",%*}");
  output->set_formatter(std::move(formatter));
  auto logger = [&](const char* name) {
    return std::make_shared<spdlog::async_logger>(name, output, spdlog::thread_pool(),
                                                  spdlog::async_overflow_policy::overrun_oldest);
  };
  spdlog::set_default_logger(logger("api"));
  request_logger = logger(kRequestLogger);
  set_log_level(level);
}

void set_log_level(LogLevel level) {
  spdlog::set_level(to_spdlog(level));
}

bool flush_log(std::chrono::milliseconds limit) {
  spdlog::default_logger_raw()->flush();
  return output->await_flush(limit);
}

/// The loggers stay: who watches over the end of the process may still have something to say.
bool stop_log() {
  output->close();
  return flush_log(2 * LineWriter::kFarewell);
}

void log_request(std::string_view members) {
  if (request_logger) request_logger->info(members);
}

}  // namespace api
