#pragma once

#include <chrono>
#include <string_view>

#include "api/config/config.hpp"

namespace api {

/// JSON lines on stdout, written by a thread of its own: a reader that hangs costs lines, never a request.
/// Elsewhere, spdlog::info and its like are used as they are.
void start_log(LogLevel level);
void set_log_level(LogLevel level);
/// Waits until the lines so far have been handed to the reader, or `limit` is over: false. From any thread.
bool flush_log(std::chrono::milliseconds limit);
/// The last lines; a reader that has stalled loses them after a second. False: the writing itself hangs, and with it
/// whatever joins threads at the end of the process.
bool stop_log();

/// `members`: the inside of a JSON object, already escaped.
void log_request(std::string_view members);

}  // namespace api
