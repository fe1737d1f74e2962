// The endpoints with valid requests.

#include <csignal>
#include <set>

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

namespace json = boost::json;

std::string database() {
  return "database: {url: \"" + Database::shared().url() + "\"}\n";
}

TEST_CASE("A user logs in, searches, reads one scholarship and checks eligibility") {
  Program api(database());
  Client client(api.port());

  const Reply login = client.request("POST", "/api/v1/auth/login", R"({"username":"admin","password":"admin123"})",
                                     "Content-Type: application/json\r\n");
  CHECK(login.status == 200);
  CHECK(login.headers.at("cache-control") == "no-store");
  CHECK(login.json().at("token_type") == "bearer");
  CHECK(login.json().at("expires_in") == 3600);
  client.use_token(std::string(login.json().at("access_token").as_string()));

  const Reply search = client.request("GET", "/api/v1/search?q=engineering&limit=5");
  CHECK(search.status == 200);
  CHECK(search.headers.at("content-type") == "application/json");
  const json::array items = search.json().at("items").as_array();
  CHECK(items.size() == 5);
  const std::string expected = Session().value(
      "SELECT count(*) FROM scholarships WHERE search @@ to_tsquery('english', 'engineering')"
      " AND deadline >= (now() AT TIME ZONE 'UTC')::date");
  CHECK(search.json().at("total") == std::stoi(expected));
  for (const json::value& item : items) {
    CHECK(item.at("name").as_string().find("Engineering") != std::string::npos);
  }

  const std::string id = std::to_string(items[0].at("id").as_int64());
  const Reply detail = client.request("GET", "/api/v1/scholarships/" + id);
  CHECK(detail.status == 200);
  const json::value scholarship = detail.json();
  CHECK(scholarship.at("name") == items[0].at("name"));
  CHECK(scholarship.at("description").as_string().size() > 20);

  const std::string generous = R"({"user_profile":{"gpa":4.0,"major":"History"},"scholarship_id":)";
  const Reply check = client.request("POST", "/api/v1/eligibility/check", generous + id + "}");
  CHECK(check.status == 200);
  CHECK(check.json().at("eligible").is_bool());
  CHECK(check.json().at("eligible").as_bool() == check.json().at("reasons").as_array().empty());
  CHECK(client.request("POST", "/api/v1/eligibility/check", generous + "99999999}").status == 404);

  CHECK(api.stop() == 0);
}

TEST_CASE("Eligibility names every requirement of the table that is not met") {
  Session().run(
      "INSERT INTO scholarships (id, name, provider, description, amount, deadline, min_gpa, majors, residencies,"
      " education_levels) VALUES (900001, 'Strict', 'P', 'D', 100, current_date + 10, 3.5, '{Law}', '{Ohio}',"
      " '{graduate}'), (900002, 'Open', 'P', 'D', 100, current_date, NULL, '{}', '{}', '{}'), (900003, 'Past', 'P',"
      " 'D', 100, current_date - 2, NULL, '{}', '{}', '{}') ON CONFLICT DO NOTHING");
  Program api(database());
  Client client(api.port());
  client.login();
  auto reasons = [&](const std::string& id, const std::string& profile) {
    const Reply reply = client.request("POST", "/api/v1/eligibility/check",
                                       R"({"scholarship_id":)" + id + R"(,"user_profile":)" + profile + "}");
    CHECK(reply.status == 200);
    CHECK(reply.json().at("eligible").as_bool() == reply.json().at("reasons").as_array().empty());
    return reply.json().at("reasons").as_array().size();
  };
  CHECK(reasons("900001", R"({"gpa":3.5,"major":"law","residency":"Ohio","education_level":"graduate"})") == 0);
  CHECK(reasons("900001", R"({"gpa":3.49,"major":"Music"})") == 4);
  CHECK(reasons("900002", R"({"gpa":0,"major":"anything"})") == 0);
  CHECK(reasons("900003", R"({"gpa":4,"major":"anything"})") == 1);
  Session().run("DELETE FROM scholarships WHERE id > 900000");
}

