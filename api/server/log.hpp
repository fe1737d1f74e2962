#pragma once

#include <chrono>
#include <string_view>

#include "api/config/config.hpp"

namespace api {

/// Makes spdlog::info and its like write JSON lines to stdout, on a thread of its own: a reader that hangs costs lines,
/// never a request. Once, before any line is logged.
void start_log(LogLevel level);
void set_log_level(LogLevel level);
/// Waits until the lines so far have been written. False: not within `limit`. From any thread.
bool flush_log(std::chrono::milliseconds limit);
/// Writes the last lines; a reader that has stalled loses them after a second. False: the writer hangs, and nobody may
/// wait for its thread.
bool stop_log();

/// Writes a line whatever the least level is. `members`: of a JSON object, without its brackets, escaped.
void log_line(LogLevel level, std::string_view members);
/// The same to stdout, for the command line, where no log was started.
void print_line(LogLevel level, std::string_view members);

}  // namespace api
