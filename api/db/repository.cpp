#include "api/db/repository.hpp"

#include <array>

#include <spdlog/spdlog.h>

namespace api {

namespace {

using db::Parameters;
using db::Statement;

// The columns of a summary, read by `Repository::summary` in this order.
#define SUMMARY_COLUMNS "s.id, s.name, s.provider, s.amount, s.deadline, (s.min_gpa * 100)::int4, s.majors"
constexpr int kSummaryColumns = 7;

constexpr std::array kScholarshipTypes{db::kInt8};
constexpr Statement kScholarship{
    0, "scholarship",
    "SELECT " SUMMARY_COLUMNS ", s.description, s.residencies, s.education_levels FROM scholarships s WHERE s.id = $1",
    kScholarshipTypes};

// A page by key: as cheap at the end of the list as at its start. A scholarship without majors is open to all.
constexpr std::array kListTypes{db::kInt8, db::kText, db::kInt4, db::kDate, db::kInt4};
constexpr Statement kList{1, "list",
                          "SELECT " SUMMARY_COLUMNS
                          " FROM scholarships s"
                          " WHERE s.id > $1"
                          " AND ($2 IS NULL OR s.majors = '{}' OR lower($2) = ANY (lower(s.majors::text)::text[]))"
                          " AND s.amount >= $3 AND ($4 IS NULL OR s.deadline > $4)"
                          " ORDER BY s.id LIMIT $5",
                          kListTypes};

// Ranks and counts on narrow rows, then fetches the wide ones for the few that are shown.
constexpr std::array kSearchTypes{db::kText, db::kInt4};
constexpr Statement kSearch{2, "search",
                            "SELECT " SUMMARY_COLUMNS
                            ", top.total FROM ("
                            "SELECT id, ts_rank(search, words) AS rank, count(*) OVER () AS total"
                            " FROM scholarships, websearch_to_tsquery('english', $1) AS words"
                            " WHERE search @@ words ORDER BY rank DESC, id LIMIT $2"
                            ") AS top JOIN scholarships s USING (id) ORDER BY top.rank DESC, s.id",
                            kSearchTypes};

constexpr std::array kUserTypes{db::kText};
constexpr Statement kUser{3, "user", "SELECT id, password_hash FROM users WHERE username = $1", kUserTypes};

constexpr Statement kServerState{4,
                                 "server_state",
                                 "SELECT current_setting('max_connections')::int4,"
                                 " current_setting('superuser_reserved_connections')::int4,"
                                 " (SELECT coalesce(max(version), 0) FROM schema_migrations)",
                                 {}};

Trouble trouble_of(db::CheckoutFailure failure) {
  switch (failure) {
    case db::CheckoutFailure::timeout:
      return Trouble::pool_timeout;
    case db::CheckoutFailure::unreachable:
      return Trouble::unreachable;
    case db::CheckoutFailure::closing:
      return Trouble::closing;
    case db::CheckoutFailure::interrupted:
      break;
  }
  return Trouble::interrupted;
}

Trouble trouble_of(const db::QueryResult& result) {
  switch (result.failure) {
    case db::QueryFailure::none:
      return Trouble::none;
    case db::QueryFailure::broken:
      return Trouble::lost;
    case db::QueryFailure::interrupted:
      return Trouble::interrupted;
    case db::QueryFailure::timeout:
      return Trouble::statement_timeout;
    case db::QueryFailure::stale:
    case db::QueryFailure::refused:
      break;
  }
  constexpr std::string_view kUndefinedTable = "42P01";
  return result.sqlstate == kUndefinedTable ? Trouble::no_schema : Trouble::refused;
}

}  // namespace

net::Task<Answer> Repository::scholarship(Caller caller, std::int64_t id) {
  return run(caller, kScholarship, Parameters().int8(id));
}

net::Task<Answer> Repository::scholarships(Caller caller, const ListFilter& filter) {
  Parameters parameters;
  parameters.int8(filter.after).text(filter.major).int4(filter.min_amount);
  filter.deadline_after ? parameters.date(*filter.deadline_after) : parameters.null();
  return run(caller, kList, parameters.int4(filter.limit));
}

net::Task<Answer> Repository::search(Caller caller, std::string_view words, int limit) {
  return run(caller, kSearch, Parameters().text(words).int4(limit));
}

const char* Repository::search_sql() {
  return kSearch.sql;
}

net::Task<Answer> Repository::user(Caller caller, std::string_view name) {
  return run(caller, kUser, Parameters().text(name));
}

net::Task<Answer> Repository::server_state(Caller caller) {
  return run(caller, kServerState, Parameters());
}

Summary Repository::summary(const Answer& answer, int row) {
  const db::Result& rows = answer.rows;
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

Details Repository::details(const Answer& answer, int row) {
  Details details;
  details.summary = summary(answer, row);
  details.description = answer.rows.text(row, kSummaryColumns);
  details.summary.requirements.residencies = answer.rows.texts(row, kSummaryColumns + 1);
  details.summary.requirements.education_levels = answer.rows.texts(row, kSummaryColumns + 2);
  return details;
}

std::int64_t Repository::search_total(const Answer& answer) {
  return answer.rows.rows() == 0 ? 0 : answer.rows.int8(0, kSummaryColumns);
}

User Repository::user(const Answer& answer, int row) {
  return {answer.rows.int8(row, 0), answer.rows.text(row, 1)};
}

ServerState Repository::server_state(const Answer& answer) {
  return {answer.rows.int4(0, 0), answer.rows.int4(0, 1), answer.rows.int4(0, 2)};
}

net::Task<Answer> Repository::run(Caller caller, const Statement& statement, Parameters parameters) {
  Answer answer;
  for (;;) {
    db::Checkout checkout = co_await pool_.acquire(caller.home, caller.interrupt);
    if (!checkout.lease) {
      answer.trouble = trouble_of(checkout.failure);
      co_return answer;
    }
    db::Lease& lease = checkout.lease;
    db::QueryResult result = co_await lease->query(statement, parameters, lease.verify, caller.interrupt);
    const bool dead = result.failure == db::QueryFailure::broken || result.failure == db::QueryFailure::stale;
    // Each round uses up one connection that had served before, so this ends.
    if (dead && lease.reused && !caller.interrupt.raised()) continue;

    answer.trouble = caller.interrupt.raised() && dead ? Trouble::interrupted : trouble_of(result);
    if (answer.trouble == Trouble::refused) {
      spdlog::error("statement {}: {} {}", statement.name, result.sqlstate, result.message);
    }
    answer.rows = std::move(result.rows);
    co_return answer;
  }
}

}  // namespace api
