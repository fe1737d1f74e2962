#include "api/schema/schema.hpp"

#include <chrono>
#include <ostream>
#include <string_view>
#include <thread>
#include <vector>

#include "api/auth/passwords.hpp"
#include "api/db/blocking_connection.hpp"

namespace api::schema {

namespace {

using db::BlockingConnection;

/// The key of the advisory lock: any number that nothing else in the database uses.
constexpr const char* kTakeTurns = "SELECT pg_advisory_xact_lock(7270119023145)";
/// All queries queue up behind a migration that waits for a table's lock. So it waits only briefly, and again after a
/// pause in which they run. The pause is many times as long as a query of the API.
constexpr const char* kBeBrief = "SET LOCAL lock_timeout = '250ms'; SET LOCAL client_min_messages = warning";
constexpr std::chrono::milliseconds kLockPause{500};
constexpr int kLockAttempts = 80;  ///< about a minute
constexpr const char* kHistory =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    "version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
constexpr const char* kDemoUserName = "admin";
constexpr const char* kDemoPassword = "admin123";

std::string label(const Migration& migration) {
  return "migration " + std::to_string(migration.version) + ' ' + migration.name;
}

enum class Step { applied, nothing_left, failed };

/// Applies the next missing migration in its own transaction, so that it holds its locks no longer than needed.
Step apply_next(BlockingConnection& connection, int& current, const Migration*& next) {
  next = nullptr;
  connection.run("BEGIN", "begin") && connection.run(kBeBrief, "settings") &&
      connection.run(kTakeTurns, "waiting for another migrate") && connection.run(kHistory, "schema_migrations") &&
      connection.run("SELECT version FROM schema_migrations ORDER BY version", "schema_migrations");
  if (!connection.ok()) return Step::failed;
  std::vector<int> applied;
  for (int row = 0; row < connection.rows(); ++row) applied.push_back(std::stoi(std::string(connection.value(row))));
  current = applied.empty() ? 0 : applied.back();
  if (const std::string gap = gap_in(applied); !gap.empty()) {
    connection.refuse("schema_migrations: " + gap);
    return Step::failed;
  }
  for (const Migration& migration : migrations()) {
    if (migration.version <= current) continue;
    next = &migration;
    break;
  }
  if (next) {
    const std::string version = std::to_string(next->version);
    connection.run(next->sql, label(*next)) &&
        connection.run("INSERT INTO schema_migrations (version, name) VALUES ($1::int, $2)",
                       {version.c_str(), next->name}, label(*next) + ", schema_migrations");
  }
  if (!connection.run("COMMIT", next ? label(*next) + ", commit" : "commit")) return Step::failed;
  return next ? Step::applied : Step::nothing_left;
}

}  // namespace

std::string gap_in(std::span<const int> applied) {
  int expected = 1;
  for (const int version : applied) {
    if (version != expected) {
      return "migration " + std::to_string(expected) + " is missing before " + std::to_string(version) +
             ": restore its row if it was applied";
    }
    ++expected;
  }
  return {};
}

bool migrate(const db::ConnectOptions& options, std::ostream& out, std::ostream& err) {
  BlockingConnection connection(options);
  int current = 0;
  const Migration* next = nullptr;
  bool any = false;
  for (int attempt = 1; connection.ok();) {
    const Step step = apply_next(connection, current, next);
    if (step == Step::nothing_left) {
      if (!any) out << "nothing to migrate: at version " << current << '\n';
      return true;
    }
    if (step == Step::applied) {
      out << "applied " << next->version << ' ' << next->name << std::endl;
      any = true;
      attempt = 1;
    } else if (connection.locked() && attempt < kLockAttempts) {
      if (attempt++ == 1) out << "waiting for a lock that others hold: " << connection.error() << std::endl;
      if (connection.start_over()) std::this_thread::sleep_for(kLockPause);
    } else {
      break;
    }
  }
  err << connection.error() << '\n';
  if (next) err << "nothing of it remains, the tables are at version " << current << '\n';
  return false;
}

bool seed_demo(const db::ConnectOptions& options, int scholarships, std::ostream& out, std::ostream& err) {
  BlockingConnection connection(options);
  auto fail = [&] {
    err << connection.error() << '\n';
    return false;
  };
  const std::string count = std::to_string(scholarships);
  connection.run("BEGIN", "begin") && connection.run(kTakeTurns, "lock") &&
      connection.run(kDemoScholarships, {count.c_str()}, "demo scholarships");
  if (!connection.ok()) return fail();
  out << connection.affected() << " scholarships added\n";
  const std::string hash = auth::hash_password(kDemoPassword);
  connection.run(kDemoUser, {kDemoUserName, hash.c_str()}, "demo user");
  if (!connection.ok()) return fail();
  out << connection.affected() << " user added: " << kDemoUserName << " / " << kDemoPassword << '\n';
  return (connection.run("COMMIT", "commit") && connection.run("ANALYZE", "analyze")) || fail();
}

}  // namespace api::schema
