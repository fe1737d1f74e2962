// Users and secrets, as an operator manages them, and what the log tells of logins and changes.

#include <csignal>
#include <fstream>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

const std::string kFirst = "first-secret-for-tests-only-0123456789";
const std::string kSecond = "second-secret-for-tests-only-0123456789";

std::string database() {
  return "database: {url: \"" + Database::shared().url() + "\"}\n";
}

struct Ran {
  int status;
  std::string output;
};

/// Runs a command line to its end. `input`: its stdin.
Ran run(std::vector<std::string> arguments, const std::string& input = {}) {
  const Folder folder;
  const std::string path = folder.path("stdin");
  std::ofstream(path) << input;
  Program program(Start{database(), std::move(arguments), {}, [&] {
                          const int descriptor = ::open(path.c_str(), O_RDONLY);
                          ::dup2(descriptor, STDIN_FILENO);
                        }});
  const int status = program.wait();
  return {status, program.log()};
}

Reply login(Client& client, const std::string& user, const std::string& password) {
  return client.request("POST", "/api/v1/auth/login", "username=" + user + "&password=" + password);
}

/// Removes the user before and after the test.
struct NoUser {
  explicit NoUser(std::string the_name) : name(std::move(the_name)) { remove(); }
  ~NoUser() { remove(); }
  void remove() const { Session().run("DELETE FROM users WHERE username = '" + name + "'"); }
  std::string name;
};

TEST_CASE("A user is added, logs in, is disabled, enabled, gets a new password and is deleted") {
  const NoUser grace("grace");
  Program api(database() + "auth: {secret: " + kFirst + ", max_failures: 0}\n");
  api.await_ready();
  Client client(api.port());

  const Ran added = run({"user", "add", "grace"}, "hopper-1906\n");
  CAPTURE(added.output);
  CHECK(added.status == 0);
  CHECK(added.output.find(R"("message":"audit","event":"user_added","user":"grace","client":"local","actor":)") !=
        std::string::npos);
  CHECK(added.output.find("hopper") == std::string::npos);
  CHECK(run({"user", "list"}).output.find("grace\tactive\t20") != std::string::npos);
  CHECK(run({"user", "list"}).output.find("\tnever\n") != std::string::npos);

  const Reply first = login(client, "grace", "hopper-1906");
  REQUIRE(first.status == 200);
  CHECK(Session().value("SELECT last_login > now() - interval '1 minute' FROM users WHERE username = 'grace'") == "t");
  client.use_token(std::string(first.json().at("access_token").as_string()));
  const auto status = [&] { return client.request("GET", "/api/v1/scholarships/1").status; };
  CHECK(status() == 200);

  CHECK(run({"user", "disable", "grace"}).output.find("user_disabled") != std::string::npos);
  CHECK(eventually([&] { return status() == 401; }));
  CHECK(login(client, "grace", "hopper-1906").status == 401);
  CHECK(run({"user", "list"}).output.find("grace\tdisabled\t") != std::string::npos);

  // Whoever was logged out remains so.
  CHECK(run({"user", "enable", "grace"}).status == 0);
  const Reply again = login(client, "grace", "hopper-1906");
  REQUIRE(again.status == 200);
  CHECK(status() == 401);
  client.use_token(std::string(again.json().at("access_token").as_string()));
  CHECK(status() == 200);

  CHECK(run({"user", "password", "grace"}, "amazing-grace\n").output.find("user_password_set") != std::string::npos);
  CHECK(eventually([&] { return status() == 401; }));
  CHECK(login(client, "grace", "hopper-1906").status == 401);
  CHECK(login(client, "grace", "amazing-grace").status == 200);

  CHECK(run({"user", "delete", "grace"}).status == 0);
  CHECK(login(client, "grace", "amazing-grace").status == 401);
}

