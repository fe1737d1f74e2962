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
constexpr std::array kListTypes{db::kInt8, db::kInt4};
constexpr Statement kList{1, "list",
                          "SELECT " SUMMARY_COLUMNS " FROM scholarships s WHERE s.id > $1 ORDER BY s.id LIMIT $2",
                          kListTypes, kSummary};
// Planned anew each time: which index is the best, or none, depends on the values.
constexpr std::array kFilteredListTypes{db::kInt8, db::kText, db::kInt4, db::kDate, db::kInt4};
constexpr Statement kFilteredList{13,
                                  "filtered_list",
                                  "SELECT " SUMMARY_COLUMNS
                                  " FROM scholarships s"
                                  " WHERE s.id > $1"
                                  " AND ($2::text IS NULL OR major_keys(s.majors) && ARRAY[lower($2), '*'])"
                                  " AND s.amount >= $3 AND ($4::date IS NULL OR s.deadline > $4)"
                                  " ORDER BY s.id LIMIT $5",
                                  kFilteredListTypes,
                                  kSummary,
                                  true};

// A search whose words match few rows is ranked, and one whose words match many is read in the order of the deadlines.
// Either costs the same however many rows there are. What is past `$2` is left out.
#define ASKED \
  "(SELECT websearch_to_tsquery('english', $1) AS words OFFSET 0) AS asked"  // opaque: one plan for all words

// Ranks and counts on narrow rows, then fetches the wide ones for the few that are shown. The number is a literal,
// because PostgreSQL plans for a parameter as if a tenth of the matches were wanted.
constexpr std::array kRankedTypes{db::kText, db::kDate, db::kInt4, db::kInt8, db::kInt4};
constexpr auto kRankedColumns = summary_and(std::array{Column{"score", Kind::int4}, Column{"total", Kind::int8}});
// `IS TRUE` keeps the index of the deadlines out: a plan for any day would read all of it to save a few rows.
#define RANKED(most)                                                                                     \
  "SELECT " SUMMARY_COLUMNS                                                                              \
  ", top.score, top.total FROM ("                                                                        \
  "SELECT id, score, total FROM ("                                                                       \
  "SELECT id, least(ts_rank(search, words) * 1e9, 2e9)::int4 AS score, count(*) OVER () AS total FROM (" \
  "SELECT id, search, words FROM scholarships, " ASKED                                                   \
  " WHERE search @@ words AND (deadline >= $2) IS TRUE LIMIT " most                                      \
  ") AS found) AS ranked"                                                                                \
  " WHERE score < $3 OR (score = $3 AND id > $4) ORDER BY score DESC, id LIMIT $5"                       \
  ") AS top JOIN scholarships s USING (id) ORDER BY top.score DESC, s.id"
static_assert(kRankedMost == 4000 && kPart == 500, "the literals are one more, and the same");
constexpr Statement kRanked{2, "ranked", RANKED("4001"), kRankedTypes, kRankedColumns};
// A part under pressure, in the order in which the rows are stored: the same in each search. An order of its own would
// need all matches, which is what the first part saves.
constexpr std::array kRankedPartTypes{db::kText, db::kDate, db::kInt4, db::kInt8, db::kInt4, db::kInt4};
constexpr Statement kRankedPart{7, "ranked_part", RANKED("500 OFFSET $6"), kRankedPartTypes, kRankedColumns};

// A query reads a window of rows at most.
#define WINDOW "4000"
static_assert(kWindow == 4000, "the literals are the same");
constexpr std::array kByDeadlineTypes{db::kText, db::kDate, db::kInt8, db::kInt4};
constexpr Statement kByDeadline{9, "by_deadline",
                                "SELECT " SUMMARY_COLUMNS
                                " FROM (SELECT * FROM scholarships WHERE (deadline, id) > ($2, $3)"
                                " ORDER BY deadline, id LIMIT " WINDOW ") AS s, " ASKED
                                " WHERE s.search @@ words ORDER BY s.deadline, s.id LIMIT $4",
                                kByDeadlineTypes, kSummary};
constexpr std::array kWindowEndTypes{db::kDate, db::kInt8};
constexpr std::array kWindowEndColumns{Column{"deadline", Kind::date}, Column{"id", Kind::int8}};
constexpr Statement kWindowEnd{10, "window_end",
                               "SELECT deadline, id FROM scholarships WHERE (deadline, id) > ($1, $2)"
                               " ORDER BY deadline, id OFFSET " WINDOW " - 1 LIMIT 1",
                               kWindowEndTypes, kWindowEndColumns};

