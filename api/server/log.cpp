#include "api/server/log.hpp"

#include <iostream>
#include <memory>
#include <string>

#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "proxy/net/line_queue.hpp"
#include "proxy/net/line_writer.hpp"
#include "proxy/text/json.hpp"
#include "proxy/text/utc_time.hpp"
#include "proxy/text/utf8.hpp"

namespace api {

namespace {

/// Lines that wait for the writer; beyond, the oldest are overwritten. Some 400 bytes each.
constexpr std::size_t kQueuedLines = 1024;

std::shared_ptr<net::LineQueue> lines;

LogLevel from_spdlog(spdlog::level::level_enum level) {
  if (level >= spdlog::level::err) return LogLevel::error;
  if (level == spdlog::level::warn) return LogLevel::warn;
  return level == spdlog::level::info ? LogLevel::info : LogLevel::debug;
}

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

/// An open object with the members that every line begins with.
std::string begin_line(std::chrono::system_clock::time_point time, LogLevel level) {
  std::string line = R"({"time":")";
  text::append_utc_time(line, time);
  line.append(R"(","level":")").append(config::name(level)).append(R"(",)");
  return line;
}

/// Takes what is logged through spdlog. Safe from any thread: it keeps nothing.
class Events final : public spdlog::sinks::sink {
 public:
  explicit Events(std::shared_ptr<net::LineQueue> queue) : queue_(std::move(queue)) {}

  void log(const spdlog::details::log_msg& event) override {
    std::string line = begin_line(event.time, from_spdlog(event.level));
    line += R"("message":")";
    // Paths and messages of libraries may hold any bytes; a line must be valid UTF-8.
    text::append_json_escaped(line, text::to_valid_utf8({event.payload.data(), event.payload.size()}));
    line += R"("})";
    queue_->add(line, true);
  }
  void flush() override {}  // `flush_log` waits for the queue
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  std::shared_ptr<net::LineQueue> queue_;
};

}  // namespace

void start_log(LogLevel level) {
  lines = std::make_shared<net::LineQueue>(STDOUT_FILENO, kQueuedLines);
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("api", std::make_shared<Events>(lines)));
  set_log_level(level);
}

void set_log_level(LogLevel level) {
  spdlog::set_level(to_spdlog(level));
}

bool flush_log(std::chrono::milliseconds limit) {
  return lines->flush(limit);
}

/// The logger stays: the thread of the signals may still log.
bool stop_log() {
  lines->close();
  return flush_log(2 * net::LineWriter::kFarewell);
}

void log_line(LogLevel level, std::string_view members) {
  if (!lines) return;
  std::string line = begin_line(std::chrono::system_clock::now(), level);
  line.append(text::to_valid_utf8(members)).push_back('}');
  lines->add(line, true);
}

void print_line(LogLevel level, std::string_view members) {
  std::cout << begin_line(std::chrono::system_clock::now(), level) << text::to_valid_utf8(members) << "}\n";
}

}  // namespace api