TEST_CASE("What cannot be done with a user is one line that says why") {
  const NoUser grace("grace");
  REQUIRE(run({"user", "add", "grace"}, "hopper-1906\n").status == 0);
  struct {
    std::vector<std::string> arguments;
    std::string input;
    int status;
    std::string says;
  } const cases[] = {
      {{"user", "add", "grace"}, "hopper-1906\n", 1, "there is a user of this name already"},
      {{"user", "add", "ada"}, "short\n", 1, "the password must have at least 8 characters"},
      {{"user", "add", "ada"}, "", 1, "no password on stdin"},
      {{"user", "add", "ada"}, "\n", 1, "the password must not be empty"},
      {{"user", "add", "a\nb"}, "hopper-1906\n", 1, "NAME must not hold control characters"},
      {{"user", "password", "ada"}, "hopper-1906\n", 1, "there is no user of this name"},
      {{"user", "disable", "ada"}, "", 1, "there is no user of this name"},
      {{"user", "enable", "ada"}, "", 1, "there is no user of this name"},
      {{"user", "delete", "ada"}, "", 1, "there is no user of this name"},
      {{"user"}, "", 2, "subcommand"},
      {{"user", "add"}, "", 2, "NAME is required"},
      {{"user", "add", "ada", "hopper-1906"}, "", 2, "hopper"},  // a password is no argument
      {{"secret"}, "", 2, "subcommand"},
  };
  for (const auto& [arguments, input, status, says] : cases) {
    CAPTURE(says);
    const Ran ran = run(arguments, input);
    CAPTURE(ran.output);
    CHECK(ran.status == status);
    CHECK(ran.output.find(says) != std::string::npos);
    CHECK(ran.output.find("audit") == std::string::npos);
  }
  CHECK(Session().value("SELECT count(*) FROM users WHERE username = 'ada'") == "0");
}

