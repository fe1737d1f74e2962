#pragma once

#include <cstdint>
#include <string_view>

namespace api::db {

enum class QueryFailure : std::uint8_t {
  none,
  broken,       ///< the connection is gone
  stale,        ///< the server cannot run the prepared statement any more; a new connection can
  transient,    ///< the server cannot run the query now; the connection works
  interrupted,  ///< cancelled because the client has gone
  timeout,      ///< statement_timeout
  value,        ///< the server cannot take a value that the query has, or has to compute: a fault of the input
  refused,      ///< any other error of the server
};

/// `none` has an empty name.
std::string_view name(QueryFailure failure);
/// The kind of failure that an error code of the server means. Pure.
QueryFailure failure_of(std::string_view sqlstate);
/// The same query may succeed a moment later. Pure.
bool passes(std::string_view sqlstate);

/// Decides whether a query that only reads is sent again after a failure. Pure; one object for each query.
class Repeats {
 public:
  /// Call it after each failure. `reused`: the connection has served before, so the server may still be up; each such
  /// round closes one connection, so the rounds end. A transient failure is tried once more, on another connection.
  bool again(QueryFailure failure, std::string_view sqlstate, bool reused);

 private:
  bool used_ = false;
};

}  // namespace api::db
