#include "proxy/http/message.hpp"

namespace spillway::http {

namespace {

std::string_view first_of(const std::vector<Field>& fields, std::string_view lower_case_name) {
  for (const Field& field : fields) {
    if (equals_lower(field.name, lower_case_name)) return field.value;
  }
  return {};
}

}  // namespace

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (to_lower(left[i]) != to_lower(right[i])) return false;
  }
  return true;
}

std::string_view RequestHead::field(std::string_view lower_case_name) const {
  return first_of(fields, lower_case_name);
}

std::string_view ResponseHead::field(std::string_view lower_case_name) const {
  return first_of(fields, lower_case_name);
}

}  // namespace spillway::http
