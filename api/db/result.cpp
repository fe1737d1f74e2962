#include "api/db/result.hpp"

namespace api::db {

std::string Result::fault(std::span<const Column> columns) const {
  const PGresult* result = result_.get();
  const int count = static_cast<int>(columns.size());
  if (PQnfields(result) != count) {
    return std::to_string(PQnfields(result)) + " columns, not " + std::to_string(count);
  }
  for (int i = 0; i < count; ++i) {
    const Column& column = columns[static_cast<std::size_t>(i)];
    const ColumnShape shape{PQftype(result, i), PQfsize(result, i), PQfformat(result, i) == 1};
    if (fits(column.kind, shape)) continue;
    return "column " + std::string(column.name) + " is not of type " + std::string(name_of(column.kind)) +
           ", but of the type with the number " + std::to_string(shape.type);
  }
  for (int row = 0; row < rows(); ++row) {
    for (int i = 0; i < count; ++i) {
      const Column& column = columns[static_cast<std::size_t>(i)];
      const std::string_view value = bytes(row, i);
      std::string_view fault;
      if (!value.empty() || !null(row, i)) {
        fault = fault_of(column.kind, value);
      } else if (!column.nullable) {
        fault = "is NULL";
      }
      if (fault.empty()) continue;
      return "column " + std::string(column.name) + " of " + name_of_row(row, columns) + ' ' + std::string(fault);
    }
  }
  return {};
}

std::string Result::name_of_row(int row, std::span<const Column> columns) const {
  if (columns.front().kind == Kind::int8) {
    if (const auto id = decode_int8(bytes(row, 0))) {
      return "the row with " + std::string(columns.front().name) + ' ' + std::to_string(*id);
    }
  }
  return "row " + std::to_string(row + 1);
}

std::string_view Result::bytes(int row, int column) const {
  const int length = PQgetlength(result_.get(), row, column);  // 0 of a null
  if (length <= 0) return {};
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(length)};
}

bool Result::boolean(int row, int column) const {
  return decode_bool(bytes(row, column)).value_or(false);
}

std::int32_t Result::int4(int row, int column) const {
  return decode_int4(bytes(row, column)).value_or(0);
}

std::int64_t Result::int8(int row, int column) const {
  return decode_int8(bytes(row, column)).value_or(0);
}

std::string_view Result::text(int row, int column) const {
  return bytes(row, column);
}

Day Result::date(int row, int column) const {
  return decode_date(bytes(row, column)).value_or(0);
}

std::vector<std::string_view> Result::texts(int row, int column) const {
  return decode_checked_texts(bytes(row, column));
}

}  // namespace api::db
