#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <libpq-fe.h>

namespace api::db {

/// Rows in PostgreSQL's binary format. Views live as long as the result. Reading a value of another type than the
/// column has, or a null, is a programming error: statements and reads stand side by side in one file.
class Result {
 public:
  Result() = default;
  explicit Result(PGresult* result) : result_(result) {}

  int rows() const { return PQntuples(result_.get()); }
  bool null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::string_view text(int row, int column) const;
  std::int64_t int8(int row, int column) const;
  std::int32_t int4(int row, int column) const;
  float float4(int row, int column) const;
  /// Days since 1970-01-01.
  std::int32_t date(int row, int column) const;
  /// text[] without nulls, one dimension.
  std::vector<std::string_view> texts(int row, int column) const;

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace api::db
