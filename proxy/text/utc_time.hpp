#pragma once

#include <chrono>
#include <string>

namespace text {

/// Appends `2026-11-23T09:08:07.006Z`, the form of RFC 3339 with milliseconds. The part down to the second is kept per
/// thread, because a busy log asks for it thousands of times a second.
void append_utc_time(std::string& out, std::chrono::system_clock::time_point time);

}  // namespace text
