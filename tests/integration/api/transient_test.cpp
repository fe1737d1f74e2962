// Transient errors of the server, raised by a view in place of the table.

#include <future>

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/own_postgres.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

/// Scholarships through a view that fails a given number of times. A sequence counts, since it is not rolled back.
class MoodyTables {
 public:
  MoodyTables() : tables_("moody") {
    Session& session = tables_.session();
    session.run("ALTER TABLE moody.scholarships RENAME TO base");
    session.run("CREATE SEQUENCE moody.calls");
    session.run("CREATE TABLE moody.mood (failures int, code text)");
    session.run(
        "CREATE FUNCTION moody.may_fail() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ DECLARE m record; BEGIN"
        " SELECT * INTO m FROM moody.mood;"
        " IF nextval('moody.calls') <= m.failures THEN RAISE EXCEPTION 'not now' USING ERRCODE = m.code; END IF;"
        " RETURN true; END $$");
    session.run("CREATE VIEW moody.scholarships AS SELECT base.* FROM moody.base WHERE moody.may_fail()");
  }

  void fail(int times, const std::string& code) {
    tables_.session().run("ALTER SEQUENCE moody.calls RESTART");
    tables_.session().run("DELETE FROM moody.mood");
    tables_.session().run("INSERT INTO moody.mood VALUES (" + std::to_string(times) + ", '" + code + "')");
  }
  int calls() { return std::stoi(tables_.session().value("SELECT last_value FROM moody.calls")); }
  std::string config() const { return tables_.config(); }

 private:
  OwnTables tables_;
};

TEST_CASE("A query with a transient error is retried once, then the response is 503 with Retry-After") {
  MoodyTables tables;
  tables.fail(0, "40001");
  Program api(tables.config());
  api.await_ready();
  Client client(api.port());
  client.login();
  for (const char* code : {"40001", "40P01", "55P03", "53100", "53200", "57P01", "57P02", "57P03", "25006"}) {
    CAPTURE(code);
    for (const char* target : {"/api/v1/scholarships/1", "/api/v1/scholarships", "/api/v1/search?q=odd"}) {
      CAPTURE(target);
      tables.fail(1, code);
      const Reply again = client.request("GET", target);
      CHECK(again.status == 200);
      CHECK(again.body.find("Odd one") != std::string::npos);
      // A search reads the view twice.
      CHECK(tables.calls() == (std::string_view(target).find("search") == std::string_view::npos ? 2 : 3));
    }
    tables.fail(1'000'000, code);
    const Reply reply = client.request("GET", "/api/v1/scholarships/1");
    CHECK(reply.status == 503);
    CHECK(reply.header("retry-after") == "1");
    // The pool may have two used connections; after these the query runs on fresh ones, twice.
    CHECK(tables.calls() >= 2);
    CHECK(tables.calls() <= 4);
  }
  // Any other error is not retried.
  tables.fail(1, "22012");
  CHECK(client.request("GET", "/api/v1/scholarships/1").status == 500);
  CHECK(client.request("GET", "/api/v1/scholarships/1").status == 200);
  CHECK(eventually([&] {
    const boost::json::value pool = client.request("GET", "/health").json().at("pool");
    return pool.at("checked_in") == pool.at("total");
  }));
  CHECK(api.stop() == 0);
}

TEST_CASE("A read that a standby cancels because of its primary (40001) is retried") {
  OwnPostgres first;
  first.fill();
  OwnPostgres second(&first);
  Session standby(second.url());
  standby.run("ALTER SYSTEM SET max_standby_streaming_delay = 0");
  standby.run("SELECT pg_reload_conf()");
  // A look-up that would take an hour, until the primary changes the table.
  Session primary(first.url());
  primary.run("CREATE TABLE pause AS SELECT 3600 AS seconds");
  primary.run("ALTER TABLE scholarships RENAME TO scholarships_table");
  primary.run(
      "CREATE VIEW scholarships AS SELECT * FROM scholarships_table"
      " WHERE (SELECT true FROM pause, LATERAL pg_sleep(seconds))");
  const std::string position = primary.value("SELECT pg_current_wal_lsn()");
  REQUIRE(eventually(
      [&] { return standby.value("SELECT pg_last_wal_replay_lsn() >= '" + position + "'::pg_lsn") == "t"; }));

  Program api("database: {url: \"" + second.url() + "\", pool_size: 2, statement_timeout: 60s}\n");
  api.await_ready();
  Client client(api.port());
  client.login();
  auto status = std::async(std::launch::async, [&] { return client.request("GET", "/api/v1/scholarships/1").status; });
  CHECK(eventually(
      [&] { return standby.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1"; }));
  primary.run("BEGIN");
  primary.run("LOCK TABLE scholarships_table IN ACCESS EXCLUSIVE MODE");
  primary.run("UPDATE pause SET seconds = 0");
  primary.run("COMMIT");
  CHECK(status.get() == 200);
  CHECK(api.stop() == 0);
}

}  // namespace
}  // namespace api::test
