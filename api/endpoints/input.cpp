#include "api/endpoints/input.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include <boost/beast/core/string.hpp>
#include <boost/json.hpp>

#include "api/endpoints/date.hpp"
#include "api/endpoints/json_members.hpp"
#include "api/endpoints/pairs.hpp"
#include "api/endpoints/repeated_member.hpp"
#include "api/endpoints/search_words.hpp"

namespace api {

namespace {

namespace json = boost::json;

/// libsodium accepts more, but no user types so many.
constexpr std::size_t kMaxPasswordCharacters = 1024;

/// The members of the body. Null: `input` has the reason. `document` must outlive the result.
template <class T>
const json::object* parse_body(std::string_view body, json::value& document, Input<T>& input) {
  boost::system::error_code error;
  // The body's limit bounds memory, the parser's depth limit (32) bounds the stack.
  document = json::parse(body, error);
  if (error) {
    input.malformed = true;
    add(input.errors, "", "the body must be valid JSON in UTF-8: " + error.message());
    return nullptr;
  }
  if (const auto path = repeated_member(body)) {
    input.malformed = true;
    const bool printable = fault_of_text(*path, kMaxTextCharacters).empty();
    add(input.errors, printable ? *path : "", printable ? "must not be given more than once" : "a name is given twice");
    return nullptr;
  }
  const json::object* object = document.if_object();
  if (!object) add(input.errors, "", "the body must be a JSON object");
  return object;
}

std::optional<std::int64_t> json_integer(const json::value& value) {
  if (auto* number = value.if_int64()) return *number;
  return std::nullopt;
}

std::optional<double> json_number(const json::value& value) {
  if (auto* number = value.if_double()) return *number;
  if (auto* number = value.if_int64()) return static_cast<double>(*number);
  if (auto* number = value.if_uint64()) return static_cast<double>(*number);
  return std::nullopt;
}

/// Media types are compared without case (RFC 9110, 8.3.1).
bool is_json(std::string_view content_type) {
  constexpr std::string_view kJson = "application/json";
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return boost::beast::iequals(type, kJson);
}

constexpr std::int64_t kMaxId = std::numeric_limits<std::int64_t>::max();

// A cursor of a search is `r` or `d`, a number, a dot and an id. Before `r` may stand `p` and the part, a digit.
constexpr char kPartCursor = 'p', kRankCursor = 'r', kDeadlineCursor = 'd';
static_assert(kParts <= 10);

std::string cursor_text(char kind, std::int64_t number, std::int64_t id) {
  return kind + std::to_string(number) + '.' + std::to_string(id);
}

/// False: it is none.
bool parse_cursor(std::string_view text, Search& search) {
  if (text.starts_with(kPartCursor)) {
    const auto part = parse_integer(text.substr(1, 1), 0, kParts - 1);
    if (!part || text.size() < 3 || text[2] != kRankCursor || !parse_cursor(text.substr(2), search)) return false;
    search.after_part = PartAfter{static_cast<int>(*part), *search.after_rank};
    search.after_rank.reset();
    return true;
  }
  const std::size_t dot = std::min(text.find('.'), text.size());
  if (dot == 0 || dot == text.size()) return false;
  const std::string_view number = text.substr(1, dot - 1);
  const auto id = parse_integer(text.substr(dot + 1), 0, kMaxId);
  if (!id) return false;
  if (text[0] == kRankCursor) {
    const auto score = parse_integer(number, 0, std::numeric_limits<int>::max());
    if (score) search.after_rank = RankedAfter{static_cast<int>(*score), *id};
    return score.has_value();
  }
  const auto day = text[0] == kDeadlineCursor ? parse_integer(number, kFirstDay - 1, kLastDay) : std::nullopt;
  if (day) search.after_deadline = DeadlineAfter{static_cast<Day>(*day), *id};
  return day.has_value();
}

}  // namespace

std::string to_cursor(RankedAfter after) {
  return cursor_text(kRankCursor, after.score, after.id);
}

std::string to_cursor(PartAfter after) {
  return kPartCursor + std::to_string(after.part) + to_cursor(after.rank);
}

std::string to_cursor(DeadlineAfter after) {
  return cursor_text(kDeadlineCursor, after.deadline, after.id);
}

Input<Search> parse_search(std::string_view query) {
  Input<Search> input;
  Pairs pairs;
  if (!pairs.parse(query, "query", input.errors)) return input;
  auto words = pairs.take_text("q", input.errors);
  if (words) {
    input.value.words = without_dashes(std::move(*words));
  } else if (input.errors.empty()) {
    add(input.errors, "q", "is required");
  }
  input.value.limit = static_cast<int>(pairs.take_integer("limit", kDefaultLimit, 1, kMaxLimit, input.errors));
  if (auto past = pairs.take("include_past", input.errors)) {
    input.value.include_past = *past == "true";
    if (*past != "true" && *past != "false") add(input.errors, "include_past", "must be true or false");
  }
  if (auto cursor = pairs.take("cursor", input.errors); cursor && !parse_cursor(*cursor, input.value)) {
    add(input.errors, "cursor", "must be the next_cursor of a previous page");
  }
  return input;
}

Input<ListFilter> parse_list(std::string_view query) {
  Input<ListFilter> input;
  Pairs pairs;
  if (!pairs.parse(query, "query", input.errors)) return input;
  input.value.limit = static_cast<int>(pairs.take_integer("limit", kDefaultLimit, 1, kMaxLimit, input.errors));
  input.value.min_amount =
      static_cast<int>(pairs.take_integer("min_amount", 0, 0, std::numeric_limits<std::int32_t>::max(), input.errors));
  input.value.major = pairs.take_text("major", input.errors);
  if (auto cursor = pairs.take("cursor", input.errors)) {
    auto after = parse_integer(*cursor, 0, kMaxId);
    if (!after) add(input.errors, "cursor", "must be the next_cursor of a previous page");
    input.value.after = after.value_or(0);
  }
  if (auto date = pairs.take("deadline_after", input.errors)) {
    input.value.deadline_after = parse_date(*date);
    if (!input.value.deadline_after) add(input.errors, "deadline_after", "must be a date like 2030-12-31");
  }
  return input;
}

Input<std::int64_t> parse_id(std::string_view text) {
  Input<std::int64_t> input;
  auto id = parse_integer(text, 1, kMaxId);
  if (!id) add(input.errors, "id", must_be_integer(1, kMaxId));
  input.value = id.value_or(0);
  return input;
}

Input<Credentials> parse_credentials(std::string_view content_type, std::string_view body) {
  Input<Credentials> input;
  std::optional<std::string> username, password;
  if (is_json(content_type)) {
    json::value document;
    const json::object* object = parse_body(body, document, input);
    if (!object) return input;
    JsonMembers members(*object, "", input.errors);
    username = members.text("username", true);
    password = members.text("password", true, kMaxPasswordCharacters);
  } else {
    Pairs pairs;
    if (!pairs.parse(body, "", input.errors)) {
      input.malformed = true;
      return input;
    }
    auto take = [&](std::string_view name, std::size_t max_characters) {
      const std::size_t before = input.errors.size();
      auto text = pairs.take(name, input.errors);
      if (input.errors.size() > before) return text;
      auto fault = text ? fault_of_text(*text, max_characters) : std::string("is required");
      if (!fault.empty()) add(input.errors, name, std::move(fault));
      return text;
    };
    username = take("username", kMaxTextCharacters);
    password = take("password", kMaxPasswordCharacters);
  }
  if (username) input.value.username = std::move(*username);
  if (password) input.value.password = std::move(*password);
  return input;
}

Input<EligibilityCheck> parse_eligibility(std::string_view body) {
  Input<EligibilityCheck> input;
  json::value document;
  const json::object* object = parse_body(body, document, input);
  if (!object) return input;
  JsonMembers members(*object, "", input.errors);

  if (const json::value* id = members.find("scholarship_id", true)) {
    auto value = json_integer(*id);
    if (!value || *value < 1) members.fault("scholarship_id", must_be_integer(1, kMaxId));
    input.value.scholarship_id = value.value_or(0);
  }
  const json::value* profile = members.find("user_profile", true);
  if (!profile) return input;
  if (!profile->is_object()) {
    members.fault("user_profile", "must be an object");
    return input;
  }
  JsonMembers fields(profile->get_object(), "user_profile.", input.errors);
  if (const json::value* gpa = fields.find("gpa", true)) {
    auto value = json_number(*gpa);
    if (!value || !(*value >= 0 && *value <= 4)) fields.fault("gpa", "must be a number from 0 to 4");
    input.value.profile.gpa = value.value_or(0);
  }
  if (auto major = fields.text("major", true)) input.value.profile.major = std::move(*major);
  input.value.profile.residency = fields.text("residency", false);
  input.value.profile.education_level = fields.text("education_level", false);
  return input;
}

}  // namespace api
