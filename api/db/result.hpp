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

  /// Whether columns and values are as expected, all of them: a table may have been altered, and what a column accepts
  /// may be more than this program can tell. Empty: they are. Else what is not, with the column's name, in one line.
  std::string fault(std::span<const Column> columns) const;

  int rows() const { return PQntuples(result_.get()); }
  bool null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }

  // To be asked for what `fault` has found good; all else reads as 0 or empty.
  bool boolean(int row, int column) const;
  std::int32_t int4(int row, int column) const;
  std::int64_t int8(int row, int column) const;
  std::string_view text(int row, int column) const;
  Day date(int row, int column) const;
  std::vector<std::string_view> texts(int row, int column) const;

 private:
  /// Empty for null, and beyond the last row or column.
  std::string_view bytes(int row, int column) const;
  /// "row 3", or its id.
  std::string name_of_row(int row, std::span<const Column> columns) const;

  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace api::db
