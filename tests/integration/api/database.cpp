#include "tests/integration/api/database.hpp"

#include <cstdlib>

#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/integration/api/program.hpp"

namespace api::test {

namespace {

std::string base_url() {
  const char* url = std::getenv("SPILLWAY_TEST_DATABASE_URL");
  REQUIRE_MESSAGE(url != nullptr, "SPILLWAY_TEST_DATABASE_URL must name a PostgreSQL: see tests/with_postgres.sh");
  return url;
}

int run(const std::string& url, const std::string& command, std::vector<std::string> more = {}) {
  more.insert(more.begin(), command);
  Program program(Start{"database: {url: \"" + url + "\"}", more, {}, {}});
  const int status = program.wait();
  INFO(program.log());
  CHECK(status == 0);
  return status;
}

}  // namespace

const Database& Database::shared() {
  static const Database database;
  return database;
}

Database::Database() : name_("api_test_" + std::to_string(::getpid())), base_(base_url()) {
  PQconninfoOption* options = PQconninfoParse(base_.c_str(), nullptr);
  REQUIRE(options != nullptr);
  for (PQconninfoOption* option = options; option->keyword; ++option) {
    const std::string keyword = option->keyword;
    const std::string value = option->val ? option->val : "";
    if (keyword == "host") host_ = value;
    if (keyword == "port") port_ = value.empty() ? "5432" : value;
    if (keyword == "user") user_ = value;
  }
  PQconninfoFree(options);
  url_ = url_through(host_);
  Session(base_).run("CREATE DATABASE " + name_);
  REQUIRE(run(url_, "migrate") == 0);
  REQUIRE(run(url_, "seed-demo", {"--scholarships", std::to_string(kScholarships)}) == 0);
}

Database::~Database() {
  // Runs after the tests, where a failed check would end the program.
  PGconn* connection = PQconnectdb(base_.c_str());
  PQclear(PQexec(connection, ("DROP DATABASE " + name_ + " WITH (FORCE)").c_str()));
  PQfinish(connection);
}

std::string Database::url_through(const std::string& host) const {
  return "dbname=" + name_ + " host=" + host + " port=" + port_ + (user_.empty() ? "" : " user=" + user_);
}

Session::Session(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
  REQUIRE_MESSAGE(PQstatus(connection_.get()) == CONNECTION_OK, PQerrorMessage(connection_.get()));
}

void Session::run(const std::string& sql) {
  value(sql);
}

std::string Session::value(const std::string& sql) {
  PGresult* result = PQexec(connection_.get(), sql.c_str());
  const auto status = PQresultStatus(result);
  const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
  const std::string text = good && PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
  PQclear(result);
  REQUIRE_MESSAGE(good, PQerrorMessage(connection_.get()));
  return text;
}

bool Session::try_run(const std::string& sql) {
  PGresult* result = PQexec(connection_.get(), sql.c_str());
  const auto status = PQresultStatus(result);
  PQclear(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

OwnTables::OwnTables(std::string schema) : schema_(std::move(schema)) {
  const std::string to = schema_ + '.';
  session_.run("SET client_min_messages = warning");
  session_.run("DROP SCHEMA IF EXISTS " + schema_ + " CASCADE");
  session_.run("CREATE SCHEMA " + schema_);
  session_.run("CREATE TABLE " + to + "users (LIKE public.users INCLUDING ALL)");
  session_.run("INSERT INTO " + to + "users SELECT * FROM public.users");
  session_.run("CREATE TABLE " + to + "schema_migrations AS TABLE public.schema_migrations");
  session_.run("CREATE TABLE " + to + "scholarships (LIKE public.scholarships INCLUDING DEFAULTS INCLUDING GENERATED)");
  session_.run("INSERT INTO " + to +
               "scholarships (id, name, provider, description, amount, deadline, min_gpa, majors) VALUES"
               " (1, 'Odd one', 'P', 'D', 100, '2100-01-01', 3.5, '{Law}')");
}

OwnTables::~OwnTables() {
  session_.run("DROP SCHEMA " + schema_ + " CASCADE");
}

std::string OwnTables::config() const {
  return "database: {url: \"" + Database::shared().url() + " options='-c search_path=" + schema_ +
         ",public'\", pool_size: 2}\n";
}

}  // namespace api::test
