#include "api/db/statement.hpp"

#include <cassert>

namespace api::db {

Parameters::Parameter& Parameters::add() {
  assert(count_ < kMaxParameters);
  return parameters_[count_++];
}

Parameters& Parameters::text(std::string_view value) {
  Parameter& parameter = add();
  parameter.kind = Parameter::Kind::external;
  // An empty view may have no address, which libpq would read as null.
  parameter.external = value.empty() ? "" : value.data();
  parameter.length = static_cast<int>(value.size());
  return *this;
}

Parameters& Parameters::number(std::uint64_t value, int bytes) {
  Parameter& parameter = add();
  parameter.kind = Parameter::Kind::number;
  parameter.length = bytes;
  for (int i = bytes; i-- > 0; value >>= 8) parameter.number[static_cast<std::size_t>(i)] = static_cast<char>(value);
  return *this;
}

Parameters& Parameters::int8(std::int64_t value) {
  return number(static_cast<std::uint64_t>(value), 8);
}

Parameters& Parameters::int4(std::int32_t value) {
  return number(static_cast<std::uint32_t>(value), 4);
}

Parameters& Parameters::date(std::int32_t days) {
  return int4(days - kPostgresEpoch);
}

Parameters& Parameters::null() {
  add();
  return *this;
}

Parameters::Arrays Parameters::arrays() const {
  Arrays arrays;
  for (std::size_t i = 0; i < count_; ++i) {
    const Parameter& parameter = parameters_[i];
    switch (parameter.kind) {
      case Parameter::Kind::null:
        arrays.values[i] = nullptr;
        break;
      case Parameter::Kind::external:
        arrays.values[i] = parameter.external;
        break;
      case Parameter::Kind::number:
        arrays.values[i] = parameter.number.data();
        break;
    }
    arrays.lengths[i] = parameter.length;
    arrays.formats[i] = 1;
  }
  return arrays;
}

}  // namespace api::db
