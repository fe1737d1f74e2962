#include "api/db/binary_format.hpp"

#include <cstddef>

#include "proxy/text/utf8.hpp"

namespace api::db {

namespace {

constexpr TypeId kTextArray = 1009;
constexpr TypeId kVarcharArray = 1015;

/// Reads big-endian numbers from the front of bytes.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::size_t left() const { return bytes_.size(); }
  /// False: there are too few bytes; nothing is read.
  bool take(std::uint32_t& value) {
    if (left() < sizeof(value)) return false;
    value = 0;
    for (std::size_t i = 0; i < sizeof(value); ++i) value = (value << 8) | static_cast<unsigned char>(bytes_[i]);
    bytes_.remove_prefix(sizeof(value));
    return true;
  }
  bool take(std::size_t length, std::string_view& value) {
    if (left() < length) return false;
    value = bytes_.substr(0, length);
    bytes_.remove_prefix(length);
    return true;
  }

 private:
  std::string_view bytes_;
};

constexpr std::string_view kNotUtf8 = "is not valid UTF-8";
constexpr std::string_view kBrokenArray = "is no well-formed array";
constexpr std::uint32_t kNullLength = 0xFFFFFFFF;

/// Header: dimensions, whether there are nulls, element type; then of each dimension its length and lower bound; then
/// the elements, each with its length in front. Returns as `fault_of`; `each` sees the elements before a fault.
/// `Good`: whether the bytes of an element are text.
template <class Each, class Good = bool (*)(std::string_view)>
std::string_view walk_texts(std::string_view bytes, Each each, Good good = text::valid_utf8) {
  Reader reader(bytes);
  std::uint32_t dimensions = 0, nulls = 0, type = 0, count = 0, lower_bound = 0;
  if (!reader.take(dimensions) || !reader.take(nulls) || !reader.take(type)) return kBrokenArray;
  if (type != kText && type != kVarchar) return "is no array of text";
  if (dimensions == 0) return reader.left() == 0 ? std::string_view() : kBrokenArray;
  if (dimensions != 1) return "has more than one dimension";
  if (!reader.take(count) || !reader.take(lower_bound)) return kBrokenArray;
  for (; count > 0; --count) {
    std::uint32_t length = 0;
    std::string_view element;
    if (!reader.take(length)) return kBrokenArray;
    if (length == kNullLength) return "has a NULL element";
    if (!reader.take(length, element)) return kBrokenArray;
    if (!good(element)) return kNotUtf8;
    each(element);
  }
  return reader.left() == 0 ? std::string_view() : kBrokenArray;
}

}  // namespace

bool fits(Kind kind, const ColumnShape& shape) {
  const auto is = [&shape](TypeId type, int size) { return shape.type == type && shape.size == size; };
  if (!shape.binary) return false;
  switch (kind) {
    case Kind::boolean:
      return is(kBool, 1);
    case Kind::int4:
      return is(kInt4, 4);
    case Kind::int8:
      return is(kInt8, 8);
    case Kind::text:
      return is(kText, -1) || is(kVarchar, -1);
    case Kind::date:
      return is(kDate, 4);
    case Kind::texts:
      return is(kTextArray, -1) || is(kVarcharArray, -1);
  }
  return false;
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::boolean:
      return "boolean";
    case Kind::int4:
      return "integer";
    case Kind::int8:
      return "bigint";
    case Kind::text:
      return "text";
    case Kind::date:
      return "date";
    case Kind::texts:
      return "text[]";
  }
  return "";
}

std::string_view fault_of(Kind kind, std::string_view bytes) {
  const auto unless = [](bool good, std::string_view fault) { return good ? std::string_view() : fault; };
  switch (kind) {
    case Kind::boolean:
      return unless(decode_bool(bytes).has_value(), "is no boolean");
    case Kind::int4:
      return unless(decode_int4(bytes).has_value(), "does not have 4 bytes");
    case Kind::int8:
      return unless(decode_int8(bytes).has_value(), "does not have 8 bytes");
    case Kind::text:
      return unless(text::valid_utf8(bytes), kNotUtf8);
    case Kind::date:
      return unless(decode_date(bytes).has_value(), "is no date from 0001-01-01 to 9999-12-31");
    case Kind::texts:
      return walk_texts(bytes, [](std::string_view) {});
  }
  return "is of an unknown kind";
}

std::optional<bool> decode_bool(std::string_view bytes) {
  if (bytes.size() != 1 || (bytes[0] != 0 && bytes[0] != 1)) return std::nullopt;
  return bytes[0] == 1;
}

std::optional<std::int32_t> decode_int4(std::string_view bytes) {
  Reader reader(bytes);
  std::uint32_t value = 0;
  if (!reader.take(value) || reader.left() > 0) return std::nullopt;
  return static_cast<std::int32_t>(value);
}

std::optional<std::int64_t> decode_int8(std::string_view bytes) {
  Reader reader(bytes);
  std::uint32_t high = 0, low = 0;
  if (!reader.take(high) || !reader.take(low) || reader.left() > 0) return std::nullopt;
  return static_cast<std::int64_t>((std::uint64_t{high} << 32) | low);
}

std::optional<std::string_view> decode_text(std::string_view bytes) {
  if (!text::valid_utf8(bytes)) return std::nullopt;
  return bytes;
}

std::optional<Day> decode_date(std::string_view bytes) {
  const auto days = decode_int4(bytes);
  if (!days || *days < kFirstDay - kPostgresEpoch || *days > kLastDay - kPostgresEpoch) return std::nullopt;
  return *days + kPostgresEpoch;
}

std::optional<std::vector<std::string_view>> decode_texts(std::string_view bytes) {
  std::vector<std::string_view> values;
  const auto fault = walk_texts(bytes, [&values](std::string_view element) { values.push_back(element); });
  if (!fault.empty()) return std::nullopt;
  return values;
}

std::vector<std::string_view> decode_checked_texts(std::string_view bytes) {
  constexpr std::size_t kUsual = 4;
  std::vector<std::string_view> values;
  if (bytes.empty()) return values;
  values.reserve(kUsual);
  walk_texts(
      bytes, [&values](std::string_view element) { values.push_back(element); },
      [](std::string_view /*element*/) { return true; });
  return values;
}

}  // namespace api::db
