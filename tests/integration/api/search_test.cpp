// Searches: complete, in pages, and bounded whatever is asked.

#include <algorithm>
#include <functional>
#include <set>
#include <vector>

#include <doctest/doctest.h>

#include "api/db/repository.hpp"
#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

namespace json = boost::json;

std::string database() {
  return "database: {url: \"" + Database::shared().url() + "\"}\n";
}

/// Every page of a search: the ids in their order.
std::vector<std::int64_t> all_pages(
    Client& client, const std::string& query, int limit,
    const std::function<bool(int)>& under_pressure = [](int) { return false; }) {
  std::vector<std::int64_t> ids;
  std::string cursor;
  for (int page = 0; page < 2000; ++page) {
    const Reply reply = client.request(
        "GET",
        "/api/v1/search?limit=" + std::to_string(limit) + "&q=" + query + (cursor.empty() ? "" : "&cursor=" + cursor),
        "", under_pressure(page) ? "Spillway-Pressure: 1.00\r\n" : "");
    REQUIRE(reply.status == 200);
    const json::value value = reply.json();
    for (const json::value& item : value.at("items").as_array()) ids.push_back(item.at("id").as_int64());
    if (value.at("next_cursor").is_null()) return ids;
    cursor = value.at("next_cursor").as_string();
  }
  FAIL("the pages do not end");
  return ids;
}

std::vector<std::int64_t> ids(Session& session, const std::string& where, const std::string& order) {
  const json::value value = json::parse(
      session.value("SELECT coalesce(json_agg(id ORDER BY " + order + "), '[]') FROM scholarships WHERE " + where));
  std::vector<std::int64_t> result;
  for (const json::value& id : value.as_array()) result.push_back(id.as_int64());
  return result;
}

TEST_CASE("The pages of a search show every match once, best first, and none whose deadline has passed") {
  Program api(database());
  Client client(api.port());
  client.login();
  Session session;
  session.run("SET timezone = 'UTC'");
  for (const std::string word : {"engineering", "students"}) {
    const std::string matches = "search @@ websearch_to_tsquery('english', '" + word + "')";
    const std::string by_rank = "ts_rank(search, websearch_to_tsquery('english', '" + word + "')) DESC, id";
    const std::string current = matches + " AND deadline >= current_date";
    const auto expected = ids(session, current, by_rank);
    REQUIRE(expected.size() > 100);
    CHECK(all_pages(client, word, 7) == expected);
    CHECK(all_pages(client, word, 100) == expected);
    const auto with_past = ids(session, matches, by_rank);
    CHECK(with_past.size() > expected.size());
    CHECK(all_pages(client, word + "&include_past=true", 100) == with_past);
    CHECK(all_pages(client, word + "&include_past=false", 100) == expected);
    const json::value first = client.request("GET", "/api/v1/search?q=" + word).json();
    CHECK(first.at("total") == static_cast<std::int64_t>(expected.size()));
    CHECK_FALSE(first.as_object().contains("total_estimated"));
  }
}

TEST_CASE("The pages of a search show every match once, whichever of them are made under pressure") {
  Program api(database());
  Client client(api.port());
  client.login();
  Session session;
  session.run("SET timezone = 'UTC'");
  const std::string word = "students";
  const std::string current = "search @@ websearch_to_tsquery('english', '" + word + "') AND deadline >= current_date";
  const auto by_rank =
      ids(session, current, "ts_rank(search, websearch_to_tsquery('english', '" + word + "')) DESC, id");
  const auto expected = ids(session, current, "id");
  REQUIRE(expected.size() > 2 * kPart);
  REQUIRE(expected.size() < kRankedMost);
  const auto sorted = [](std::vector<std::int64_t> all) {
    std::sort(all.begin(), all.end());
    return all;
  };
  CHECK(sorted(all_pages(client, word, 100, [](int) { return true; })) == expected);
  CHECK(sorted(all_pages(client, word, 100, [](int page) { return page % 2 == 0; })) == expected);
  CHECK(sorted(all_pages(client, word, 100, [](int page) { return page == 0; })) == expected);
  // What began by rank goes on by rank.
  CHECK(all_pages(client, word, 100, [](int page) { return page % 2 == 1; }) == by_rank);
  CHECK(all_pages(client, word, 100, [](int page) { return page >= 6; }) == by_rank);
}

TEST_CASE("A search that no index answers is listed by deadline, and is complete") {
  Program api(database());
  Client client(api.port());
  client.login();
  Session session;
  session.run("SET timezone = 'UTC'");
  CHECK(
      all_pages(client, "-engineering", 100) ==
      ids(session, "NOT search @@ to_tsquery('english', 'engineering') AND deadline >= current_date", "deadline, id"));
  CHECK(all_pages(client, "-engineering&include_past=true", 99) ==
        ids(session, "NOT search @@ to_tsquery('english', 'engineering')", "deadline, id"));
  CHECK(all_pages(client, "-students", 100).empty());
}

