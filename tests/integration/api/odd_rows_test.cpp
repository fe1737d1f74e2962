// Invalid rows and columns: the tables refuse them, and the API reports them.

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

TEST_CASE("An invalid value in a row is a 500 that the log explains, and other rows are served") {
  OwnTables tables("odd");
  Program api(tables.config());
  Client client(api.port());
  client.login();
  struct {
    std::string change;
    std::string logged;
  } const cases[] = {
      {"majors = '{Law,NULL}'", "column majors of the row with id 1 has a NULL element"},
      {"majors = '{{Law,Music},{Art,History}}'", "column majors of the row with id 1 has more than one dimension"},
      {"majors = NULL", "column majors of the row with id 1 is NULL"},
      {"deadline = '10000-01-01'", "column deadline of the row with id 1 is no date from 0001-01-01 to 9999-12-31"},
      {"deadline = '5874897-12-31'", "column deadline of the row with id 1 is no date"},
      {"deadline = '0044-03-15 BC'", "column deadline of the row with id 1 is no date"},
      {"deadline = 'infinity'", "column deadline of the row with id 1 is no date"},
      {"deadline = '-infinity'", "column deadline of the row with id 1 is no date"},
      {"name = NULL", "column name of the row with id 1 is NULL"},
  };
  tables.session().run(
      "ALTER TABLE odd.scholarships ALTER majors DROP NOT NULL, ALTER name DROP NOT NULL,"
      " DROP COLUMN search, ADD search tsvector DEFAULT to_tsvector('odd')");
  tables.session().run("CREATE TABLE odd.kept AS TABLE odd.scholarships");
  for (const auto& [change, logged] : cases) {
    CAPTURE(change);
    tables.session().run("UPDATE odd.scholarships SET " + change);
    // A search leaves out what is past, and any day before the year 1 is.
    const bool before_all = change.find("BC") != std::string::npos || change.find("'-") != std::string::npos;
    for (const std::string target : {"/api/v1/scholarships/1", "/api/v1/scholarships", "/api/v1/search?q=odd"}) {
      if (before_all && target.find("search") != std::string::npos) continue;
      CAPTURE(target);
      const Reply reply = client.request("GET", target);
      CHECK(reply.status == 500);
      CHECK(reply.detail() == "The database holds what this service cannot answer with");
    }
    CHECK(client
              .request("POST", "/api/v1/eligibility/check",
                       R"({"scholarship_id":1,"user_profile":{"gpa":4,"major":"Law"}})")
              .status == 500);
    CHECK(api.await_log(logged));
    tables.session().run(
        "UPDATE odd.scholarships SET (name, deadline, majors) = "
        "(SELECT name, deadline, majors FROM odd.kept)");
    CHECK(client.request("GET", "/api/v1/scholarships/1").status == 200);
  }
  // Years that RFC 3339 can write.
  for (const char* day : {"0001-01-01", "9999-12-31"}) {
    tables.session().run("UPDATE odd.scholarships SET deadline = '" + std::string(day) + "'");
    CHECK(client.request("GET", "/api/v1/scholarships/1").json().at("deadline") == day);
  }
  const boost::json::value pool = client.request("GET", "/health").json().at("pool");
  CHECK(pool.at("checked_in") == pool.at("total"));
  CHECK(api.stop() == 0);
}

TEST_CASE("A column of another type is a 500, and the log names it, until the type is restored") {
  OwnTables tables("odd");
  Program api(tables.config());
  Client client(api.port());
  client.login();
  CHECK(client.request("GET", "/api/v1/scholarships/1").status == 200);
  struct {
    std::string column, other, own;
  } const cases[] = {
      {"amount", "bigint", "integer"},
      {"amount", "numeric", "integer"},
      {"deadline", "timestamptz", "date"},
      {"id", "integer", "bigint"},
      {"majors", "varchar", "text[] USING majors::text[]"},
      {"education_levels", "json USING to_json(education_levels)", "text[] USING '{}'"},
  };
  tables.session().run("ALTER TABLE odd.scholarships ALTER majors DROP DEFAULT, ALTER education_levels DROP DEFAULT");
  for (const auto& [column, other, own] : cases) {
    CAPTURE(column);
    CAPTURE(other);
    const std::string alter = "ALTER TABLE odd.scholarships ALTER " + column + " TYPE ";
    tables.session().run(alter + other);
    CHECK(client.request("GET", "/api/v1/scholarships/1").status == 500);
    CHECK(api.await_log("column " + column + " is not of type "));
    tables.session().run(alter + own);
    CHECK(client.request("GET", "/api/v1/scholarships/1").status == 200);
  }
}

TEST_CASE("The constraints of the tables refuse invalid values") {
  Session session;
  const std::string insert =
      "INSERT INTO scholarships (id, name, provider, description, amount, deadline, majors, residencies,"
      " education_levels) VALUES (800001, 'N', 'P', 'D', 1, ";
  for (const char* values :
       {"'10000-01-01', '{}', '{}', '{}')", "'0001-12-31 BC', '{}', '{}', '{}')", "'infinity', '{}', '{}', '{}')",
        "'-infinity', '{}', '{}', '{}')", "'2100-01-01', '{NULL}', '{}', '{}')",
        "'2100-01-01', '{{a},{b}}', '{}', '{}')", "'2100-01-01', NULL, '{}', '{}')",
        "'2100-01-01', '{}', '{a,NULL}', '{}')", "'2100-01-01', '{}', '{}', '{{a}}')"}) {
    CAPTURE(values);
    CHECK_FALSE(session.try_run(insert + values));
  }
  for (const char* values : {"'9999-12-31', '{}', '{}', '{}')", "'0001-01-01', '{a,b}', '{c}', '{\"\"}')"}) {
    CAPTURE(values);
    CHECK(session.try_run(insert + values));
    CHECK(session.try_run("DELETE FROM scholarships WHERE id = 800001"));
  }
}

}  // namespace
}  // namespace api::test