constexpr std::array kWordsTypes{db::kText};
constexpr std::array kEstimateColumns{Column{"estimated_matches", Kind::int8}};
constexpr Statement kEstimate{11, "estimate", "SELECT estimated_matches(websearch_to_tsquery('english', $1))",
                              kWordsTypes, kEstimateColumns};
constexpr std::array kCorrectedColumns{Column{"corrected", Kind::text}};
constexpr Statement kCorrected{12, "corrected", "SELECT corrected($1)", kWordsTypes, kCorrectedColumns};

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
static_assert(all_different({kScholarship.id, kEligibility.id, kList.id, kFilteredList.id, kRanked.id, kRankedPart.id,
                             kByDeadline.id, kWindowEnd.id, kEstimate.id, kCorrected.id, kUser.id, kUserId.id,
                             kServerState.id, kNoteLogin.id}));

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
    case db::QueryFailure::value:
      return DbError::value;
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
  const bool all = !filter.major && filter.min_amount == 0 && !filter.deadline_after;
  if (all) return run(caller, kList, Parameters().int8(filter.after).int4(filter.limit));
  Parameters parameters;
  parameters.int8(filter.after).text(filter.major).int4(filter.min_amount);
  filter.deadline_after ? parameters.date(*filter.deadline_after) : parameters.null();
  return run(caller, kFilteredList, parameters.int4(filter.limit));
}

net::Task<QueryReply> Repository::eligibility(Caller caller, std::int64_t id, const Profile& profile) {
  Parameters parameters;
  parameters.int8(id).text(std::string_view(profile.major)).text(profile.residency).text(profile.education_level);
  return run(caller, kEligibility, parameters);
}

net::Task<QueryReply> Repository::estimated_matches(Caller caller, std::string_view words) {
  return run(caller, kEstimate, Parameters().text(words));
}

net::Task<QueryReply> Repository::ranked(Caller caller, std::string_view words, Day not_before, RankedAfter after,
                                         int limit) {
  Parameters parameters;
  parameters.text(words).date(not_before).int4(after.score).int8(after.id).int4(limit);
  return run(caller, kRanked, parameters);
}

net::Task<QueryReply> Repository::ranked_part(Caller caller, std::string_view words, Day not_before, PartAfter after,
                                              int limit) {
  Parameters parameters;
  parameters.text(words).date(not_before).int4(after.rank.score).int8(after.rank.id).int4(limit);
  return run(caller, kRankedPart, parameters.int4(after.part * kPart));
}

net::Task<QueryReply> Repository::by_deadline(Caller caller, std::string_view words, DeadlineAfter after, int limit) {
  return run(caller, kByDeadline, Parameters().text(words).date(after.deadline).int8(after.id).int4(limit));
}

net::Task<QueryReply> Repository::window_end(Caller caller, DeadlineAfter after) {
  return run(caller, kWindowEnd, Parameters().date(after.deadline).int8(after.id));
}

net::Task<QueryReply> Repository::corrected(Caller caller, std::string_view words) {
  return run(caller, kCorrected, Parameters().text(words));
}

std::vector<const db::Statement*> Repository::bounded_statements() {
  return {&kList, &kFilteredList, &kRanked, &kRankedPart, &kByDeadline, &kWindowEnd};
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

Scored Repository::scored(const QueryReply& reply, int row) {
  const db::Result& rows = reply.rows;
  return {rows.int8(row, 0), rows.int4(row, kSummaryColumns), rows.int8(row, kSummaryColumns + 1)};
}

DeadlineAfter Repository::window_end(const QueryReply& reply) {
  return {reply.rows.date(0, 0), reply.rows.int8(0, 1)};
}

std::int64_t Repository::estimated_matches(const QueryReply& reply) {
  return reply.rows.int8(0, 0);
}

std::string_view Repository::corrected(const QueryReply& reply) {
  return reply.rows.text(0, 0);
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
    db::QueryTry* const noted = caller.tries ? &caller.tries->begin(statement) : nullptr;
    db::Checkout checkout = co_await pool_.acquire(caller.home, caller.interrupt);
    if (noted) noted->checked_out(checkout);
    if (!checkout.lease) {
      reply.error = error_of(checkout.failure);
      co_return reply;
    }
    db::Lease& lease = checkout.lease;
    db::QueryResult result = co_await lease->query(statement, parameters, lease.verify, caller.interrupt);
    if (noted) noted->answered(result);
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
    if (reply.error == DbError::transient || reply.error == DbError::value) {
      spdlog::warn("statement {}: {} {}", statement.name, result.sqlstate, result.message);
    } else if (reply.error == DbError::refused) {
      spdlog::error("statement {}: {} {}", statement.name, result.sqlstate, result.message);
    }
    reply.rows = std::move(result.rows);
    co_return reply;
  }
}

}  // namespace api
