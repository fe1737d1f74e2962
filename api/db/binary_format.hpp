#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "api/db/day.hpp"

/// PostgreSQL's binary format of the types that the API reads. Pure. Every property of the bytes is checked before it
/// is used. Views point into the bytes.
namespace api::db {

/// Type numbers of PostgreSQL (pg_type.dat). They never change.
using TypeId = std::uint32_t;
inline constexpr TypeId kBool = 16;
inline constexpr TypeId kInt8 = 20;
inline constexpr TypeId kInt4 = 23;
inline constexpr TypeId kText = 25;
inline constexpr TypeId kVarchar = 1043;  ///< the same bytes as text
inline constexpr TypeId kDate = 1082;

/// PostgreSQL counts days from 2000-01-01.
inline constexpr Day kPostgresEpoch = 10957;

/// The type that a column of a result must have.
enum class Kind : std::uint8_t { boolean, int4, int8, text, date, texts };

struct Column {
  const char* name;
  Kind kind;
  bool nullable = false;
};

/// How the server describes a column of a result.
struct ColumnShape {
  TypeId type = 0;
  int size = 0;  ///< bytes of every value; -1: they vary
  bool binary = false;
};

bool fits(Kind kind, const ColumnShape& shape);
/// As in SQL.
std::string_view name_of(Kind kind);

/// Why the bytes are not a value of this kind, as the end of a sentence that begins with the column. Empty: they are.
std::string_view fault_of(Kind kind, std::string_view bytes);

// Each returns nothing where `fault_of` returns a reason.
std::optional<bool> decode_bool(std::string_view bytes);
std::optional<std::int32_t> decode_int4(std::string_view bytes);
std::optional<std::int64_t> decode_int8(std::string_view bytes);
/// Must be valid UTF-8: bytes in another encoding would make the JSON invalid.
std::optional<std::string_view> decode_text(std::string_view bytes);
/// kFirstDay to kLastDay: not infinity, nor a day that RFC 3339 cannot write.
std::optional<Day> decode_date(std::string_view bytes);
/// An array of one dimension without nulls, or an empty array.
std::optional<std::vector<std::string_view>> decode_texts(std::string_view bytes);
/// Of bytes without a fault: does not look at the text again. Empty where there is no array.
std::vector<std::string_view> decode_checked_texts(std::string_view bytes);

}  // namespace api::db
