#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-fe.h>

#include "api/db/binary_format.hpp"

namespace api::db {

/// Rows in PostgreSQL's binary format. Views live as long as the result.
class Result {
 public:
  Result() = default;
  explicit Result(PGresult* result) : result_(result) {}

  /// Compares all columns and values with their declaration, because a table may have been altered, and a column may
  /// accept values that this program cannot show. Empty: all are valid. Otherwise one line that names the column.
  std::string fault(std::span<const Column> columns) const;

  int rows() const { return PQntuples(result_.get()); }
  bool null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }

  // Call these after `fault` has returned nothing. An invalid value reads as 0 or empty.
  bool boolean(int row, int column) const;
  std::int32_t int4(int row, int column) const;
  std::int64_t int8(int row, int column) const;
  std::string_view text(int row, int column) const;
  Day date(int row, int column) const;
  std::vector<std::string_view> texts(int row, int column) const;

 private:
  /// Empty for null, and beyond the last row or column.
  std::string_view bytes(int row, int column) const;
  /// "row 3", or "the row with id 7".
  std::string name_of_row(int row, std::span<const Column> columns) const;

  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace api::db
