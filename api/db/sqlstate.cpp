#include "api/db/sqlstate.hpp"

#include <array>
#include <utility>

namespace api::db {

namespace {

struct Meaning {
  std::string_view begins;  ///< of the code; two characters are a class
  QueryFailure failure;
  bool passes;  ///< the same query may succeed a moment later
};

/// The first entry that matches counts (PostgreSQL, appendix A).
constexpr Meaning kMeanings[] = {
    {"57014", QueryFailure::timeout, false},  // query_canceled
    {"57P01", QueryFailure::broken, true},    // admin_shutdown
    {"57P02", QueryFailure::broken, true},    // crash_shutdown: another backend has crashed
    {"57P03", QueryFailure::broken, true},    // cannot_connect_now: starting, or ending
    {"57P", QueryFailure::broken, false},     // database_dropped, idle_session_timeout
    {"08", QueryFailure::broken, false},  // connection exceptions; a pooler's connection may stay open, but is useless
    {"26000", QueryFailure::stale, false},     // invalid_sql_statement_name: a pooler has changed servers
    {"42P05", QueryFailure::stale, false},     // duplicate_prepared_statement: the same
    {"0A000", QueryFailure::stale, false},     // feature_not_supported: the tables have been altered
    {"25006", QueryFailure::stale, true},      // read_only_sql_transaction: the server has become a standby
    {"40", QueryFailure::transient, true},     // serialization_failure, deadlock_detected; a standby's conflicts
    {"55P03", QueryFailure::transient, true},  // lock_not_available
    {"53", QueryFailure::transient, true},     // disk_full, out_of_memory, too_many_connections
    {"22012", QueryFailure::refused, false},   // division_by_zero: no query divides by input, so it is a defect
    {"22", QueryFailure::value, false},        // data exceptions: untranslatable_character, out of range
    {"54", QueryFailure::value, false},        // program limits: statement_too_complex, a word that is too long
};

const Meaning* find(std::string_view sqlstate) {
  for (const Meaning& each : kMeanings) {
    if (sqlstate.starts_with(each.begins)) return &each;
  }
  return nullptr;
}

}  // namespace

std::string_view name(QueryFailure failure) {
  constexpr std::array<std::string_view, 8> kNames{"",        "broken", "stale",  "transient", "interrupted",
                                                   "timeout", "value",  "refused"};
  return kNames[static_cast<std::size_t>(failure)];
}

QueryFailure failure_of(std::string_view sqlstate) {
  const Meaning* meaning = find(sqlstate);
  return meaning ? meaning->failure : QueryFailure::refused;
}

bool passes(std::string_view sqlstate) {
  const Meaning* meaning = find(sqlstate);
  return meaning && meaning->passes;
}

bool Repeats::again(QueryFailure failure, std::string_view sqlstate, bool reused) {
  if (failure != QueryFailure::broken && failure != QueryFailure::stale && failure != QueryFailure::transient) {
    return false;
  }
  if (reused && failure != QueryFailure::transient) return true;
  return passes(sqlstate) && !std::exchange(used_, true);
}

}  // namespace api::db