TEST_CASE("Eligibility and the list treat every letter alike") {
  Session session;
  struct {
    std::string stored, given, escaped;
  } const cases[] = {
      {"\u00c9conomie", "\u00e9conomie", "%C3%A9conomie"},                 // É, é
      {"\u00e9conomie", "\u00c9CONOMIE", "%C3%89CONOMIE"},                 // and back
      {"\u0416\u0443\u0440", "\u0436\u0423\u0420", "%D0%B6%D0%A3%D0%A0"},  // Жур, жУР
      {"\u00d8re", "\u00f8RE", "%C3%B8RE"},
      {"\u00c9conomie", "Economie", "Economie"},
      {"Stra\u00dfe", "STRASSE", "STRASSE"},
      {"{\"a,b\"}", "A\\", "A%5C"},
  };
  for (const auto& [stored, given, escaped] : cases) {
    CAPTURE(given);
    session.run("DELETE FROM scholarships WHERE id = 700001");
    session.run(
        "INSERT INTO scholarships (id, name, provider, description, amount, deadline, majors, residencies,"
        " education_levels) SELECT 700001, 'N', 'P', 'D', 1, '9999-12-31', ARRAY[name], ARRAY[name], ARRAY[name] FROM"
        " (SELECT $$" +
        stored + "$$ AS name) AS one");
    Program api(database());
    Client client(api.port());
    client.login();
    const Reply list = client.request("GET", "/api/v1/scholarships?cursor=700000&major=" + escaped);
    REQUIRE(list.status == 200);
    const bool listed = !list.json().at("items").as_array().empty();
    const std::string name = json::serialize(json::value(given));
    const Reply check = client.request("POST", "/api/v1/eligibility/check",
                                       R"({"scholarship_id":700001,"user_profile":{"gpa":4,"major":)" + name +
                                           R"(,"residency":)" + name + R"(,"education_level":)" + name + "}}");
    REQUIRE(check.status == 200);
    CHECK(check.json().at("eligible").as_bool() == listed);
    CHECK(check.json().at("reasons").as_array().size() == (listed ? 0 : 3));
  }
  session.run("DELETE FROM scholarships WHERE id = 700001");
  CHECK(session.value("SELECT lower(U&'\\00C9') = U&'\\00E9'") == "t");
}

TEST_CASE("Pages by cursor show every scholarship once") {
  Program api(database());
  Client client(api.port());
  client.login();
  std::set<std::int64_t> seen;
  std::string cursor;
  std::size_t shown = 0;
  for (;;) {
    const Reply page =
        client.request("GET", "/api/v1/scholarships?limit=100" + (cursor.empty() ? "" : "&cursor=" + cursor));
    REQUIRE(page.status == 200);
    const json::value value = page.json();
    for (const json::value& item : value.at("items").as_array()) seen.insert(item.at("id").as_int64());
    shown += value.at("items").as_array().size();
    if (value.at("next_cursor").is_null()) break;
    cursor = value.at("next_cursor").as_string();
  }
  CHECK(shown == Database::kScholarships);
  CHECK(seen.size() == Database::kScholarships);
}

TEST_CASE("Filters of the list agree with the table") {
  Program api(database());
  Client client(api.port());
  client.login();
  auto count = [&](const std::string& filter) {
    int total = 0;
    std::string cursor = "0";
    for (;;) {
      const json::value page = client.request("GET", "/api/v1/scholarships?limit=100&cursor=" + cursor + filter).json();
      total += static_cast<int>(page.at("items").as_array().size());
      if (page.at("next_cursor").is_null()) return total;
      cursor = page.at("next_cursor").as_string();
    }
  };
  Session session;
  auto expected = [&](const std::string& where) {
    return std::stoi(session.value("SELECT count(*) FROM scholarships WHERE " + where));
  };
  CHECK(count("&min_amount=40000") == expected("amount >= 40000"));
  CHECK(count("&major=hIsToRy") == expected("majors = '{}' OR 'History' = ANY (majors)"));
  CHECK(count("&deadline_after=2027-06-30") == expected("deadline > '2027-06-30'"));
  CHECK(count("&major=Law&min_amount=20000&deadline_after=2027-01-01") ==
        expected("(majors = '{}' OR 'Law' = ANY (majors)) AND amount >= 20000 AND deadline > '2027-01-01'"));
}

