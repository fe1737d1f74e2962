// scholarship-api migrate, on a database in use and on invalid ones.

#include <doctest/doctest.h>

#include "api/schema/schema.hpp"
#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"
#include "tests/support/listener.hpp"

namespace api::test {
namespace {

/// An empty schema, named by the options of its URL.
class OwnSchema {
 public:
  OwnSchema() {
    session_.run("SET client_min_messages = warning");
    session_.run("DROP SCHEMA IF EXISTS grown CASCADE");
    session_.run("CREATE SCHEMA grown");
    session_.run("SET search_path = grown");
  }
  ~OwnSchema() { session_.run("DROP SCHEMA grown CASCADE"); }

  Session& session() { return session_; }
  static std::string url() { return Database::shared().url() + " options='-c search_path=grown'"; }
  static Start migration() { return {"database: {url: \"" + url() + "\"}\n", {"migrate"}, {}, {}}; }
  static int migrate() { return Program(migration()).wait(); }

  /// As version 3 has left it.
  void go_back() {
    session_.run("DELETE FROM schema_migrations WHERE version > 3");
    session_.run(
        "ALTER TABLE scholarships DROP CONSTRAINT scholarships_deadline_years, DROP CONSTRAINT"
        " scholarships_majors_flat, DROP CONSTRAINT scholarships_residencies_flat, DROP CONSTRAINT"
        " scholarships_education_levels_flat");
    session_.run("ALTER TABLE users DROP COLUMN disabled, DROP COLUMN token_generation, DROP COLUMN last_login");
    session_.run("DROP FUNCTION note_login, estimated_matches, corrected");
    session_.run(
        "DROP FUNCTION major_keys, note_search_words CASCADE");  // with the index and the triggers that use them
    session_.run("DROP INDEX scholarships_deadline, scholarships_amount");
    session_.run("DROP TABLE search_words");
  }
  std::string versions() {
    return session_.value("SELECT string_agg(version::text, ',' ORDER BY version) FROM schema_migrations");
  }

