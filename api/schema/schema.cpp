#include "api/schema/schema.hpp"

#include <chrono>
#include <memory>
#include <ostream>
#include <string_view>
#include <thread>
#include <vector>

#include <libpq-fe.h>

#include "api/auth/passwords.hpp"
#include "api/db/connection_url.hpp"

namespace api::schema {

namespace {

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

/// The connect timeout of libpq, in seconds; it uses at least 2.
std::string seconds(Duration duration) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count());
}

/// One blocking connection. It keeps the first failure; every later call does nothing and returns false.
class BlockingConnection {
 public:
  explicit BlockingConnection(const db::ConnectOptions& options) : hidden_(options.hidden_user) {
    std::vector<const char*> keywords, values;
    // For each address. A value in the URL comes later and replaces this one.
    const std::string timeout = seconds(options.timeout);
    keywords.push_back("connect_timeout");
    values.push_back(timeout.c_str());
    for (const auto& keyword : options.keywords) keywords.push_back(keyword.c_str());
    for (const auto& value : options.values) values.push_back(value.c_str());
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    connection_.reset(PQconnectdbParams(keywords.data(), values.data(), 0));
    if (PQstatus(connection_.get()) != CONNECTION_OK)
      fail("cannot connect to the database (" + options.description + ")");
  }

  bool ok() const { return ok_; }
  /// The first failure in one line: the step and the server's message.
  const std::string& error() const { return error_; }
  /// The failure is a lock that another connection holds.
  bool locked() const { return sqlstate_ == "55P03" || sqlstate_ == "40P01"; }
  /// Rolls back, and forgets the failure.
  bool start_over() {
    ok_ = true;
    sqlstate_.clear();
    return run("ROLLBACK", "rollback");
  }

  /// Any number of statements without parameters.
  bool run(const char* sql, std::string_view what) { return ok_ && check(PQexec(connection_.get(), sql), what); }

  /// One statement with text parameters.
  bool run(const char* sql, const std::vector<const char*>& parameters, std::string_view what) {
    return ok_ && check(PQexecParams(connection_.get(), sql, static_cast<int>(parameters.size()), nullptr,
                                     parameters.data(), nullptr, nullptr, 0),
                        what);
  }

  /// Sets a failure that the server has not reported.
  void refuse(std::string why) {
    error_ = std::move(why);
    ok_ = false;
  }

  // Results of the last statement.
  int rows() const { return PQntuples(last_.get()); }
  std::string_view affected() const { return PQcmdTuples(last_.get()); }
  std::string_view value(int row) const { return PQgetvalue(last_.get(), row, 0); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
    void operator()(PGresult* result) const { PQclear(result); }
  };

  bool check(PGresult* result, std::string_view what) {
    last_.reset(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return true;
    const char* sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    sqlstate_ = sqlstate ? sqlstate : "";
    fail(what);
    return false;
  }

  void fail(std::string_view what) {
    error_ = std::string(what) + ": " + db::without_name(PQerrorMessage(connection_.get()), hidden_);
    ok_ = false;
  }

  const std::string hidden_;
  std::unique_ptr<PGconn, Finish> connection_;
  std::unique_ptr<PGresult, Finish> last_;
  std::string error_, sqlstate_;
  bool ok_ = true;
};

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
