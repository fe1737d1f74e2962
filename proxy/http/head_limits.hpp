#pragma once

#include <cstdint>

namespace spillway::http {

/// Limits on a head. The configuration fills them; the defaults are those of a request. A response has only `head` and
/// `headers`.
struct HeadLimits {
  std::uint64_t head = 16 * 1024;  ///< bytes, start line and fields together
  std::uint64_t uri = 8 * 1024;    ///< bytes of a request target
  int headers = 100;               ///< fields
  bool underscores = false;        ///< accept field names with an underscore
  bool any_method = false;         ///< accept methods that the parser does not know
};

}  // namespace spillway::http
