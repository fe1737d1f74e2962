// A broken or hostile client gets a 4xx that says what is wrong, and the server goes on.

#include <doctest/doctest.h>

#include "proxy/text/utf8.hpp"
#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

using namespace std::string_literals;

std::string database() {
  return "database: {url: \"" + Database::shared().url() + "\"}\n";
}

TEST_CASE("Malformed HTTP is refused and the connection closed") {
  Program api(database());
  struct {
    std::string request;
    int status;
  } const cases[] = {
      {"nonsense\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},                          // no Host
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},    // two
      {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},            // space in the target
      {"GET /health#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},       // fragment
      {"GET ftp://a/health HTTP/1.1\r\nHost: a\r\n\r\n", 400},  // a scheme that is not served
      {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 400},               // version
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},              // space before the colon
      {"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"s, 400},   // NUL
      {"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400},
      {"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
      {"GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", 431},
      {"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n", 413},
      {"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
      {"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" +
           std::string(70'000, 'x'),
       413},
  };
  for (const auto& [request, status] : cases) {
    CAPTURE(request.substr(0, 100));
    Client client(api.port());
    client.send(request);
    client.shut_down_sending();
    const Reply reply = client.receive();
    CHECK(reply.status == status);
    CHECK(reply.header("content-type") == "application/problem+json");
    CHECK(reply.header("connection") == "close");
    CHECK(reply.json().at("status") == status);
    CHECK(client.receive_all().empty());
  }
  CHECK(Client(api.port()).request("GET", "/health").status == 200);
  CHECK(api.stop() == 0);
}

TEST_CASE("A request without an end is refused, and the process goes on") {
  Program api(database());
  const std::string head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string filler(40'000, 'a');
  for (const std::string& body : {"5;" + filler, "0\r\nX: " + filler, "0\r\n" + filler, std::string(40'000, '0')}) {
    CAPTURE(body.substr(0, 20));
    Client client(api.port());
    client.send(head + body);
    CHECK(client.receive().status == 400);
    CHECK(client.receive_all().empty());
  }
  // The sweep visits all connections: one that has ended must not be among them.
  Client slow(api.port());
  slow.send("GET /");
  CHECK(Client(api.port()).request("GET", "/health").status == 200);
  CHECK(api.stop() == 0);
  CHECK(api.log().find("dropped") == std::string::npos);
}

TEST_CASE("A transfer coding other than chunked ends the connection, and the rest is not read as a request") {
  Program api(database());
  for (const std::string coding : {"gzip", "identity", "chunked, gzip", "gzip, chunked"}) {
    CAPTURE(coding);
    Client client(api.port());
    client.send("POST /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: " + coding +
                "\r\n\r\nGET /ready HTTP/1.1\r\nHost: a\r\n\r\n");
    client.shut_down_sending();
    const Reply reply = client.receive();
    CHECK(reply.status == 501);
    CHECK(reply.header("connection") == "close");
    CHECK(client.receive_all().empty());
  }
}

TEST_CASE("The refusal of a large upload arrives although the upload goes on") {
  Program api(database());
  Client client(api.port());
  client.send("POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n");
  client.send(std::string(300'000, 'x'));
  CHECK(client.receive().status == 413);
}

/// `text`, percent-encoded whole.
std::string encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

TEST_CASE("No text of a search is more than PostgreSQL takes: operators without a word mean nothing") {
  Program api(database());
  Client client(api.port());
  client.login();
  const auto items = [&](const std::string& words, const std::string& headers) {
    const Reply reply = client.request("GET", "/api/v1/search?include_past=true&q=" + encoded(words), "", headers);
    CAPTURE(words);
    REQUIRE(reply.status == 200);
    return reply.json().at("items").as_array();
  };
  for (const std::string each :
       {"-",    "- ",      "--a",  "-a ",  "-\"",     "-\"\"",   "-\" ",    "-\"a\"",  ")-",      "|-",
        "!",    "!-",      "(",    "(a",   ":",       "-:",      "::-",     "a:",      "\"",      "a\"",
        "a-",   "a--",     "'",    "\\",   "-\\",     "or ",     "-or ",    "a or ",   "a|",      "<->",
        "-<->", "a<9999>", "*",    "a:*",  "-\u3000", "-\u2003", "-\u00a0", "-\u0085", "\u00e9-", "1-",
        "-1 ",  "1e9",     "a/b/", "@a.b", "a.b-",    "/-",      "<a-"}) {
    std::string words;
    while (words.size() + each.size() < 190) words += each;
    for (const std::string& text : {words, words + "law", "law " + words, "law " + words + " tax"}) {
      (void)items(text, "");
      (void)items(text, "Spillway-Pressure: 1.00\r\n");
    }
  }
  CHECK(items("---", "").empty());
  CHECK_FALSE(items("engineering", "").empty());
  CHECK(items("engineering " + std::string(100, '-'), "") == items("engineering", ""));
  CHECK(items("-- engineering - students --", "") == items("engineering students", ""));
  CHECK(items("engineering -students", "").empty());
}

TEST_CASE("A character that the database cannot store is a 400 of the client, not a failure") {
  Session session;
  const std::string shared = session.value("SELECT current_database()"), name = shared + "_latin1";
  session.run("CREATE DATABASE " + name + " ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
  std::string url = Database::shared().url();
  url.replace(url.find(shared), shared.size(), name);
  const std::string config = "database: {url: \"" + url + "\"}\n";
  CHECK(Program(Start{config, {"migrate"}, {}, {}}).wait() == 0);
  CHECK(Program(Start{config, {"seed-demo", "--scholarships", "10"}, {}, {}}).wait() == 0);
  {
    Program api(config);
    api.await_ready();
    Client client(api.port());
    client.login();
    const std::string snow = "%E9%9B%AA";
    const std::string profile = R"({"scholarship_id":1,"user_profile":{"gpa":3,"major":"Law","residency":"\u96ea"}})";
    for (const Reply& reply :
         {client.request("GET", "/api/v1/search?q=" + snow),
          client.request("GET", "/api/v1/scholarships?major=" + snow),
          client.request("POST", "/api/v1/auth/login", "username=" + snow + "&password=x"),
          client.request("POST", "/api/v1/eligibility/check", profile, "Content-Type: application/json\r\n")}) {
      CHECK(reply.status == 400);
      CHECK(reply.detail() == "The database cannot take a value of this request");
    }
    CHECK(client.request("GET", "/api/v1/search?q=law").status == 200);
    CHECK(api.stop() == 0);
  }
  session.run("DROP DATABASE " + name + " WITH (FORCE)");
}

TEST_CASE("An invalid value is a 4xx that names the field, and the connection stays open") {
  Program api(database());
  Client client(api.port());
  client.login();
  struct {
    const char* method;
    std::string target;
    std::string body;
    int status;
    std::string begins;
  } const cases[] = {
      {"GET", "/api/v1/search", "", 400, "q "},
      {"GET", "/api/v1/search?q=%00", "", 400, "q "},
      {"GET", "/api/v1/search?q=%FF%FE", "", 400, "q "},
      {"GET", "/api/v1/search?q=a&limit=1%3BDROP", "", 400, "limit "},
      {"GET", "/api/v1/scholarships?limit=1e3", "", 400, "limit "},
      {"GET", "/api/v1/scholarships?cursor=%27OR%271", "", 400, "cursor "},
      {"GET", "/api/v1/scholarships?major=%C3", "", 400, "major "},
      {"GET", "/api/v1/scholarships?min_amount=9999999999", "", 400, "min_amount "},
      {"GET", "/api/v1/scholarships?deadline_after=tomorrow", "", 400, "deadline_after "},
      {"GET", "/api/v1/scholarships/abc", "", 400, "id "},
      {"GET", "/api/v1/scholarships/1%20OR%201=1", "", 400, "id "},
      {"GET", "/api/v1/scholarships/9223372036854775807", "", 404, "There is no scholarship"},
      {"POST", "/api/v1/eligibility/check", "", 400, "the body must be valid JSON"},
      {"POST", "/api/v1/eligibility/check", "{", 400, "the body must be valid JSON"},
      {"POST", "/api/v1/eligibility/check", std::string(5000, '['), 400, "the body must be valid JSON"},
      {"POST", "/api/v1/eligibility/check", "{\"a\":\"\xFF\"}", 400, "the body must be valid JSON"},
      {"POST", "/api/v1/eligibility/check", "\"text\"", 422, "the body must be a JSON object"},
      {"POST", "/api/v1/eligibility/check", "{}", 422, "scholarship_id "},
      {"POST", "/api/v1/eligibility/check", R"({"scholarship_id":true,"user_profile":{}})", 422, "scholarship_id "},
      {"POST", "/api/v1/eligibility/check", R"({"scholarship_id":1,"user_profile":{"gpa":"x","major":"y"}})", 422,
       "user_profile.gpa "},
      {"POST", "/api/v1/eligibility/check", R"({"scholarship_id":1,"user_profile":{"gpa":3,"major":"\u0000"}})", 422,
       "user_profile.major "},
      {"POST", "/api/v1/eligibility/check", R"({"scholarship_id":1,"user_profile":{"gpa":3,"gpa":4}})", 400,
       "user_profile.gpa must not be given more than once"},
      {"POST", "/api/v1/auth/login", "username=admin", 422, "password "},
      {"POST", "/api/v1/auth/login", "username=%00&password=x", 422, "username "},
  };
  for (const auto& [method, target, body, status, begins] : cases) {
    CAPTURE(target);
    CAPTURE(body.substr(0, 100));
    const Reply reply = client.request(method, target, body);
    CHECK(reply.status == status);
    CHECK(reply.header("content-type") == "application/problem+json");
    CAPTURE(reply.detail());
    CHECK(reply.detail().starts_with(begins));
  }
  const std::string injection = R"('; DROP TABLE users; --)";
  CHECK(client
            .request("POST", "/api/v1/auth/login",
                     R"({"username":")" + injection + R"(","password":")" + injection + R"("})",
                     "Content-Type: application/json\r\n")
            .status == 401);
  CHECK(client.request("GET", "/api/v1/search?q=engineering").status == 200);
  CHECK(client.request("GET", R"(/api/v1/search?q=100%|a^b`{c}[d]\e)").status == 200);
}

TEST_CASE("A target may have the absolute form") {
  Program api(database());
  for (const char* target : {"http://api.example/health", "HTTP://api.example:80/health?x", "https://[::1]/health"}) {
    CAPTURE(target);
    Client client(api.port());
    client.send("GET " + std::string(target) + " HTTP/1.1\r\nHost: api.example\r\n\r\n");
    CHECK(client.receive().status == 200);
  }
}

TEST_CASE("A response to HTTP/1.0 says whether the connection stays open") {
  Program api(database());
  Client client(api.port());
  for (int i = 0; i < 2; ++i) {
    client.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const Reply reply = client.receive();
    CHECK(reply.status == 200);
    CHECK(reply.header("connection") == "keep-alive");
  }
  client.send("GET /health HTTP/1.0\r\n\r\n");
  CHECK(client.receive().header("connection") == "close");
  CHECK(client.receive_all().empty());
}

TEST_CASE("A client that has closed its sending side gets its response, however late") {
  Program api("database: {url: \"" + Database::shared().url() + "\", statement_timeout: 60s}\n");
  Client watcher(api.port());
  watcher.login();
  std::vector<Client> clients;
  {
    TableLock lock;
    for (const char* version : {"1.1", "1.0"}) {
      clients.emplace_back(api.port());
      clients.back().send("GET /api/v1/scholarships/1 HTTP/" + std::string(version) +
                          "\r\nHost: a\r\nAuthorization: Bearer " + watcher.token() + "\r\n\r\n");
      clients.back().shut_down_sending();
    }
    Client gone(api.port());
    gone.use_token(watcher.token());
    gone.start("GET", "/api/v1/scholarships/1");
    CHECK(eventually([&] { return watcher.request("GET", "/health").json().at("pool").at("checked_in") == 17; }));
    gone.close();
    // When the client that has gone is noticed, the two others have been checked as well.
    CHECK(eventually([&] { return watcher.request("GET", "/health").json().at("pool").at("checked_in") == 18; }));
  }
  for (Client& client : clients) {
    Reply reply = client.receive();
    while (reply.status == 100) reply = client.receive();
    CHECK(reply.status == 200);
    CHECK(client.receive_all().empty());
  }
}

TEST_CASE("Every line of the log is UTF-8") {
  Program api(database() + "log: {access: all}\n");
  Client client(api.port());
  CHECK(client.request("GET", "/caf\xC3\xA9/\xFF\xC3/\xED\xA0\x80").status == 404);
  CHECK(api.await_log("\"path\":\"/caf\u00e9/"));
  CHECK(text::valid_utf8(api.log()));
}

TEST_CASE("A valid request id of the client is kept") {
  Program api(database());
  Client client(api.port());
  auto id = [&](const std::string& header) {
    return std::string(client.request("GET", "/nothing", {}, header).json().at("request_id").as_string());
  };
  CHECK(id("X-Request-ID: abc-123\r\n") == "abc-123");
  const std::string first = id("");
  CHECK(first.size() >= 8);
  CHECK(first != id(""));
  CHECK(id("X-Request-ID: a\"b\r\n") != "a\"b");
  CHECK(id("X-Request-ID: " + std::string(200, 'x') + "\r\n").size() == 32);
}

}  // namespace
}  // namespace api::test