TEST_CASE("A typing error finds what was meant, and the response says so") {
  Program api(database());
  Client client(api.port());
  client.login();
  const auto search = [&](const std::string& query) {
    const Reply reply = client.request("GET", "/api/v1/search?q=" + query);
    REQUIRE(reply.status == 200);
    return reply.json();
  };
  struct {
    const char* asked;
    const char* corrected;
  } const cases[] = {
      {"enginnering", "engineering"},
      {"Nurisng", "nursing"},
      {"computr+sciense", "computer science"},
      {"lovelase+nursing", "lovelace nursing"},
  };
  for (const auto& [asked, corrected] : cases) {
    CAPTURE(asked);
    const json::value found = search(asked);
    CHECK_FALSE(found.at("items").as_array().empty());
    CHECK(found.at("corrected").as_string() == corrected);
    std::string right = corrected;
    if (auto space = right.find(' '); space != std::string::npos) right[space] = '+';
    CHECK(search(right).at("items") == found.at("items"));
  }
  for (const char* kept : {"nursing", "%22enginnering%22", "zzzzqq", "-enginnering", "nur"}) {
    CAPTURE(kept);
    CHECK_FALSE(search(kept).as_object().contains("corrected"));
  }
  // A word that has come since.
  Session().run(
      "INSERT INTO scholarships (id, name, provider, description, amount, deadline) VALUES"
      " (810001, 'Xylophone Award', 'P', 'D', 1, '2100-01-01')");
  CHECK(search("xylophne").at("corrected").as_string() == "xylophone");
  Session().run("UPDATE scholarships SET name = 'Theremin Award' WHERE id = 810001");
  CHECK(search("therenim").at("corrected").as_string() == "theremin");
  Session().run("DELETE FROM scholarships WHERE id = 810001");
  CHECK(search("therenim").at("items").as_array().empty());
}

TEST_CASE("A cursor or a flag that is none is an error") {
  Program api(database());
  Client client(api.port());
  client.login();
  for (const char* bad : {"cursor=",
                          "cursor=1",
                          "cursor=r",
                          "cursor=r1",
                          "cursor=r1.",
                          "cursor=r.1",
                          "cursor=r-1.1",
                          "cursor=r1.-1",
                          "cursor=x1.1",
                          "cursor=d99999999.1",
                          "cursor=r9999999999.1",
                          "cursor=r1.1&cursor=r1.1",
                          "cursor=p",
                          "cursor=p0",
                          "cursor=p0d1.1",
                          "cursor=p8r1.1",
                          "cursor=p-1r1.1",
                          "cursor=p0p0r1.1",
                          "include_past=yes",
                          "include_past="}) {
    CAPTURE(bad);
    CHECK(client.request("GET", std::string("/api/v1/search?q=law&") + bad).status == 400);
  }
  for (const char* good : {"cursor=r0.0", "cursor=r2147483647.9223372036854775807", "cursor=p7r0.0",
                           "cursor=d-719163.0", "cursor=d20000.1"}) {
    CAPTURE(good);
    CHECK(client.request("GET", std::string("/api/v1/search?q=law&") + good).status == 200);
  }
}

/// Rows of the table that a plan has read, and whether it has read all of them one after the other.
struct Work {
  double rows = 0;
  bool sequential = false;
};

void add_work(const json::value& node, Work& work) {
  const json::object& plan = node.as_object();
  const auto number = [&](const char* name) {
    const json::value* value = plan.if_contains(name);
    return value ? value->to_number<double>() : 0;
  };
  if (plan.contains("Relation Name")) {
    const double each =
        number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
    work.rows += each * number("Actual Loops");
    work.sequential = work.sequential || plan.at("Node Type") == "Seq Scan";
  }
  if (const json::value* inner = plan.if_contains("Plans")) {
    for (const json::value& each : inner->as_array()) add_work(each, work);
  }
}

