#include "api/server/log.hpp"

#include <memory>
#include <string>

#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "proxy/text/json.hpp"

namespace api {

namespace {

/// Lines that wait for the writer; the oldest are dropped beyond. Some 400 bytes each.
constexpr std::size_t kQueuedLines = 1024;
constexpr const char* kRequestLogger = "request";

std::shared_ptr<spdlog::logger> request_logger;

/// The members of a line: as they are from the request logger, else the escaped message.
class Members : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string_view payload(message.payload.data(), message.payload.size());
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
  auto sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<Members>('*').set_pattern("{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",%*}");
  sink->set_formatter(std::move(formatter));
  auto logger = [&](const char* name) {
    return std::make_shared<spdlog::async_logger>(name, sink, spdlog::thread_pool(),
                                                  spdlog::async_overflow_policy::overrun_oldest);
  };
  spdlog::set_default_logger(logger("api"));
  request_logger = logger(kRequestLogger);
  set_log_level(level);
}

void set_log_level(LogLevel level) {
  spdlog::set_level(to_spdlog(level));
}

void stop_log() {
  request_logger.reset();
  spdlog::shutdown();
}

void log_request(std::string_view members) {
  if (request_logger) request_logger->info(members);
}

}  // namespace api
