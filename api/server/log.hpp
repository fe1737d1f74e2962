#pragma once

#include <string_view>

#include "api/server/config.hpp"

namespace api {

/// JSON lines on stdout, written by a thread of its own: a reader that hangs costs lines, never a request.
/// Elsewhere, spdlog::info and its like are used as they are.
void start_log(LogLevel level);
void set_log_level(LogLevel level);
void stop_log();

/// `members`: the inside of a JSON object, already escaped.
void log_request(std::string_view members);

}  // namespace api
