#include "api/endpoints/brown_out.hpp"

#include <cmath>

namespace api {

int parse_pressure(std::string_view text) {
  const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
  if (text == "1.00") return 100;
  if (text.size() != 4 || !text.starts_with("0.") || !digit(2) || !digit(3)) return 0;
  return (text[2] - '0') * 10 + (text[3] - '0');
}

int degrade_from(double degrade_at) {
  constexpr int kNever = 101;
  constexpr double kRounding = 1e-9;  // 0.57 times 100 is a little below 57, 0.07 times 100 a little above 7
  return degrade_at > 0 ? static_cast<int>(std::ceil(degrade_at * 100 - kRounding)) : kNever;
}

void mark_degraded(text::JsonWriter& json, Response& response) {
  json.member("degraded", true);
  response.no_store = true;
  response.reason = "degraded";
}

}  // namespace api
