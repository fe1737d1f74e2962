#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <libpq-fe.h>

#include "api/db/binary_format.hpp"

namespace api::db {

/// A statement whose text is fixed at compile time: no query is built from input.
struct Statement {
  unsigned id;       ///< below 64: its bit in the set of statements that a connection has prepared
  const char* name;  ///< of the prepared statement
  const char* sql;
  std::span<const Oid> types;       ///< of the parameters
  std::span<const Column> columns;  ///< of the result
  bool planned_anew = false;        ///< never prepared, because the best plan depends on the parameters
};

inline constexpr std::size_t kMaxParameters = 8;

/// Parameters in binary format, in the order of the statement. Text is not copied.
class Parameters {
 public:
  Parameters& text(std::string_view value);
  Parameters& int8(std::int64_t value);
  Parameters& int4(std::int32_t value);
  /// Days since 1970-01-01.
  Parameters& date(std::int32_t days);
  Parameters& null();

  Parameters& text(const std::optional<std::string_view>& value) { return value ? text(*value) : null(); }

  struct Arrays {
    std::array<const char*, kMaxParameters> values;
    std::array<int, kMaxParameters> lengths;
    std::array<int, kMaxParameters> formats;
  };
  /// The arrays that libpq takes. They point into this object.
  Arrays arrays() const;
  int count() const { return static_cast<int>(count_); }

 private:
  struct Parameter {
    const char* external = nullptr;
    std::array<char, 8> number{};
    int length = 0;
    enum class Kind : std::uint8_t { null, external, number } kind = Kind::null;
  };
  Parameter& add();
  Parameters& number(std::uint64_t value, int bytes);

  std::array<Parameter, kMaxParameters> parameters_;
  std::size_t count_ = 0;
};

}  // namespace api::db
