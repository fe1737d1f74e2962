#include "api/endpoints/input.hpp"

#include <string>

#include <doctest/doctest.h>

#include "api/endpoints/date.hpp"

namespace api {
namespace {

using namespace std::string_literals;

/// The first fault as a client reads it.
template <class T>
std::string fault(const Input<T>& input) {
  if (input.ok()) return "";
  const FieldError& first = input.errors.front();
  return first.field.empty() ? first.message : first.field + " " + first.message;
}

TEST_CASE("A search has words and a limit") {
  auto input = parse_search("q=civil+engineering%20%C3%A9&limit=5&unknown=1");
  CHECK(input.ok());
  CHECK(input.value.words == "civil engineering \u00e9");
  CHECK(input.value.limit == 5);
  CHECK(parse_search("q=x").value.limit == kDefaultLimit);
}

TEST_CASE("A search goes on at a cursor, by rank or by deadline, and leaves past deadlines out unless told") {
  const auto first = parse_search("q=x");
  CHECK_FALSE(first.value.after_rank);
  CHECK_FALSE(first.value.after_deadline);
  CHECK_FALSE(first.value.include_past);
  CHECK(parse_search("q=x&include_past=true").value.include_past);
  CHECK_FALSE(parse_search("q=x&include_past=false").value.include_past);
  const auto ranked = parse_search("q=x&cursor=" + to_cursor(RankedAfter{607927, 42}));
  REQUIRE(ranked.value.after_rank);
  CHECK(ranked.value.after_rank->score == 607927);
  CHECK(ranked.value.after_rank->id == 42);
  CHECK_FALSE(ranked.value.after_deadline);
  for (const RankedAfter rank : {RankedAfter{}, RankedAfter{607927, 42}}) {
    const auto part = parse_search("q=x&cursor=" + to_cursor(PartAfter{kParts - 1, rank}));
    REQUIRE(part.value.after_part);
    CHECK(part.value.after_part->part == kParts - 1);
    CHECK(part.value.after_part->rank.score == rank.score);
    CHECK(part.value.after_part->rank.id == rank.id);
    CHECK_FALSE(part.value.after_rank);
  }
  for (const Day day : {kFirstDay - 1, -1, 0, kLastDay}) {
    const auto dated = parse_search("q=x&cursor=" + to_cursor(DeadlineAfter{day, 7}));
    REQUIRE(dated.value.after_deadline);
    CHECK(dated.value.after_deadline->deadline == day);
    CHECK(dated.value.after_deadline->id == 7);
  }
  for (const char* bad :
       {"",      "r", "r1", "1.1", "r1.",   "r.1",    "r+1.1",   "r1.1x",  "x1.1",    "d.1", "r99999999999.1",
        "d1.-1", "p", "p1", "p1r", "pr1.1", "p8r1.1", "p01r1.1", "p0d1.1", "p0p0r1.1"}) {
    CAPTURE(bad);
    CHECK(fault(parse_search(std::string("q=x&cursor=") + bad)) == "cursor must be the next_cursor of a previous page");
  }
  CHECK(fault(parse_search("q=x&include_past=1")) == "include_past must be true or false");
}

TEST_CASE("Faults of a query string name their field") {
  struct {
    std::string query;
    std::string expected;
  } const cases[] = {
      {"", "q is required"},
      {"limit=5", "q is required"},
      {"q=", "q must not be empty"},
      {"q=%00", "q must not hold control characters"},
      {"q=a%0Ab", "q must not hold control characters"},
      {"q=%FF", "q must be valid UTF-8"},
      {"q=%C0%AF", "q must be valid UTF-8"},
      {"q=%ED%A0%80", "q must be valid UTF-8"},
      {"q=" + std::string(201, 'a'), "q must not exceed 200 characters"},
      {"q=a&q=b", "q must not be given more than once"},
      {"q=a&limit=0", "limit must be an integer from 1 to 100"},
      {"q=a&limit=101", "limit must be an integer from 1 to 100"},
      {"q=a&limit=ten", "limit must be an integer from 1 to 100"},
      {"q=a&limit=5x", "limit must be an integer from 1 to 100"},
      {"q=a&limit=", "limit must be an integer from 1 to 100"},
      {"q=a&limit=99999999999999999999", "limit must be an integer from 1 to 100"},
      {"q=a\0b"s, "q must not hold control characters"},
  };
  for (const auto& [query, expected] : cases) {
    CAPTURE(query);
    CHECK(fault(parse_search(query)) == expected);
  }
  std::string many = "q=a";
  for (int i = 0; i < 40; ++i) many += "&p" + std::to_string(i) + "=1";
  CHECK(fault(parse_search(many)) == "query must not have more than 32 parameters");
}

TEST_CASE("Characters that browsers do not encode in a query string stand for themselves") {
  const std::pair<std::string, std::string> cases[] = {
      {R"(q=a|b^c`d{e}[f]\g)", R"(a|b^c`d{e}[f]\g)"},
      {"q=100%", "100%"},
      {"q=%", "%"},
      {"q=%4", "%4"},
      {"q=%zz%41", "%zzA"},
      {"q=%%41", "%A"},
      {"q=5%+tax", "5% tax"},
      {"q=a=b", "a=b"},
      {"q=\"x\"<y>", "\"x\"<y>"},
      {"q=\xC3\xA9", "\u00e9"},
      {"&&q=x&", "x"},
      {"=1&a&q=x", "x"},
  };
  for (const auto& [query, words] : cases) {
    CAPTURE(query);
    CHECK(fault(parse_search(query)) == "");
    CHECK(parse_search(query).value.words == words);
  }
}

TEST_CASE("Lengths count characters, as the OpenAPI document does") {
  const auto times = [](const std::string& text, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += text;
    return out;
  };
  for (const std::string character : {"a", "%C3%A9", "%E2%82%AC", "%F0%9F%8E%93"}) {
    CAPTURE(character);
    CHECK(parse_search("q=" + times(character, 200)).ok());
    CHECK(fault(parse_search("q=" + times(character, 201))) == "q must not exceed 200 characters");
  }
  const std::string passwords[] = {times("\u00e9", 1024), times("\u00e9", 1025)};
  const auto login = [](const std::string& password) {
    return fault(parse_credentials("application/json", R"({"username":"a","password":")" + password + "\"}"));
  };
  CHECK(login(passwords[0]) == "");
  CHECK(login(passwords[1]) == "password must not exceed 1024 characters");
}

TEST_CASE("A view into a longer text is read to its end only") {
  const std::string longer = "q=engineering&limit=25";
  auto input = parse_search(std::string_view(longer).substr(0, longer.size() - 1));
  CHECK(input.value.limit == 2);
}

TEST_CASE("SQL in a parameter is plain text") {
  CHECK(parse_search("q=%27%3B+DROP+TABLE+users%3B--").value.words == "'; DROP TABLE users;--");
}

TEST_CASE("A list takes every filter") {
  auto input = parse_list("limit=2&cursor=17&major=History&min_amount=4000&deadline_after=2030-02-28");
  CHECK(input.ok());
  CHECK(input.value.limit == 2);
  CHECK(input.value.after == 17);
  CHECK(input.value.major == "History");
  CHECK(input.value.min_amount == 4000);
  CHECK(input.value.deadline_after == parse_date("2030-02-28"));

  auto plain = parse_list("");
  CHECK(plain.ok());
  CHECK_FALSE(plain.value.major);
  CHECK_FALSE(plain.value.deadline_after);
  CHECK(plain.value.after == 0);
}

TEST_CASE("All faults of a list query are reported together") {
  auto input = parse_list("limit=x&cursor=y&min_amount=-1&deadline_after=2030-02-30&major=");
  std::vector<std::string> fields;
  for (const FieldError& error : input.errors) fields.push_back(error.field);
  CHECK(fields == std::vector<std::string>{"limit", "min_amount", "major", "cursor", "deadline_after"});
}

TEST_CASE("An id is a positive integer") {
  CHECK(parse_id("1").value == 1);
  CHECK(parse_id("9223372036854775807").ok());
  for (auto text : {"0", "-1", "1.0", "abc", "9223372036854775808", "1 ", "%31"}) {
    CAPTURE(text);
    CHECK(fault(parse_id(text)) == "id must be an integer from 1 to 9223372036854775807");
  }
}

TEST_CASE("Credentials are read from a form or from JSON") {
  for (auto [type, body] :
       {std::pair{"application/x-www-form-urlencoded", "username=admin&password=a%26b+c"},
        std::pair{"", "username=admin&password=a%26b+c"},
        std::pair{"application/json", R"({"username":"admin","password":"a&b c"})"},
        std::pair{"Application/JSON", R"({"username":"admin","password":"a&b c"})"},
        std::pair{"APPLICATION/JSON ;charset=utf-8", R"({"username":"admin","password":"a&b c"})"},
        std::pair{"application/jsonlines", "username=admin&password=a%26b+c"},
        std::pair{"application/json; charset=utf-8", R"({"password":"a&b c","username":"admin"})"}}) {
    CAPTURE(type);
    auto input = parse_credentials(type, body);
    CHECK(input.ok());
    CHECK(input.value.username == "admin");
    CHECK(input.value.password == "a&b c");
  }
  std::string many_parameters = "username=a";
  for (int i = 0; i < 32; ++i) many_parameters += "&a";
  struct {
    const char* type;
    std::string body;
    std::string expected;
    bool malformed;
  } const cases[] = {
      {"", "", "username is required", false},
      {"", "username=a", "password is required", false},
      {"", "username=a&password=", "password must not be empty", false},
      {"", "username=a%00&password=b", "username must not hold control characters", false},
      {"", "username=a&password=" + std::string(1025, 'x'), "password must not exceed 1024 characters", false},
      {"", "username=a&password=b&username=c", "username must not be given more than once", false},
      {"", many_parameters, "must not have more than 32 parameters", true},
      {"application/json", R"({"username":7,"password":"b"})", "username must be a string", false},
      {"application/json", R"({"username":null,"password":"b"})", "username must be a string", false},
      {"application/json", R"({"password":"b"})", "username is required", false},
      {"application/json", "[]", "the body must be a JSON object", false},
  };
  for (const auto& [type, body, expected, malformed] : cases) {
    CAPTURE(body);
    auto input = parse_credentials(type, body);
    CHECK(fault(input) == expected);
    CHECK(input.malformed == malformed);
  }
  CHECK(parse_credentials("", "username=a&password=b&username=c").errors.size() == 1);  // nor is it missing
}

TEST_CASE("An eligibility check is read from JSON") {
  auto input = parse_eligibility(
      R"({"user_profile":{"gpa":3.5,"major":"History","residency":"Ohio","education_level":null,"hobby":"chess"},)"
      R"("scholarship_id":12})");
  CHECK(input.ok());
  CHECK(input.value.scholarship_id == 12);
  CHECK(input.value.profile.gpa == 3.5);
  CHECK(input.value.profile.major == "History");
  CHECK(input.value.profile.residency == "Ohio");
  CHECK_FALSE(input.value.profile.education_level);
  CHECK(parse_eligibility(R"({"user_profile":{"gpa":4,"major":"x"},"scholarship_id":1})").value.profile.gpa == 4.0);
}

TEST_CASE("Faults of an eligibility check name their field") {
  auto profile = [](const std::string& members) { return R"({"scholarship_id":1,"user_profile":{)" + members + "}}"; };
  struct {
    std::string body;
    std::string expected;
  } const cases[] = {
      {R"({"user_profile":{"gpa":3,"major":"x"}})", "scholarship_id is required"},
      {R"({"scholarship_id":"1","user_profile":{"gpa":3,"major":"x"}})",
       "scholarship_id must be an integer from 1 to 9223372036854775807"},
      {R"({"scholarship_id":1.5,"user_profile":{"gpa":3,"major":"x"}})",
       "scholarship_id must be an integer from 1 to 9223372036854775807"},
      {R"({"scholarship_id":0,"user_profile":{"gpa":3,"major":"x"}})",
       "scholarship_id must be an integer from 1 to 9223372036854775807"},
      {R"({"scholarship_id":18446744073709551615,"user_profile":{"gpa":3,"major":"x"}})",
       "scholarship_id must be an integer from 1 to 9223372036854775807"},
      {R"({"scholarship_id":1})", "user_profile is required"},
      {R"({"scholarship_id":1,"user_profile":[]})", "user_profile must be an object"},
      {R"({"scholarship_id":1,"user_profile":null})", "user_profile must be an object"},
      {profile(R"("major":"x")"), "user_profile.gpa is required"},
      {profile(R"("gpa":"3","major":"x")"), "user_profile.gpa must be a number from 0 to 4"},
      {profile(R"("gpa":-0.1,"major":"x")"), "user_profile.gpa must be a number from 0 to 4"},
      {profile(R"("gpa":4.01,"major":"x")"), "user_profile.gpa must be a number from 0 to 4"},
      {profile(R"("gpa":1e999,"major":"x")"), "user_profile.gpa must be a number from 0 to 4"},
      {profile(R"("gpa":3)"), "user_profile.major is required"},
      {profile(R"("gpa":3,"major":5)"), "user_profile.major must be a string"},
      {profile(R"("gpa":3,"major":"")"), "user_profile.major must not be empty"},
      {profile(R"("gpa":3,"major":"a\u0000b")"), "user_profile.major must not hold control characters"},
      {profile(R"("gpa":3,"major":"x","residency":[])"), "user_profile.residency must be a string"},
      {profile(R"("gpa":3,"major":"x","education_level":")" + std::string(201, 'a') + "\""),
       "user_profile.education_level must not exceed 200 characters"},
  };
  for (const auto& [body, expected] : cases) {
    CAPTURE(body);
    auto input = parse_eligibility(body);
    CHECK(fault(input) == expected);
    CHECK_FALSE(input.malformed);
  }
}

