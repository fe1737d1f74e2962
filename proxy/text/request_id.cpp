#include "proxy/text/request_id.hpp"

#include <algorithm>

#include "proxy/text/hex.hpp"

namespace text {

RequestId request_id(std::uint64_t high, std::uint64_t low) {
  RequestId id;
  write_hex(high, id.data());
  write_hex(low, id.data() + 16);
  return id;
}

bool valid_request_id(std::string_view id) {
  constexpr std::string_view kPunctuation = "._:/+=-";
  return !id.empty() && id.size() <= kRequestIdMax && std::all_of(id.begin(), id.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kPunctuation.find(c) != std::string_view::npos;
  });
}

}  // namespace text
