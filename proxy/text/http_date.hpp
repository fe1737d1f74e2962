#pragma once

#include <ctime>
#include <string_view>

namespace text {

/// The time of day as an IMF-fixdate (RFC 9110, section 5.6.7), for a `Date` field. Formatted once a second.
/// One per event loop; not thread-safe.
class HttpDate {
 public:
  /// The view is good until the next call.
  std::string_view at(std::time_t now);

 private:
  std::time_t second_ = -1;
  char text_[32];
  std::size_t length_ = 0;
};

}  // namespace text