// Work of PostgreSQL, which no sanitizer sees.
TEST_CASE("At two hundred thousand rows every query reads a bounded part, and common words are complete" *
          doctest::test_suite("once")) {
  // The planner chooses for a list between walking by id and an index of a filter: this is what it thinks the cheapest.
  constexpr double kRowsOfSearch = 2 * kWindow, kRowsOfList = 20'000;
  Session session;
  const std::string shared = session.value("SELECT current_database()"), name = shared + "_large";
  session.run("CREATE DATABASE " + name);
  std::string url = Database::shared().url();
  url.replace(url.find(shared), shared.size(), name);
  const std::string config = "database: {url: \"" + url + "\"}\n";
  CHECK(Program(Start{config, {"migrate"}, {}, {}}).wait() == 0);
  CHECK(Program(Start{config, {"seed-demo", "--scholarships", "200000"}, {}, {}}).wait() == 0);
  {
    Session planner(url);
    const std::string scan = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'scholarships'";
    // Words that every row has, that none has, that many have; what no index answers; filters that nothing passes.
    const std::string quoted[] = {
        "students",         "students award paid supports", "-zzz",   "-students", "law or -students", "engineering",
        "lovelace nursing", "\"students in law who\"",      "zzzzqq", "the"};
    std::vector<std::string> queries;
    const std::string today = "current_date", most = "2147483647", last = "9223372036854775807";
    for (const std::string& words : quoted) {
      const std::string estimate =
          planner.value("SELECT estimated_matches(websearch_to_tsquery('english', $$" + words + "$$))");
      const std::string ask = "($$" + words + "$$, ";
      if (std::stod(estimate) <= kRankedMost) {
        queries.push_back("ranked" + ask + today + ", " + most + ", 0, 21)");
        queries.push_back("ranked_part" + ask + today + ", " + most + ", 0, 11, 0)");
        queries.push_back("ranked_part" + ask + today + ", " + most + ", 0, 11, 3500)");
      }
      queries.push_back("by_deadline" + ask + today + " - 1, " + last + ", 21)");
    }
    queries.insert(queries.end(), {"window_end(" + today + ", 0)", "list(0, 101)", "list(199000, 101)"});
    const std::string parameters = " (text, date, int, bigint, int)";
    for (const auto& [statement, types] : {std::pair{"ranked", " (text, date, int, bigint, int)"},
                                           {"ranked_part", " (text, date, int, bigint, int, int)"},
                                           {"by_deadline", " (text, date, bigint, int)"},
                                           {"window_end", " (date, bigint)"},
                                           {"list", " (bigint, int)"},
                                           {"filtered_list", " (bigint, text, int, date, int)"}}) {
      for (const db::Statement* each : Repository::bounded_statements()) {
        if (std::string(each->name) == statement)
          planner.run("PREPARE " + std::string(statement) + types + " AS " + each->sql);
      }
    }
    for (const char* filter : {"NULL, 2000000000, NULL", "NULL, 50000, NULL", "'law', 0, NULL", "'nothing', 0, NULL",
                               "'law', 50250, NULL", "'nothing', 50250, '2099-01-01'", "NULL, 0, '2099-01-01'"}) {
      queries.push_back("filtered_list(0, " + std::string(filter) + ", 101)");
    }
    for (const std::string& query : queries) {
      CAPTURE(query);
      // The filtered list is planned for its values each time, the others may be planned for any.
      planner.run(std::string("SET plan_cache_mode = ") +
                  (query.starts_with("filtered") ? "force_custom_plan" : "force_generic_plan"));
      const json::value plan = json::parse(planner.value("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE " + query));
      Work work;
      add_work(plan.at(0).at("Plan"), work);
      CAPTURE(json::serialize(plan));
      CHECK(work.rows <= (query.starts_with("filtered") ? kRowsOfList : kRowsOfSearch));
      CHECK_FALSE(work.sequential);
      // Nearly all of this index is not past.
      if (query.find("ranked") != std::string::npos) {
        CHECK(json::serialize(plan).find("scholarships_deadline") == std::string::npos);
      }
    }
    // New rows are in the indexes themselves, not in a pending list that every search reads to its end.
    CHECK(planner.value("SELECT count(*) FROM pg_class WHERE relname IN ('scholarships_search', 'scholarships_majors')"
                        " AND 'fastupdate=off' = ANY (reloptions)") == "2");
  }
  {
    Program api(config);
    api.await_ready();
    Client client(api.port());
    client.login();
    const std::string matches =
        "search @@ to_tsquery('english', 'engineering') AND deadline >= (now() AT TIME ZONE 'UTC')::date";
    Session counter(url);
    const auto expected = ids(counter, matches, "deadline, id");
    REQUIRE(expected.size() > kRankedMost);
    CHECK(all_pages(client, "engineering", 100) == expected);
    const json::value first = client.request("GET", "/api/v1/search?q=engineering").json();
    CHECK(first.at("total_estimated") == true);
    CHECK(first.at("total").as_int64() > kRankedMost);
    CHECK_FALSE(first.at("items").as_array().empty());
    for (int i = 0; i < 10; ++i) {
      const Reply found = client.request("GET", "/api/v1/search?q=lovelace+nursing");
      CHECK(found.status == 200);
      CHECK(found.json().at("total").as_int64() > 10);
      CHECK(client.request("GET", "/api/v1/scholarships/" + std::to_string(50'000 + i)).status == 200);
    }
    CHECK(api.stop() == 0);
  }
  session.run("DROP DATABASE " + name + " WITH (FORCE)");
}

}  // namespace
}  // namespace api::test
