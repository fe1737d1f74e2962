// Connection strings with several hosts, read as psql reads them.

#include "api/db/connect_options.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace api::db {
namespace {

using namespace std::chrono_literals;

constexpr ConnectPolicy kPolicy{2s, 5s, true, 1s};

struct Place {
  std::string host, address, port;
  bool is_name;
};

TEST_CASE("The hosts of a connection string are read as libpq reads them") {
  struct {
    const char* url;
    TargetSession target;
    std::vector<Place> places;
  } const rows[] = {
      {"postgresql://u@h1:5433,h2:5434/db?target_session_attrs=read-write",
       TargetSession::read_write,
       {{"h1", "", "5433", true}, {"h2", "", "5434", true}}},
      {"postgresql://u@h1,h2/db?target_session_attrs=prefer-standby",
       TargetSession::prefer_standby,
       {{"h1", "", "5432", true}, {"h2", "", "5432", true}}},
      {"postgresql://u@h1:,[::1]:6000,10.0.0.1/db",
       TargetSession::any,
       {{"h1", "", "5432", true}, {"::1", "", "6000", false}, {"10.0.0.1", "", "5432", false}}},
      {"host=h1,h2 port=7000 target_session_attrs=primary",
       TargetSession::primary,
       {{"h1", "", "7000", true}, {"h2", "", "7000", true}}},
      {"host=/run/a,@abstract,",
       TargetSession::any,
       {{"/run/a", "", "5432", false}, {"@abstract", "", "5432", false}, {"", "", "5432", false}}},
      {"host=name hostaddr=10.0.0.9", TargetSession::any, {{"name", "10.0.0.9", "5432", false}}},
      {"hostaddr=10.0.0.1,10.0.0.2 port=1,2 target_session_attrs=standby",
       TargetSession::standby,
       {{"", "10.0.0.1", "1", false}, {"", "10.0.0.2", "2", false}}},
      {"dbname=x target_session_attrs=read-only", TargetSession::read_only, {{"", "", "5432", false}}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.url);
    ConnectOptions options;
    std::string error;
    const bool good = parse_connect_options(row.url, kPolicy, options, error);
    REQUIRE_MESSAGE(good, error);
    CHECK(options.target == row.target);
    REQUIRE(options.hosts.size() == row.places.size());
    for (std::size_t i = 0; i < row.places.size(); ++i) {
      CAPTURE(i);
      CHECK(options.hosts[i].name == row.places[i].host);
      CHECK(options.hosts[i].address == row.places[i].address);
      CHECK(options.hosts[i].port == row.places[i].port);
      CHECK(options.hosts[i].is_name == row.places[i].is_name);
    }
  }
}

TEST_CASE("Invalid hosts of a connection string are reported") {
  struct {
    const char* url;
    const char* says;
  } const rows[] = {
      {"host=a port=1,2", "could not match 2 port numbers to 1 hosts"},
      {"host=a,b hostaddr=10.0.0.1", "could not match 2 host names to 1 hostaddr values"},
      {"host=a,b port=5432,0", "invalid port number: \"…\""},
      {"host=a port=65536", "invalid port number: \"…\""},
      {"host=a target_session_attrs=fastest", "invalid target_session_attrs value: \"…\""},
      {"service=not_there", "definition of service \"…\""},
      {"host=a sslrootcert=/nonexistent/ca.pem", "sslrootcert: /nonexistent/ca.pem: No such file or directory"},
      {"host=a sslrootcert=/dev/zero", "sslrootcert: /dev/zero: not a regular file"},
      {"host=a sslcert=/", "sslcert: /: not a regular file"},
      {"host=a sslkey=/dev/null", "sslkey: /dev/null: not a regular file"},
      {"host=a sslcrl=/dev/tty", "sslcrl: /dev/tty: "},
  };
  for (const auto& row : rows) {
    CAPTURE(row.url);
    ConnectOptions options;
    std::string error;
    CHECK_FALSE(parse_connect_options(row.url, kPolicy, options, error));
    CAPTURE(error);
    CHECK(error.find(row.says) != std::string::npos);
  }
}

TEST_CASE("Limits for silence are added, unless the URL has its own") {
  auto value = [](const ConnectOptions& options, const std::string& keyword) -> std::string {
    for (std::size_t i = 0; i < options.keywords.size(); ++i) {
      if (options.keywords[i] == keyword) return options.values[i];
    }
    return "";
  };
  ConnectOptions options;
  std::string error;
  REQUIRE(parse_connect_options("host=a", kPolicy, options, error));
  CHECK(value(options, "tcp_user_timeout") == "2000");
  CHECK(value(options, "keepalives_idle") == "10");
  CHECK(options.unacknowledged_limit == 2s);
  CHECK(options.silence_limit == 6s);

  REQUIRE(parse_connect_options("host=a tcp_user_timeout=9000 keepalives_idle=60", kPolicy, options, error));
  CHECK(value(options, "tcp_user_timeout") == "9000");
  CHECK(value(options, "keepalives_idle") == "60");
  CHECK(options.unacknowledged_limit == 0s);

  // Without a statement_timeout the silence of the server has no limit.
  REQUIRE(parse_connect_options("host=a", {2s, 5s, false, 1s}, options, error));
  CHECK(options.silence_limit == 0s);
  REQUIRE(parse_connect_options("host=a", {2s, 0s, true, 1s}, options, error));
  CHECK(options.silence_limit == 0s);
}

}  // namespace
}  // namespace api::db
