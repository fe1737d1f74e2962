#include "api/db/result.hpp"

#include <bit>
#include <cstring>

namespace api::db {

namespace {

/// PostgreSQL's binary format is big-endian.
template <class T>
T big_endian(const char* bytes) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>((value << 8) | static_cast<unsigned char>(bytes[i]));
  }
  return value;
}

constexpr std::int32_t kDaysFrom1970To2000 = 10957;

// Array header: dimensions, has-nulls flag, element type; then per dimension its length and lower bound.
constexpr int kArrayHeader = 12;
constexpr int kArrayDimension = 8;

}  // namespace

std::string_view Result::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::int64_t Result::int8(int row, int column) const {
  return static_cast<std::int64_t>(big_endian<std::uint64_t>(PQgetvalue(result_.get(), row, column)));
}

std::int32_t Result::int4(int row, int column) const {
  return static_cast<std::int32_t>(big_endian<std::uint32_t>(PQgetvalue(result_.get(), row, column)));
}

float Result::float4(int row, int column) const {
  return std::bit_cast<float>(big_endian<std::uint32_t>(PQgetvalue(result_.get(), row, column)));
}

std::int32_t Result::date(int row, int column) const {
  return int4(row, column) + kDaysFrom1970To2000;
}

std::vector<std::string_view> Result::texts(int row, int column) const {
  const char* bytes = PQgetvalue(result_.get(), row, column);
  std::vector<std::string_view> values;
  if (big_endian<std::uint32_t>(bytes) == 0) return values;
  const auto count = big_endian<std::uint32_t>(bytes + kArrayHeader);
  values.reserve(count);
  const char* element = bytes + kArrayHeader + kArrayDimension;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto length = big_endian<std::uint32_t>(element);
    values.emplace_back(element + sizeof(length), length);
    element += sizeof(length) + length;
  }
  return values;
}

}  // namespace api::db
