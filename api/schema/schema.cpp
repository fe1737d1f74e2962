#include "api/schema/schema.hpp"

#include <memory>
#include <ostream>
#include <string_view>
#include <vector>

#include <libpq-fe.h>

#include "api/auth/passwords.hpp"

namespace api::schema {

namespace {

/// Any number will do, as long as nobody else uses it for something else in the same database.
constexpr const char* kTakeTurns = "SELECT pg_advisory_xact_lock(7270119023145)";
constexpr const char* kHistory =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    "version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";
constexpr const char* kDemoUserName = "admin";
constexpr const char* kDemoPassword = "admin123";

/// One blocking connection. The first failure is reported and ends everything: what was begun is rolled back.
class Session {
 public:
  Session(const db::ConnectOptions& options, std::ostream& err) : err_(err) {
    std::vector<const char*> keywords, values;
    for (const auto& keyword : options.keywords) keywords.push_back(keyword.c_str());
    for (const auto& value : options.values) values.push_back(value.c_str());
    // A migration may take longer than a query of the API.
    keywords.insert(keywords.end(), {"options", nullptr});
    values.insert(values.end(), {"-c client_min_messages=warning", nullptr});
    connection_.reset(PQconnectdbParams(keywords.data(), values.data(), 0));
    if (PQstatus(connection_.get()) != CONNECTION_OK)
      fail("cannot connect to the database (" + options.description + ")");
  }

  bool ok() const { return ok_; }

  /// Any number of statements without parameters.
  bool run(const char* sql, std::string_view what) { return ok_ && check(PQexec(connection_.get(), sql), what); }

  /// One statement with text parameters.
  bool run(const char* sql, const std::vector<const char*>& parameters, std::string_view what) {
    return ok_ && check(PQexecParams(connection_.get(), sql, static_cast<int>(parameters.size()), nullptr,
                                     parameters.data(), nullptr, nullptr, 0),
                        what);
  }

  /// Of the last statement.
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
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(what);
    return ok_;
  }

  void fail(std::string_view what) {
    std::string_view message = PQerrorMessage(connection_.get());
    err_ << what << ": " << message.substr(0, message.find('\n')) << '\n';
    ok_ = false;
  }

  std::ostream& err_;
  std::unique_ptr<PGconn, Finish> connection_;
  std::unique_ptr<PGresult, Finish> last_;
  bool ok_ = true;
};

}  // namespace

bool migrate(const db::ConnectOptions& options, std::ostream& out, std::ostream& err) {
  Session session(options, err);
  session.run("BEGIN", "begin") && session.run(kTakeTurns, "lock") && session.run(kHistory, "schema_migrations") &&
      session.run("SELECT coalesce(max(version), 0) FROM schema_migrations", "schema_migrations");
  if (!session.ok()) return false;
  const int current = std::stoi(std::string(session.value(0)));
  int applied = 0;
  for (const Migration& migration : migrations()) {
    if (migration.version <= current) continue;
    const std::string version = std::to_string(migration.version);
    session.run(migration.sql, "migration " + version) &&
        session.run("INSERT INTO schema_migrations (version, name) VALUES ($1::int, $2)",
                    {version.c_str(), migration.name}, "schema_migrations");
    if (!session.ok()) return false;
    out << "applied " << version << ' ' << migration.name << '\n';
    ++applied;
  }
  if (!session.run("COMMIT", "commit")) return false;
  if (applied == 0) out << "nothing to migrate: at version " << current << '\n';
  return true;
}

bool seed_demo(const db::ConnectOptions& options, int scholarships, std::ostream& out, std::ostream& err) {
  Session session(options, err);
  const std::string count = std::to_string(scholarships);
  session.run("BEGIN", "begin") && session.run(kTakeTurns, "lock") &&
      session.run(kDemoScholarships, {count.c_str()}, "demo scholarships");
  if (!session.ok()) return false;
  out << session.affected() << " scholarships added\n";
  const std::string hash = auth::hash_password(kDemoPassword);
  session.run(kDemoUser, {kDemoUserName, hash.c_str()}, "demo user");
  if (!session.ok()) return false;
  out << session.affected() << " user added: " << kDemoUserName << " / " << kDemoPassword << '\n';
  return session.run("COMMIT", "commit") && session.run("ANALYZE", "analyze");
}

}  // namespace api::schema
