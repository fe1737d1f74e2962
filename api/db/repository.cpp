#include "api/db/repository.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

#include <spdlog/spdlog.h>

namespace api {

namespace {

using db::Column;
using db::Kind;
using db::Parameters;
using db::Statement;

// The columns of a summary, in the order in which `Repository::summary` reads them. Every statement declares its
// columns, and `run` checks the result against the declaration.
#define SUMMARY_COLUMNS "s.id, s.name, s.provider, s.amount, s.deadline, (s.min_gpa * 100)::int4, s.majors"
constexpr std::array kSummary{
    Column{"id", Kind::int8},      Column{"name", Kind::text},     Column{"provider", Kind::text},
    Column{"amount", Kind::int4},  Column{"deadline", Kind::date}, Column{"min_gpa", Kind::int4, true},
    Column{"majors", Kind::texts},
};
constexpr int kSummaryColumns = static_cast<int>(kSummary.size());

/// The columns of a summary, followed by `more`.
template <std::size_t N>
constexpr auto summary_and(const std::array<Column, N>& more) {
  std::array<Column, kSummary.size() + N> all{};
  std::copy(kSummary.begin(), kSummary.end(), all.begin());
  std::copy(more.begin(), more.end(), all.begin() + kSummary.size());
  return all;
}

constexpr std::array kScholarshipTypes{db::kInt8};
constexpr auto kScholarshipColumns = summary_and(std::array{
    Column{"description", Kind::text}, Column{"residencies", Kind::texts}, Column{"education_levels", Kind::texts}});
constexpr Statement kScholarship{
    0, "scholarship",
    "SELECT " SUMMARY_COLUMNS ", s.description, s.residencies, s.education_levels FROM scholarships s WHERE s.id = $1",
    kScholarshipTypes, kScholarshipColumns};

// One rule for names, wherever they are compared: without regard to case, in the words of the database's collation.
#define STANDS_IN(name, list) "lower(" name ") = ANY (lower(" list "::text)::text[])"

constexpr std::array kEligibilityTypes{db::kInt8, db::kText, db::kText, db::kText};
constexpr auto kEligibilityColumns = summary_and(std::array{
    Column{"residencies", Kind::texts}, Column{"education_levels", Kind::texts}, Column{"major_listed", Kind::boolean},
    Column{"residency_listed", Kind::boolean}, Column{"education_level_listed", Kind::boolean}});
constexpr Statement kEligibility{6,
                                 "eligibility",
                                 "SELECT " SUMMARY_COLUMNS
                                 ", s.residencies, s.education_levels"
                                 ", " STANDS_IN("$2", "s.majors")
                                 ", coalesce(" STANDS_IN("$3", "s.residencies") ", false)"
                                 ", coalesce(" STANDS_IN("$4", "s.education_levels") ", false)"
                                 " FROM scholarships s WHERE s.id = $1",
                                 kEligibilityTypes, kEligibilityColumns};

// Pages by key cost the same at the end of the list as at its start. A scholarship without majors is open to all.
constexpr std::array kListTypes{db::kInt8, db::kText, db::kInt4, db::kDate, db::kInt4};
constexpr Statement kList{1, "list",
                          "SELECT " SUMMARY_COLUMNS
                          " FROM scholarships s"
                          " WHERE s.id > $1"
                          " AND ($2 IS NULL OR s.majors = '{}' OR " STANDS_IN("$2", "s.majors") ")"
                          " AND s.amount >= $3 AND ($4 IS NULL OR s.deadline > $4)"
                          " ORDER BY s.id LIMIT $5",
                          kListTypes, kSummary};

// Ranks and counts on narrow rows, then fetches the wide ones for the few that are shown.
constexpr std::array kSearchTypes{db::kText, db::kInt4};
constexpr auto kSearchColumns = summary_and(std::array{Column{"total", Kind::int8}});
constexpr Statement kSearch{2, "search",
                            "SELECT " SUMMARY_COLUMNS
                            ", top.total FROM ("
                            "SELECT id, ts_rank(search, words) AS rank, count(*) OVER () AS total"
                            " FROM scholarships, websearch_to_tsquery('english', $1) AS words"
                            " WHERE search @@ words ORDER BY rank DESC, id LIMIT $2"
                            ") AS top JOIN scholarships s USING (id) ORDER BY top.rank DESC, s.id",
                            kSearchTypes, kSearchColumns};

// To rank a match costs more than to find it, and words that stand in every second row match very many. So only so many
// are ranked, in the order in which they are stored: the same in each search. Words that fewer match find the same as
// above. The number is a literal, because PostgreSQL plans for a parameter as if a tenth of the matches were wanted.
#define RANKED_MOST "500"
constexpr Statement kCheapSearch{7, "cheap_search",
                                 "SELECT " SUMMARY_COLUMNS
                                 " FROM (SELECT id, ts_rank(search, words) AS rank FROM ("
                                 "SELECT id, search, words"
                                 " FROM scholarships, websearch_to_tsquery('english', $1) AS words"
                                 " WHERE search @@ words LIMIT " RANKED_MOST
                                 ") AS found ORDER BY rank DESC, id LIMIT $2"
                                 ") AS top JOIN scholarships s USING (id) ORDER BY top.rank DESC, s.id",
                                 kSearchTypes, kSummary};

constexpr std::array kUserTypes{db::kText};
constexpr std::array kUserColumns{Column{"id", Kind::int8}, Column{"token_generation", Kind::int4},
                                  Column{"password_hash", Kind::text}};
constexpr Statement kUser{3, "user",
                          "SELECT id, token_generation, password_hash FROM users WHERE username = $1 AND NOT disabled",
                          kUserTypes, kUserColumns};

constexpr std::array kUserIdColumns{Column{"id", Kind::int8}, Column{"token_generation", Kind::int4}};
constexpr Statement kUserId{5, "user_id", "SELECT id, token_generation FROM users WHERE username = $1 AND NOT disabled",
                            kUserTypes, kUserIdColumns};

constexpr std::array kNoteLoginTypes{db::kInt8, db::kText, db::kText};
constexpr std::array kNoteLoginColumns{Column{"note_login", Kind::boolean}};
constexpr Statement kNoteLogin{8, "note_login", "SELECT note_login($1, $2, $3)", kNoteLoginTypes, kNoteLoginColumns};

// Migrations are numbered from 1 without a gap, and $1 is the last that this program knows.
constexpr std::array kServerStateTypes{db::kInt4};
constexpr std::array kServerStateColumns{Column{"max_connections", Kind::int4},
                                         Column{"superuser_reserved_connections", Kind::int4},
                                         Column{"version", Kind::int4}, Column{"missing_migration", Kind::int4}};
constexpr Statement kServerState{4, "server_state",
                                 "SELECT current_setting('max_connections')::int4,"
                                 " current_setting('superuser_reserved_connections')::int4,"
                                 " (SELECT coalesce(max(version), 0) FROM schema_migrations),"
                                 " (SELECT coalesce(min(known), 0) FROM generate_series(1, $1) AS known"
                                 " WHERE known NOT IN (SELECT version FROM schema_migrations))",
                                 kServerStateTypes, kServerStateColumns};

/// A connection takes two statements with the same id for one.
constexpr bool all_different(std::initializer_list<unsigned> ids) {
  std::uint64_t seen = 0;
  for (const unsigned id : ids) {
    const std::uint64_t bit = std::uint64_t{1} << id;
    if (seen & bit) return false;
    seen |= bit;
  }
  return true;
}
static_assert(all_different({kScholarship.id, kEligibility.id, kList.id, kSearch.id, kCheapSearch.id, kUser.id,
                             kUserId.id, kServerState.id, kNoteLogin.id}));

DbError error_of(db::CheckoutFailure failure) {
  switch (failure) {
    case db::CheckoutFailure::timeout:
      return DbError::pool_timeout;
    case db::CheckoutFailure::unreachable:
      return DbError::unreachable;
    case db::CheckoutFailure::closing:
      return DbError::closing;
    case db::CheckoutFailure::interrupted:
      break;
  }
  return DbError::interrupted;
}

DbError error_of(const db::QueryResult& result) {
  switch (result.failure) {
    case db::QueryFailure::none:
      return DbError::none;
    case db::QueryFailure::broken:
      return DbError::lost;
    case db::QueryFailure::interrupted:
      return DbError::interrupted;
    case db::QueryFailure::transient:
      return DbError::transient;
    case db::QueryFailure::timeout:
      return DbError::statement_timeout;
    case db::QueryFailure::stale:
      if (db::passes(result.sqlstate)) return DbError::transient;
      break;
    case db::QueryFailure::refused:
      break;
  }
  constexpr std::string_view kUndefinedTable = "42P01";
  return result.sqlstate == kUndefinedTable ? DbError::no_schema : DbError::refused;
}

}  // namespace

net::Task<QueryReply> Repository::scholarship(Caller caller, std::int64_t id) {
  return run(caller, kScholarship, Parameters().int8(id));
}

net::Task<QueryReply> Repository::scholarships(Caller caller, const ListFilter& filter) {
  Parameters parameters;
  parameters.int8(filter.after).text(filter.major).int4(filter.min_amount);
  filter.deadline_after ? parameters.date(*filter.deadline_after) : parameters.null();
  return run(caller, kList, parameters.int4(filter.limit));
}

net::Task<QueryReply> Repository::eligibility(Caller caller, std::int64_t id, const Profile& profile) {
  Parameters parameters;
  parameters.int8(id).text(std::string_view(profile.major)).text(profile.residency).text(profile.education_level);
  return run(caller, kEligibility, parameters);
}

net::Task<QueryReply> Repository::search(Caller caller, std::string_view words, int limit) {
  return run(caller, kSearch, Parameters().text(words).int4(limit));
}

net::Task<QueryReply> Repository::search_cheaply(Caller caller, std::string_view words, int limit) {
  return run(caller, kCheapSearch, Parameters().text(words).int4(limit));
}

const char* Repository::search_sql() {
  return kSearch.sql;
}

const char* Repository::cheap_search_sql() {
  return kCheapSearch.sql;
}

net::Task<QueryReply> Repository::user(Caller caller, std::string_view name) {
  return run(caller, kUser, Parameters().text(name));
}

net::Task<QueryReply> Repository::user_id(Caller caller, std::string_view name) {
  return run(caller, kUserId, Parameters().text(name));
}

net::Task<QueryReply> Repository::note_login(Caller caller, std::int64_t id, std::string_view old_hash,
                                             std::string_view new_hash) {
  Parameters parameters;
  parameters.int8(id).text(old_hash);
  new_hash.empty() ? parameters.null() : parameters.text(new_hash);
  return run(caller, kNoteLogin, parameters);
}

net::Task<QueryReply> Repository::server_state(Caller caller, int last_migration) {
  return run(caller, kServerState, Parameters().int4(last_migration));
}

Summary Repository::summary(const QueryReply& reply, int row) {
  const db::Result& rows = reply.rows;
  Summary summary;
  summary.id = rows.int8(row, 0);
  summary.name = rows.text(row, 1);
  summary.provider = rows.text(row, 2);
  summary.amount = rows.int4(row, 3);
  summary.requirements.deadline = rows.date(row, 4);
  if (!rows.null(row, 5)) summary.requirements.min_gpa_hundredths = rows.int4(row, 5);
  summary.requirements.majors = rows.texts(row, 6);
  return summary;
}

Details Repository::details(const QueryReply& reply, int row) {
  Details details;
  details.summary = summary(reply, row);
  details.description = reply.rows.text(row, kSummaryColumns);
  details.summary.requirements.residencies = reply.rows.texts(row, kSummaryColumns + 1);
  details.summary.requirements.education_levels = reply.rows.texts(row, kSummaryColumns + 2);
  return details;
}

Asked Repository::asked(const QueryReply& reply, int row) {
  const db::Result& rows = reply.rows;
  Asked asked;
  asked.requirements = summary(reply, row).requirements;
  asked.requirements.residencies = rows.texts(row, kSummaryColumns);
  asked.requirements.education_levels = rows.texts(row, kSummaryColumns + 1);
  asked.listed = {rows.boolean(row, kSummaryColumns + 2), rows.boolean(row, kSummaryColumns + 3),
                  rows.boolean(row, kSummaryColumns + 4)};
  return asked;
}

std::int64_t Repository::search_total(const QueryReply& reply) {
  return reply.rows.rows() == 0 ? 0 : reply.rows.int8(0, kSummaryColumns);
}

User Repository::user(const QueryReply& reply, int row) {
  return {{reply.rows.int8(row, 0), reply.rows.int4(row, 1)}, reply.rows.text(row, 2)};
}

UserId Repository::user_id(const QueryReply& reply) {
  if (reply.rows.rows() == 0) return {};
  return {reply.rows.int8(0, 0), reply.rows.int4(0, 1)};
}

ServerState Repository::server_state(const QueryReply& reply) {
  return {reply.rows.int4(0, 0), reply.rows.int4(0, 1), reply.rows.int4(0, 2), reply.rows.int4(0, 3)};
}

net::Task<QueryReply> Repository::run(Caller caller, const Statement& statement, Parameters parameters) {
  if (caller.needed_database) *caller.needed_database = true;
  QueryReply reply;
  db::Repeats repeats;
  for (;;) {
    db::Checkout checkout = co_await pool_.acquire(caller.home, caller.interrupt);
    if (!checkout.lease) {
      reply.error = error_of(checkout.failure);
      co_return reply;
    }
    db::Lease& lease = checkout.lease;
    db::QueryResult result = co_await lease->query(statement, parameters, lease.verify, caller.interrupt);
    const bool dead = result.failure == db::QueryFailure::broken || result.failure == db::QueryFailure::stale;
    if (!caller.interrupt.raised() && repeats.again(result.failure, result.sqlstate, lease.reused)) continue;

    reply.error = caller.interrupt.raised() && dead ? DbError::interrupted : error_of(result);
    if (reply.error == DbError::none) {
      if (const std::string fault = result.rows.fault(statement.columns); !fault.empty()) {
        spdlog::error("statement {}: {}", statement.name, fault);
        reply.error = DbError::unreadable;
        co_return reply;
      }
    }
    if (reply.error == DbError::transient) {
      spdlog::warn("statement {}: {} {}", statement.name, result.sqlstate, result.message);
    } else if (reply.error == DbError::refused) {
      spdlog::error("statement {}: {} {}", statement.name, result.sqlstate, result.message);
    }
    reply.rows = std::move(result.rows);
    co_return reply;
  }
}

}  // namespace api
