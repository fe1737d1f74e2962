#pragma once

#include <cstdint>
#include <string_view>

namespace api::db {

enum class QueryFailure : std::uint8_t {
  none,
  broken,       ///< the connection is gone
  stale,        ///< the server no longer knows, or no longer can run, what was prepared: a new connection will do
  transient,    ///< the server could not, just now; the connection works
  interrupted,  ///< cancelled because nobody waits for it
  timeout,      ///< statement_timeout
  refused,      ///< any other error of the server
};

/// What an error of the server says about the query. Pure.
QueryFailure failure_of(std::string_view sqlstate);
/// Whether the same query may well be answered a moment later. Pure.
bool passes(std::string_view sqlstate);

/// Whether a query that only reads is put again, of which every round is told. Pure; one for each question.
class Repeats {
 public:
  /// `reused`: the connection had served before, so its end says nothing about the server. Each such round uses one
  /// connection up, hence they end. Besides, what is transient is worth one more try, on another connection.
  bool again(QueryFailure failure, std::string_view sqlstate, bool reused);

 private:
  bool used_ = false;
};

}  // namespace api::db
