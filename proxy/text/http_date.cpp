#include "proxy/text/http_date.hpp"

namespace text {

std::string_view HttpDate::at(std::time_t now) {
  if (now != second_) {
    second_ = now;
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    length_ = std::strftime(text_, sizeof text_, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  }
  return {text_, length_};
}

}  // namespace text
