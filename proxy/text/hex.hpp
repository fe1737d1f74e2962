#pragma once

#include <cstdint>

namespace text {

/// Value of a hexadecimal digit, -1 for any other octet.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Writes 16 lower-case hexadecimal digits to `out`.
void write_hex(std::uint64_t value, char* out);

}  // namespace text
