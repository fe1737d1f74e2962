#include "proxy/text/accept.hpp"

#include <algorithm>
#include <cstddef>

#include "proxy/text/take.hpp"

namespace text {

namespace {

/// Takes the next part of a list, without the white space around it.
std::string_view take(std::string_view& rest, char delimiter) {
  std::string_view part = take_until(rest, delimiter);
  part.remove_prefix(std::min(part.find_first_not_of(" \t"), part.size()));
  return part.substr(0, part.find_last_not_of(" \t") + 1);
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

/// Of a weight such as `0.25`; RFC 9110, section 12.4.2.
int thousandths(std::string_view q) {
  if (q.empty() || q.size() > 5 || (q[0] != '0' && q[0] != '1') || (q.size() > 1 && q[1] != '.')) return 0;
  int weight = q[0] == '1' ? 1000 : 0;
  int place = 100;
  for (std::size_t i = 2; i < q.size(); ++i, place /= 10) {
    if (q[i] < '0' || q[i] > '9') return 0;
    weight += (q[i] - '0') * place;
  }
  return weight <= 1000 ? weight : 0;
}

}  // namespace

std::optional<Accepted> take_accepted(std::string_view& list) {
  if (list.empty()) return {};
  std::string_view entry = take(list, ',');
  Accepted accepted{take(entry, ';')};
  while (!entry.empty()) {
    const std::string_view parameter = take(entry, ';');
    if (same(parameter.substr(0, 2), "q=")) accepted.weight = thousandths(parameter.substr(2));
  }
  return accepted;
}

int accepted_weight(std::string_view list, std::string_view name) {
  int best = -1;
  while (const auto accepted = take_accepted(list)) {
    if (same(accepted->name, name)) best = std::max(best, accepted->weight);
  }
  return best;
}

}  // namespace text