TEST_CASE("A search without a result is not an error") {
  Program api(database());
  Client client(api.port());
  client.login();
  for (auto query : {"zzzzzz", "the", "%22unclosed", "-", "%27%3B+DROP+TABLE+users%3B--", "a+OR", "%3A%2A", "%5C"}) {
    CAPTURE(query);
    const Reply reply = client.request("GET", std::string("/api/v1/search?q=") + query);
    CHECK(reply.status == 200);
    CHECK(reply.json().at("total") == 0);
    CHECK(reply.json().at("items").as_array().empty());
    CHECK(reply.json().at("next_cursor").is_null());
  }
}

TEST_CASE("Without a valid token every endpoint is refused") {
  Program api(database());
  Client client(api.port());
  client.login();
  const std::string good = client.token();
  for (const std::string& token :
       {std::string(), good + "x", good.substr(0, good.size() - 4) + "AAAA", std::string("a.b.c")}) {
    client.use_token(token);
    for (auto target : {"/api/v1/search?q=a", "/api/v1/scholarships", "/api/v1/scholarships/1"}) {
      const Reply reply = client.request("GET", target);
      CHECK(reply.status == 401);
      CHECK(reply.headers.at("www-authenticate") == "Bearer");
      CHECK(reply.headers.at("content-type") == "application/problem+json");
    }
  }
  client.use_token("");
  CHECK(client.request("GET", "/api/v1/scholarships/1", {}, "Authorization: bEaReR " + good + "\r\n").status == 200);
  CHECK(client.request("GET", "/api/v1/scholarships/1", {}, "Authorization: Basic " + good + "\r\n").status == 401);
}

TEST_CASE("Unknown paths are 404 and unknown methods 405") {
  Program api(database());
  Client client(api.port());
  const Reply nothing = client.request("GET", "/api/v1/nothing");
  CHECK(nothing.status == 404);
  CHECK(nothing.headers.at("content-type") == "application/problem+json");
  CHECK(nothing.json().at("status") == 404);
  const Reply wrong = client.request("DELETE", "/api/v1/search?q=a");
  CHECK(wrong.status == 405);
  CHECK(wrong.headers.at("allow") == "GET, HEAD, OPTIONS");
  // A path whose response does not depend on the state of the pool.
  const Reply head = client.request("HEAD", "/api/v1/openapi.json");
  CHECK(head.status == 200);
  CHECK(head.headers.at("content-length") == std::to_string(client.request("GET", "/api/v1/openapi.json").body.size()));
}

TEST_CASE("Pipelined requests are answered in order; HTTP/1.0 and Connection: close end the connection") {
  Program api(database());
  {
    Client client(api.port());
    client.send("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(client.receive().status == 404);
    CHECK(client.receive().status == 200);
  }
  {
    Client client(api.port());
    client.send("GET /health HTTP/1.0\r\n\r\n");
    CHECK(client.receive_all().find("HTTP/1.1 200 OK") == 0);
  }
  {
    Client client(api.port());
    client.send("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(client.receive_all().find("Connection: close") != std::string::npos);
  }
}

TEST_CASE("A body may be chunked, in pieces, and after 100 Continue") {
  Program api(database());
  {
    Client client(api.port());
    client.send("POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (auto piece : {"8\r\nusername\r\n", "6\r\n=admin\r\n", "12\r\n&password=admin123\r\n", "0\r\n\r\n"})
      client.send(piece);
    CHECK(client.receive().status == 200);
  }
  {
    Client client(api.port());
    client.send("POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 32\r\nExpect: 100-continue\r\n\r\n");
    CHECK(client.receive().status == 100);
    client.send("username=admin&password=admin123");
    CHECK(client.receive().status == 200);
  }
}

}  // namespace
}  // namespace api::test
