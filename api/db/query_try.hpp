#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/db/pool.hpp"
#include "api/db/statement.hpp"

namespace api::db {

/// One try of a query, for the spans of its request.
struct QueryTry {
  const Statement* statement = nullptr;
  Time asked{};                         ///< for a connection
  Time leased{};                        ///< it has one, or gets none
  Time ended{};                         ///< of the query; the clock's epoch: it was not sent
  bool waited = false;                  ///< none was free at once
  std::string_view no_connection = {};  ///< why it got none; a literal
  std::string server = {};              ///< as `Connection::server`
  std::string_view failure = {};        ///< of the query; a literal
  std::string sqlstate = {};            ///< of the failure, if the server has told one

  void checked_out(const Checkout& checkout);
  void answered(const QueryResult& result);
};

/// The tries of one request. Only on its worker's thread.
class QueryTries {
 public:
  /// A request may ask for as many windows of a search, and ask again. Beyond that the last one is told.
  static constexpr std::size_t kMost = 32;

  /// The reference lives until the next call.
  QueryTry& begin(const Statement& statement);
  std::vector<QueryTry> take() { return std::move(all_); }
  void clear() { all_.clear(); }

 private:
  std::vector<QueryTry> all_;
};

}  // namespace api::db
