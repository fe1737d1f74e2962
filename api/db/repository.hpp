#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "api/db/interrupt.hpp"
#include "api/db/list_filter.hpp"
#include "api/db/pool.hpp"
#include "api/db/query_try.hpp"
#include "api/db/rows.hpp"
#include "proxy/net/io.hpp"

namespace api {

/// Why a query has no result. `endpoints/problem.cpp` turns it into the response.
enum class DbError : std::uint8_t {
  none,
  pool_timeout,       ///< all connections were busy for too long
  unreachable,        ///< no connection could be opened
  lost,               ///< the connection broke in the middle of the query
  transient,          ///< the server failed twice: a conflict, a lock, no memory or disk
  statement_timeout,  ///< the query ran for too long
  closing,            ///< the process is ending
  interrupted,        ///< the client has gone
  no_schema,          ///< the tables are not there: `migrate` was not run
  unreadable,         ///< a column or a value is not as declared; the log names it
  value,              ///< the server cannot take a value of the request
  refused,            ///< any other error of the server: a defect
};

struct QueryReply {
  DbError error = DbError::none;
  db::Result rows;
};

/// The worker and the request that a query belongs to.
struct Caller {
  int home;  ///< index of the worker
  Interrupt& interrupt;
  bool* needed_database = nullptr;  ///< set when a connection is asked for, whether or not one becomes free
  db::QueryTries* tries = nullptr;  ///< for the spans of the request; null: none are recorded
};

/// Every query of the API, and the only file with SQL. A query is one round trip on one connection. All of them only
/// read, or may be made twice, so a query on a dead connection is sent again on the next one.
class Repository {
 public:
  explicit Repository(db::Pool& pool) : pool_(pool) {}

  // Arguments that are views must live until the reply. The comment names the rows.
  net::Task<QueryReply> scholarship(Caller caller, std::int64_t id);                          // details, 0 or 1
  net::Task<QueryReply> scholarships(Caller caller, const ListFilter& filter);                // summaries by id
  net::Task<QueryReply> eligibility(Caller caller, std::int64_t id, const Profile& profile);  // asked, 0 or 1

  // A search: `ranked` if no more than kRankedMost rows match, otherwise `by_deadline`.
  net::Task<QueryReply> estimated_matches(Caller caller, std::string_view words);  // how many the planner expects
  // Scored summaries by rank, of which no deadline is before `not_before`.
  net::Task<QueryReply> ranked(Caller caller, std::string_view words, Day not_before, RankedAfter after, int limit);
  // The same of one part of the matches.
  net::Task<QueryReply> ranked_part(Caller caller, std::string_view words, Day not_before, PartAfter after, int limit);
  // Summaries by deadline, among the kWindow rows after `after`, whether they match or not.
  net::Task<QueryReply> by_deadline(Caller caller, std::string_view words, DeadlineAfter after, int limit);
  net::Task<QueryReply> window_end(Caller caller, DeadlineAfter after);    // the last of these rows, 0 or 1
  net::Task<QueryReply> corrected(Caller caller, std::string_view words);  // with words that there are, 1

  net::Task<QueryReply> user(Caller caller, std::string_view name);     // user who is not disabled, 0 or 1
  net::Task<QueryReply> user_id(Caller caller, std::string_view name);  // of such a user, 0 or 1
  // Stores the time of a login, and `new_hash` unless it is empty. 1; not on a standby.
  net::Task<QueryReply> note_login(Caller caller, std::int64_t id, std::string_view old_hash,
                                   std::string_view new_hash);
  net::Task<QueryReply> server_state(Caller caller, int last_migration);  // server state, 1

  static Summary summary(const QueryReply& reply, int row);
  static Details details(const QueryReply& reply, int row);
  static Asked asked(const QueryReply& reply, int row);
  static Scored scored(const QueryReply& reply, int row);
  static std::int64_t estimated_matches(const QueryReply& reply);
  static DeadlineAfter window_end(const QueryReply& reply);
  static std::string_view corrected(const QueryReply& reply);
  static User user(const QueryReply& reply, int row);
  static UserId user_id(const QueryReply& reply);
  static ServerState server_state(const QueryReply& reply);

  /// The statements whose work is bounded, for EXPLAIN in a test.
  static std::vector<const db::Statement*> bounded_statements();

 private:
  net::Task<QueryReply> run(Caller caller, const db::Statement& statement, db::Parameters parameters);

  db::Pool& pool_;
};

}  // namespace api