TEST_CASE("A member that is given twice makes the body malformed") {
  struct {
    std::string body;
    std::string expected;
  } const cases[] = {
      {R"({"scholarship_id":1,"scholarship_id":2})", "scholarship_id must not be given more than once"},
      {R"({"scholarship_id":1,"scholarship_\u0069d":1})", "scholarship_id must not be given more than once"},
      {R"({"user_profile":{"gpa":1,"major":"x","gpa":4},"scholarship_id":1})",
       "user_profile.gpa must not be given more than once"},
      {R"({"user_profile":{},"hobbies":[{"a":1},{"b":[{"c":1,"c":1}]}]})",
       "hobbies.b.c must not be given more than once"},
      {"{\"\\u0001\":1,\"\\u0001\":1}", "a name is given twice"},
      {R"({"":1,"":1})", "a name is given twice"},
  };
  for (const auto& [body, expected] : cases) {
    CAPTURE(body);
    auto input = parse_eligibility(body);
    CHECK(fault(input) == expected);
    CHECK(input.malformed);
  }
  // The same name in two objects is none of two.
  CHECK(parse_eligibility(R"({"user_profile":{"gpa":4,"major":"x","a":[{"a":1},{"a":1}]},"a":{},"scholarship_id":1})")
            .ok());
  CHECK(fault(parse_credentials("application/json", R"({"username":"a","password":"b","username":"c"})")) ==
        "username must not be given more than once");
}

TEST_CASE("A body that is not JSON is malformed") {
  for (const std::string& body : {""s, "{"s, "{'a':1}"s, "{\"a\":\"\xFF\"}"s, "{\"a\":\"\xC0\xAF\"}"s, "{\"a\":1}x"s,
                                  "{\"a\":NaN}"s, std::string(100, '['), "\0{}"s, "{\"a\":\"\\ud800\"}"s}) {
    CAPTURE(body);
    auto input = parse_eligibility(body);
    CHECK(input.malformed);
    CHECK(fault(input).starts_with("the body must be valid JSON in UTF-8"));
  }
}

}  // namespace
}  // namespace api
