#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace text {

/// 16 bytes as 32 lower-case hex digits.
using RequestId = std::array<char, 32>;

/// From 128 random bits. The caller draws them; they need not be secret.
RequestId request_id(std::uint64_t high, std::uint64_t low);

inline std::string_view view(const RequestId& id) {
  return {id.data(), id.size()};
}

inline constexpr std::size_t kRequestIdMax = 128;

/// Whether an X-Request-ID from outside may be passed on: 1 to `kRequestIdMax` bytes of [A-Za-z0-9._:/+=-].
bool valid_request_id(std::string_view id);

}  // namespace text
