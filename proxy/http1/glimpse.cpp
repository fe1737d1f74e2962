#include "proxy/http1/glimpse.hpp"

#include <algorithm>

#include "proxy/http/message.hpp"
#include "proxy/text/take.hpp"

namespace spillway::http {

namespace {

constexpr std::size_t kMethodMax = 32, kTargetMax = 1024, kHostMax = 256;

std::string_view take_line(std::string_view& text) {
  std::string_view line = text::take_until(text, '\n');
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

Glimpse glimpse(std::string_view bytes) {
  bytes.remove_prefix(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
  Glimpse seen;
  std::string_view line = take_line(bytes);
  seen.method = text::take_until(line, ' ').substr(0, kMethodMax);
  seen.target = text::take_until(line, ' ').substr(0, kTargetMax);
  while (!bytes.empty()) {
    line = take_line(bytes);
    constexpr std::string_view kHost = "host:";
    if (!equals_lower(line.substr(0, kHost.size()), kHost)) continue;
    line.remove_prefix(kHost.size());
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    seen.host = line.substr(0, kHostMax);
    break;
  }
  return seen;
}

}  // namespace spillway::http