TEST_CASE("A login stores the hash anew if it was made with other parameters") {
  const NoUser grace("grace");
  REQUIRE(run({"user", "add", "grace"}, "hopper-1906\n").status == 0);
  // The same password, with one pass over 8 MiB.
  Session().run(
      "UPDATE users SET password_hash ="
      " '$argon2id$v=19$m=8192,t=1,p=1$/H2T1Vc7Es3uj0vTFEjOgQ$g56a6IOEC8gERuU/LbAJpfungeyk3TQCFsv5maTdpDw' WHERE "
      "username = 'grace'");
  const std::string hash = "SELECT password_hash FROM users WHERE username = 'grace'";
  const std::string before = Session().value(hash);
  Program api(database());
  api.await_ready();
  Client client(api.port());
  CHECK(login(client, "grace", "hopper-1906").status == 200);
  const std::string after = Session().value(hash);
  CHECK(after != before);
  CHECK(after.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  CHECK(login(client, "grace", "hopper-1906").status == 200);
  CHECK(Session().value(hash) == after);  // not at every login
}

std::string secrets(const std::string& list) {
  return database() + "auth:\n  secrets:\n" + list;
}
std::string entry(const std::string& kid, const std::string& secret) {
  return "    - {kid: " + kid + ", secret: " + secret + "}\n";
}

TEST_CASE("A secret is replaced by reloads, without a log-out, and the old one ends when it is removed") {
  Program api(database() + "auth: {secret: " + kFirst + "}\n");
  api.await_ready();
  Client old(api.port()), fresh(api.port());
  old.login();
  const auto status = [](Client& client) { return client.request("GET", "/api/v1/scholarships/1").status; };
  CHECK(status(old) == 200);

  api.rewrite_config(secrets(entry("k2", kSecond) + entry("k1", kFirst)));
  api.signal(SIGHUP);
  REQUIRE(api.await_log("secrets of tokens: k2, k1; the first signs"));
  CHECK(api.log().find(R"("message":"audit","event":"secrets_changed","client":"local")") != std::string::npos);
  CHECK(status(old) == 200);
  fresh.login();
  CHECK(status(fresh) == 200);

  api.rewrite_config(secrets(entry("k2", kSecond)));
  api.signal(SIGHUP);
  REQUIRE(api.await_log("secrets of tokens: k2; the first signs"));
  CHECK(status(old) == 401);
  CHECK(status(fresh) == 200);

  // An unfit reload changes nothing.
  api.rewrite_config(secrets(entry("k2", "short")));
  api.signal(SIGHUP);
  REQUIRE(api.await_log("reload refused"));
  CHECK(status(fresh) == 200);
  for (const std::string& secret : {kFirst, kSecond}) CHECK(api.log().find(secret) == std::string::npos);
}

TEST_CASE("A configuration has either one secret or several with different names") {
  const std::string none = "{max_failures: 1}",
                    both = "{secret: " + kFirst + ", secrets: [{kid: a, secret: " + kSecond + "}]}";
  const std::string twice = "{secrets: [{kid: a, secret: " + kFirst + "}, {kid: a, secret: " + kSecond + "}]}";
  const std::string odd = "{secrets: [{kid: 'a b', secret: " + kFirst + "}]}";
  struct {
    std::string auth, says;
  } const cases[] = {
      {none, "either auth.secret or auth.secrets is required"},
      {"{secrets: []}", "either auth.secret or auth.secrets is required"},
      {both, "auth.secret and auth.secrets exclude each other"},
      {twice, "two of auth.secrets have the same kid"},
      {odd, "must be 1 to 64 letters, digits, dots, dashes or underscores"},
      {"{secrets: [{kid: a, secret: short-hunter2}]}", "auth.secrets[0].secret"},
  };
  for (const auto& [auth, says] : cases) {
    CAPTURE(says);
    Program api(Start{database() + "auth: " + auth + "\n", {"--check-config"}, {}, {}});
    CHECK(api.wait() == 1);
    CAPTURE(api.log());
    CHECK(api.log().find(says) != std::string::npos);
    CHECK(api.log().find("hunter2") == std::string::npos);
  }
  Program shown(Start{secrets(entry("k2", kSecond)), {"--print-config"}, {}, {}});
  CHECK(shown.wait() == 0);
  CHECK(shown.log().find("k2") != std::string::npos);
  CHECK(shown.log().find(kSecond) == std::string::npos);
}

TEST_CASE("secret new prints a secret that the configuration accepts, and needs no configuration") {
  Program made(Start{"nonsense", {"secret", "new"}, {}, {}});
  REQUIRE(made.wait() == 0);
  std::string secret = made.log();
  REQUIRE(secret.size() == 45);
  secret.pop_back();
  Program checked(Start{secrets(entry("k1", "'" + secret + "'")), {"--check-config"}, {}, {}});
  CHECK(checked.wait() == 0);
}

TEST_CASE("Each login is a line of the audit log with address, user, outcome and request id, and without a secret") {
  Program api(database() + "auth: {secret: " + kFirst + ", max_failures: 1}\nlog: {access: off}\n");
  Client client(api.port());
  CHECK(eventually([&] { return client.request("GET", "/ready").status == 200; }));
  const auto attempt = [&](const char* id, const std::string& credentials) {
    return client.request("POST", "/api/v1/auth/login", credentials,
                          "X-Forwarded-For: 203.0.113.7\r\nX-Request-ID: " + std::string(id) + "\r\n");
  };
  const Reply good = attempt("a1", "username=admin&password=admin123");
  CHECK(good.status == 200);
  CHECK(attempt("a2", "username=admin&password=hunter2").status == 401);
  CHECK(attempt("a3", "username=admin&password=admin123").status == 429);
  CHECK(attempt("a4", "username=nobody%22&password=hunter2").status == 401);
  CHECK(attempt("a5", "username=admin").status == 422);
  const auto line = [](const char* outcome, const char* user, const char* id) {
    return R"("message":"audit","event":"login","outcome":")" + std::string(outcome) + R"(","user":")" + user +
           R"(","client":"203.0.113.7","peer":"127.0.0.1","request_id":")" + id + "\"";
  };
  CHECK(api.await_log(line("ok", "admin", "a1")));
  CHECK(api.await_log(line("wrong", "admin", "a2")));
  CHECK(api.await_log(line("limited", "admin", "a3")));
  CHECK(api.await_log(line("wrong", "nobody\\\"", "a4")));
  CHECK(api.stop() == 0);
  const std::string log = api.log();
  CHECK(log.find("a5") == std::string::npos);  // no login: it names no user
  for (const std::string& secret : {std::string("admin123"), std::string("hunter2"), kFirst,
                                    std::string(good.json().at("access_token").as_string())}) {
    CHECK(log.find(secret) == std::string::npos);
  }
}

}  // namespace
}  // namespace api::test
