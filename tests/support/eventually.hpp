#pragma once

#include <chrono>
#include <functional>

namespace support {

/// The longest wait for what a test expects. Long enough for a sanitizer on a busy machine. Only a failure takes it.
inline constexpr std::chrono::seconds kPatience{120};

/// Asks again and again until `holds` is true. False: it was not within `patience`.
bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds patience = kPatience);

}  // namespace support
