#include "proxy/text/utc_time.hpp"

#include <array>
#include <ctime>

namespace text {

void append_utc_time(std::string& out, std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  thread_local sys_seconds known = sys_seconds::min();
  thread_local std::array<char, 24> text{};
  const auto second = floor<seconds>(time);
  if (second != known) {
    known = second;
    const std::time_t number = system_clock::to_time_t(second);
    std::tm parts{};
    gmtime_r(&number, &parts);
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.", &parts);
  }
  const auto ms = static_cast<unsigned>(duration_cast<milliseconds>(time - second).count());
  const std::array<char, 4> rest{static_cast<char>('0' + ms / 100), static_cast<char>('0' + ms / 10 % 10),
                                 static_cast<char>('0' + ms % 10), 'Z'};
  out.append(text.data()).append(rest.data(), rest.size());
}

}  // namespace text
