#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/http1/head_scanner.hpp"

/// Shared by the fuzz targets of requests and responses.
namespace spillway::http::fuzz {

/// The scanner's verdict on bytes that arrive in pieces, which end at `ends`.
inline HeadScanner::Result scan(HeadScanner::Kind kind, std::string_view bytes, const HeadLimits& limits,
                                const std::vector<std::size_t>& ends) {
  HeadScanner scanner(kind);
  HeadScanner::Result result;
  for (const std::size_t end : ends) {
    result = scanner.scan(bytes.substr(0, end), limits);
    if (result.complete || result.violation) break;
  }
  return result;
}

/// The verdict on the whole head. Requires that neither `split` nor a split at every byte changes it.
HeadScanner::Result scan_in_all_ways(HeadScanner::Kind kind, std::string_view bytes, const HeadLimits& limits,
                                     std::size_t split);

/// Name and value of each line of a written head. A second, simple parser to compare with.
/// Aborts when a line is not `name: value`.
std::vector<std::pair<std::string, std::string>> plain_fields(std::string_view head);

}  // namespace spillway::http::fuzz
