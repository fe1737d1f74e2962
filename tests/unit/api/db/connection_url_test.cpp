// What is said about a connection string that cannot be used: enough to mend it, and none of its secrets.

#include "api/db/connection_url.hpp"

#include <doctest/doctest.h>

#include "api/db/connect_options.hpp"

namespace api::db {
namespace {

std::string error_of(const std::string& url) {
  ConnectOptions options;
  std::string error;
  const ConnectPolicy policy{.timeout = std::chrono::seconds(1), .statement_timeout = {}, .prepared_statements = true};
  return parse_connect_options(url, policy, options, error) ? "" : error;
}

TEST_CASE("A character that must be percent-encoded is named, and no text before the last @ is shown") {
  const std::string lead =
      "not a PostgreSQL URI: user and password end at its only @ (any other is %40), and before it must be written ";
  struct {
    std::string url;
    std::string error;
  } const cases[] = {
      {"postgresql://me:hun@ter2@host/db", lead + "a @ as %40"},
      {"postgres://me:hun@ter2@host/db", lead + "a @ as %40"},
      {"postgresql://me:hun/ter2@host/db", lead + "a / as %2F"},
      {"postgresql://me:/hunter2@host/db", lead + "a / as %2F"},
      {"postgresql://me:@hun/ter2@host/db", lead + "a @ as %40, a / as %2F"},
      {"postgresql://me:hunter2%@host/db", lead + "a % as %25"},
      {"postgresql://me:hun%ter2@host/db", lead + "a % as %25"},
      {"postgresql://me:hun%4@host/db", lead + "a % as %25"},
      {"postgresql://me:hun@ter2?sslmode=x@host/db", lead + "a @ as %40"},
      {"postgresql://me:hunter2@host/d@b", lead + "a @ as %40, a / as %2F"},
  };
  for (const auto& [url, error] : cases) {
    CAPTURE(url);
    CHECK(fault_of_url(url) == error);
    CHECK(error_of(url) == error);
  }
  for (const char* url : {"postgresql://me:h%40u%2Fn%25@host/db", "postgresql://me:hu?n#t:er[2]@host/db",
                          "postgresql://host/db", "postgresql:///db?host=/run/postgresql",
                          "postgresql://me@[::1]:5432/db", "postgresql://", "", "host=a password=hun@ter2/"}) {
    CAPTURE(url);
    CHECK(fault_of_url(url).empty());
    CHECK(error_of(url) == "");
  }
}

TEST_CASE("Error messages of libpq are shown without the texts that they quote") {
  const std::string lead = "not a PostgreSQL connection string: ";
  struct {
    std::string url;
    std::string error;
  } const cases[] = {
      {"postgresql://me:hunter2@host:port/db", "invalid port number: \"…\""},
      {"postgresql://me:hunter2/db", "invalid port number: \"…\""},
      {"postgresql://me:p@host/db?secret=1", "invalid URI query parameter: \"…\""},
      {"postgresql://host/db?password=hunter2&secret",
       "missing key/value separator \"=\" in URI query parameter: \"…\""},
      {"postgresql://host/db?sslmode=secret", "invalid sslmode value: \"…\""},
      {"host=a password=my hunter2", "missing \"=\" after \"…\" in connection info string"},
      {"host=a password='hunter2", "unterminated quoted string in connection info string"},
      {"hunter2=x", "invalid connection option \"…\""},
      {"me:hunter2@host", "missing \"=\" after \"…\" in connection info string"},
  };
  for (const auto& [url, error] : cases) {
    CAPTURE(url);
    const std::string said = error_of(url);
    CHECK(said.find("hunter2") == std::string::npos);
    CHECK(said.find("secret") == std::string::npos);
    CHECK(said.starts_with(lead + error.substr(0, error.find("…"))));
  }
  CHECK(without_values("a \"b\nc\" d") == "a \"…\"");
  CHECK(without_values("a \"b\" c\" for connection option \"port\"\n") == "a \"…\" for connection option \"port\"");
  CHECK(without_values("a \"b for connection option \"c d\"") == "a \"…\"");
  CHECK(without_values("a \"") == "a \"…\"");
  CHECK(without_values("one\ntwo") == "one");
  CHECK(without_values("") == "");
}

TEST_CASE("The user of a URL is in no description and no message") {
  ConnectOptions options;
  std::string error;
  const ConnectPolicy policy{.timeout = std::chrono::seconds(1), .statement_timeout = {}, .prepared_statements = true};
  REQUIRE(parse_connect_options("postgresql://m%65:hunter2@10.0.0.1:5433/db", policy, options, error));
  CHECK(options.hidden_user == "me");
  CHECK(options.description == "host=10.0.0.1 port=5433 dbname=db");
  CHECK(without_name("FATAL:  password authentication failed for user \"me\"\nFATAL: x", options.hidden_user) ==
        "FATAL:  password authentication failed for user \"…\"");
  CHECK(without_name("role \"me\" or \"me\" or \"men\"", "me") == "role \"…\" or \"…\" or \"men\"");
  REQUIRE(parse_connect_options("host=10.0.0.1 user=me dbname=db", policy, options, error));
  CHECK(options.description == "host=10.0.0.1 dbname=db user=me");
  CHECK(without_name("role \"me\"", options.hidden_user) == "role \"me\"");
}

}  // namespace
}  // namespace api::db
