#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "api/db/day.hpp"

/// PostgreSQL's binary format of the types that the API reads. Pure: from bytes to values, and nothing is believed
/// about the bytes before it was checked. Views point into the bytes.
namespace api::db {

/// Type numbers of PostgreSQL (pg_type.dat), which clients may rely on.
using TypeId = std::uint32_t;
inline constexpr TypeId kBool = 16;
inline constexpr TypeId kInt8 = 20;
inline constexpr TypeId kInt4 = 23;
inline constexpr TypeId kText = 25;
inline constexpr TypeId kVarchar = 1043;  ///< the same bytes as text
inline constexpr TypeId kDate = 1082;

/// PostgreSQL counts days from 2000-01-01.
inline constexpr Day kPostgresEpoch = 10957;

/// What a column of a result has to hold.
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

/// Why the bytes are no such value, to complete a sentence that begins with the column; empty when they are one.
std::string_view fault_of(Kind kind, std::string_view bytes);

// Each gives nothing where `fault_of` says something.
std::optional<bool> decode_bool(std::string_view bytes);
std::optional<std::int32_t> decode_int4(std::string_view bytes);
std::optional<std::int64_t> decode_int8(std::string_view bytes);
/// Valid UTF-8: a server or a connection with another encoding would break the JSON.
std::optional<std::string_view> decode_text(std::string_view bytes);
/// kFirstDay to kLastDay: neither infinity nor what RFC 3339 has no form for.
std::optional<Day> decode_date(std::string_view bytes);
/// Any number of elements in one dimension, none null.
std::optional<std::vector<std::string_view>> decode_texts(std::string_view bytes);

}  // namespace api::db