 private:
  Session session_;
};

TEST_CASE("migrate keeps the options of the URL") {
  OwnSchema schema;
  CHECK(OwnSchema::migrate() == 0);
  CHECK(schema.session().value("SELECT count(*) FROM pg_tables WHERE schemaname = 'grown'") == "4");
  CHECK(schema.session().value("SELECT count(*) FROM grown.schema_migrations") ==
        std::to_string(schema::migrations().size()));
}

TEST_CASE("migrate refuses a gap in the versions") {
  OwnSchema schema;
  CHECK(OwnSchema::migrate() == 0);
  schema.session().run("DELETE FROM schema_migrations WHERE version IN (2, 5)");
  Program program(OwnSchema::migration());
  CHECK(program.wait() == 1);
  CAPTURE(program.log());
  CHECK(program.log().find("schema_migrations: migration 2 is missing before 3") != std::string::npos);
  CHECK(schema.versions() == "1,3,4,6,7,8,9");
}

TEST_CASE("migrate names the step that failed, keeps the steps before it, and rolls it back") {
  OwnSchema schema;
  schema.session().run("CREATE TABLE users (id int)");
  Program program(OwnSchema::migration());
  CHECK(program.wait() == 1);
  CAPTURE(program.log());
  CHECK(program.log().find("applied 1 scholarships") != std::string::npos);
  CHECK(program.log().find("migration 2 users: ERROR:  relation \"users\" already exists") != std::string::npos);
  CHECK(program.log().find("nothing of it remains, the tables are at version 1") != std::string::npos);
  CHECK(schema.versions() == "1");
  schema.session().run("DROP TABLE users");
  CHECK(OwnSchema::migrate() == 0);
}

TEST_CASE("migrate names rows that break a new check, changes none of them, and goes on once they are valid") {
  OwnSchema schema;
  CHECK(OwnSchema::migrate() == 0);
  schema.go_back();
  const std::string insert =
      "INSERT INTO scholarships (id, name, provider, description, amount, deadline, majors, residencies,"
      " education_levels) VALUES ";
  schema.session().run(insert +
                       "(1, 'N', 'P', 'D', 1, '2100-01-01', '{Law}', '{}', '{}'),"
                       "(2, 'N', 'P', 'D', 1, 'infinity', '{}', '{}', '{}'),"
                       "(3, 'N', 'P', 'D', 1, '2100-01-01', '{Law,NULL}', '{}', '{}'),"
                       "(4, 'N', 'P', 'D', 1, '2100-01-01', '{}', '{{a},{b}}', '{}'),"
                       "(5, 'N', 'P', 'D', 1, '2100-01-01', '{}', '{}', '{NULL}')");
  const std::string all = "SELECT string_agg(s::text, ';' ORDER BY id) FROM scholarships s";
  const std::string before = schema.session().value(all);
  Program program(OwnSchema::migration());
  CHECK(program.wait() == 1);
  CAPTURE(program.log());
  CHECK(program.log().find("migration 5 value_checks_hold: ERROR:  correct these scholarships") != std::string::npos);
  CHECK(program.log().find("id 2, 3, 4, 5") != std::string::npos);
  CHECK(schema.session().value(all) == before);
  // The check keeps out new invalid rows meanwhile.
  CHECK_FALSE(schema.session().try_run(insert + "(6, 'N', 'P', 'D', 1, 'infinity', '{}', '{}', '{}')"));
  schema.session().run(
      "UPDATE scholarships SET deadline = '2100-01-01', majors = '{}', residencies = '{}', education_levels = '{}'");
  CHECK(OwnSchema::migrate() == 0);
}

TEST_CASE("migrate waits for a table in use in short attempts, and no search waits behind it") {
  OwnSchema schema;
  CHECK(OwnSchema::migrate() == 0);
  schema.go_back();
  Session reader(OwnSchema::url());
  reader.run("BEGIN");
  reader.run("SELECT count(*) FROM scholarships");
  Program program(OwnSchema::migration());
  CHECK(program.await_log("waiting for a lock that others hold: migration 4 value_checks: ERROR:  canceling"));
  // A query that comes now would wait behind a migrate that waits for `reader`.
  Session other(OwnSchema::url());
  other.run("SET lock_timeout = '60s'");
  for (int i = 0; i < 200; ++i) CHECK(other.try_run("SELECT count(*) FROM scholarships"));
  CHECK(schema.versions() == "1,2,3");
  reader.run("COMMIT");
  CHECK(program.wait() == 0);
}

TEST_CASE("The serving role needs no right to change the tables: migrate, seed-demo and user have a URL of their own") {
  Session session;
  const std::string name = session.value("SELECT current_database()"), own = name + "_roles";
  const std::string role = own + "_serving";
  session.run("CREATE DATABASE " + own);
  session.run("CREATE ROLE " + role + " LOGIN");
  const std::string owner =
      "dbname=" + own + " host=" + Database::shared().host() + " port=" + Database::shared().port();
  const std::string by_owner = owner + (Database::shared().user().empty() ? "" : " user=" + Database::shared().user());
  const std::string config =
      "database: {url: \"" + owner + " user=" + role + "\", migrate_url: \"" + by_owner + "\"}\n";
  const std::string only_serving = "database: {url: \"" + owner + " user=" + role + "\"}\n";

  Program refused(Start{only_serving, {"migrate"}, {}, {}});
  CHECK(refused.wait() == 1);
  CHECK(refused.log().find("permission denied") != std::string::npos);
  CHECK(Program(Start{config, {"migrate"}, {}, {}}).wait() == 0);
  CHECK(Program(Start{config, {"seed-demo", "--scholarships", "100"}, {}, {}}).wait() == 0);
  {
    Session grants(by_owner);
    grants.run("GRANT SELECT ON scholarships, search_words, users, schema_migrations TO " + role);
    grants.run("GRANT EXECUTE ON FUNCTION note_login TO " + role);
  }
  {
    Session serving(owner + " user=" + role);
    for (const char* change : {"CREATE TABLE t ()", "ALTER TABLE users ADD COLUMN x int", "DROP TABLE scholarships",
                               "UPDATE users SET disabled = true", "DELETE FROM users",
                               "UPDATE scholarships SET amount = 1", "DELETE FROM schema_migrations"}) {
      CAPTURE(change);
      CHECK_FALSE(serving.try_run(change));
    }
  }
  {
    Program api(config);
    api.await_ready();
    Client client(api.port());
    client.login();
    for (const char* target : {"/api/v1/scholarships", "/api/v1/scholarships?major=Law&min_amount=1",
                               "/api/v1/scholarships/1", "/api/v1/search?q=law", "/api/v1/search?q=scolarship"}) {
      CAPTURE(target);
      CHECK(client.request("GET", target).status == 200);
    }
    CHECK(Session(by_owner).value("SELECT last_login IS NOT NULL FROM users") == "t");
    CHECK(Program(Start{config, {"user", "disable", "admin"}, {}, {}}).wait() == 0);
    CHECK(eventually([&] { return client.request("GET", "/api/v1/scholarships/1").status == 401; }));
    CHECK(api.stop() == 0);
    CHECK(api.log().find("permission denied") == std::string::npos);
  }
  session.run("DROP DATABASE " + own + " WITH (FORCE)");
  session.run("DROP ROLE " + role);
}

TEST_CASE("migrate gives up on a server that accepts the connection and stays silent") {
  const support::Listener silent;
  Program program(Start{"database: {url: \"postgresql://me:hunter2@127.0.0.1:" + std::to_string(silent.port()) +
                            "/db\", connect_timeout: 1s}\n",
                        {"migrate"},
                        {},
                        {}});
  CHECK(program.wait() == 1);
  CAPTURE(program.log());
  CHECK(program.log().find("cannot connect to the database (host=127.0.0.1") != std::string::npos);
  CHECK(program.log().find("timeout expired") != std::string::npos);
  CHECK(program.log().find("hunter2") == std::string::npos);
}

}  // namespace
}  // namespace api::test
