#include "api/endpoints/date.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace api {

std::optional<Day> parse_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  auto number = [&](std::size_t from, std::size_t length) {
    int value = -1;
    const char* end = text.data() + from + length;
    auto [parsed, error] = std::from_chars(text.data() + from, end, value);
    return error == std::errc() && parsed == end ? value : -1;
  };
  const int year = number(0, 4);
  const int month = number(5, 2);
  const int day = number(8, 2);
  if (year < 1 || month < 1 || day < 1) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return static_cast<Day>(std::chrono::sys_days(date).time_since_epoch().count());
}

std::string to_text(Day day) {
  const std::chrono::year_month_day date{
      std::chrono::sys_days(std::chrono::days(std::clamp(day, kFirstDay, kLastDay)))};
  // Without printf, which would take longer than the rest of a row; a page has many rows.
  std::string text = "0000-00-00";
  auto write = [&text](std::size_t last, unsigned value) {
    for (std::size_t i = last; value > 0; --i, value /= 10) text[i] = static_cast<char>('0' + value % 10);
  };
  write(3, static_cast<unsigned>(static_cast<int>(date.year())));
  write(6, static_cast<unsigned>(date.month()));
  write(9, static_cast<unsigned>(date.day()));
  return text;
}

Day today() {
  return static_cast<Day>(
      std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()).time_since_epoch().count());
}

std::int64_t unix_now() {
  return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
}

}  // namespace api
