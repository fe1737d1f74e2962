#pragma once

#include <cstdint>
#include <string_view>

#include "api/db/interrupt.hpp"
#include "api/db/list_filter.hpp"
#include "api/db/pool.hpp"
#include "api/db/rows.hpp"
#include "proxy/net/io.hpp"

namespace api {

/// Why the database gave no answer. Whose fault it is, and what the client is told, stands in problem.cpp.
enum class DbError : std::uint8_t {
  none,
  pool_timeout,       ///< all connections were busy for too long
  unreachable,        ///< no connection could be opened
  lost,               ///< the connection broke in the middle of the query
  transient,          ///< the server could not, twice: a conflict, a lock, no memory or room
  statement_timeout,  ///< the query ran for too long
  closing,            ///< the process is ending
  interrupted,        ///< the client has gone
  no_schema,          ///< the tables are not there: `migrate` was not run
  unreadable,         ///< a table was altered, or a row holds what no answer can say: see the log
  refused,            ///< any other error of the server: a defect
};

struct QueryReply {
  DbError error = DbError::none;
  db::Result rows;
};

/// On whose behalf a query runs.
struct Caller {
  int home;  ///< index of the worker
  Interrupt& interrupt;
};

/// Every question that is put to the database, and the only place with SQL. Each is one round trip on one connection;
/// all only read, so one that met a dead connection is put again on the next.
class Repository {
 public:
  explicit Repository(db::Pool& pool) : pool_(pool) {}

  /// Views given to these must live until the answer is there.
  net::Task<QueryReply> scholarship(Caller caller, std::int64_t id);                          // details, 0 or 1
  net::Task<QueryReply> scholarships(Caller caller, const ListFilter& filter);                // summaries by id
  net::Task<QueryReply> eligibility(Caller caller, std::int64_t id, const Profile& profile);  // asked, 0 or 1
  net::Task<QueryReply> search(Caller caller, std::string_view words, int limit);  // summaries by rank, with total
  net::Task<QueryReply> user(Caller caller, std::string_view name);                // user who is not disabled, 0 or 1
  net::Task<QueryReply> user_id(Caller caller, std::string_view name);             // of such a user, 0 or 1
  net::Task<QueryReply> server_state(Caller caller, int last_migration);           // server state, 1

  static Summary summary(const QueryReply& reply, int row);
  static Details details(const QueryReply& reply, int row);
  static Asked asked(const QueryReply& reply, int row);
  static std::int64_t search_total(const QueryReply& reply);
  static User user(const QueryReply& reply, int row);
  static std::int64_t user_id(const QueryReply& reply);  ///< 0: there is no such user
  static ServerState server_state(const QueryReply& reply);

  /// Of `search`, for EXPLAIN.
  static const char* search_sql();

 private:
  net::Task<QueryReply> run(Caller caller, const db::Statement& statement, db::Parameters parameters);

  db::Pool& pool_;
};

}  // namespace api
