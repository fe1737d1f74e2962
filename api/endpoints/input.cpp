#include "api/endpoints/input.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>

#include <boost/beast/core/string.hpp>
#include <boost/json.hpp>

#include "proxy/text/utf8.hpp"

namespace api {

namespace {

namespace json = boost::json;

using Errors = std::vector<FieldError>;

/// More parameters than any request of this API has are not looked at.
constexpr std::size_t kMaxParameters = 32;
/// libsodium takes more, but nobody types it.
constexpr std::size_t kMaxPasswordCharacters = 1024;

void add(Errors& errors, std::string_view field, std::string message) {
  errors.push_back({std::string(field), std::move(message)});
}

/// What is wrong with a text, or empty. PostgreSQL takes no NUL, logs and terminals no control characters.
std::string fault_of(std::string_view text, std::size_t max_characters) {
  if (text.empty()) return "must not be empty";
  if (!text::valid_utf8(text)) return "must be valid UTF-8";
  if (text::count_characters(text) > max_characters) {
    return "must not exceed " + std::to_string(max_characters) + " characters";
  }
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return "must not hold control characters";
  }
  return {};
}

std::optional<std::int64_t> integer(std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) return std::nullopt;
  return value;
}

std::string range_words(std::int64_t min, std::int64_t max) {
  return "must be an integer from " + std::to_string(min) + " to " + std::to_string(max);
}

// --- Query strings and forms ---------------------------------------------------------------------------------------

/// -1: no hexadecimal digit.
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Percent- and plus-decoded as browsers and servers do (WHATWG URL, 5.1): what is no escape stands for itself.
std::string decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

/// `a=1&b=2`, percent- and plus-encoded. False: too many.
class Pairs {
 public:
  bool parse(std::string_view text) {
    while (!text.empty()) {
      const std::string_view pair = text.substr(0, text.find('&'));
      text.remove_prefix(std::min(pair.size() + 1, text.size()));
      if (pair.empty()) continue;
      if (items_.size() == kMaxParameters) return false;
      const std::size_t equals = std::min(pair.find('='), pair.size());
      items_.push_back({decode(pair.substr(0, equals)), decode(pair.substr(std::min(equals + 1, pair.size())))});
    }
    return true;
  }

  /// Nothing when it is not there. Twice the same is an error: which of the two was meant?
  std::optional<std::string> take(std::string_view name, Errors& errors) {
    std::optional<std::string> found;
    for (auto& [key, value] : items_) {
      if (key != name) continue;
      if (found) {
        add(errors, name, "must not be given more than once");
        return std::nullopt;
      }
      found = std::move(value);
    }
    return found;
  }

  std::optional<std::string> take_text(std::string_view name, Errors& errors) {
    auto text = take(name, errors);
    if (!text) return std::nullopt;
    if (auto fault = fault_of(*text, kMaxTextCharacters); !fault.empty()) {
      add(errors, name, std::move(fault));
      return std::nullopt;
    }
    return text;
  }

  std::int64_t take_integer(std::string_view name, std::int64_t fallback, std::int64_t min, std::int64_t max,
                            Errors& errors) {
    auto text = take(name, errors);
    if (!text) return fallback;
    auto value = integer(*text, min, max);
    if (!value) add(errors, name, range_words(min, max));
    return value.value_or(fallback);
  }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

/// Whether the pairs could be read; if not, says so.
bool parse_pairs(std::string_view text, Pairs& pairs, Errors& errors, std::string_view what) {
  if (pairs.parse(text)) return true;
  add(errors, what, "must not have more than " + std::to_string(kMaxParameters) + " parameters");
  return false;
}

// --- JSON ----------------------------------------------------------------------------------------------------------

/// Members of an object, with the path of each for errors.
class Object {
 public:
  Object(const json::object& object, std::string prefix, Errors& errors)
      : object_(object), prefix_(std::move(prefix)), errors_(errors) {}

  const json::value* find(std::string_view name, bool required) {
    const json::value* value = object_.if_contains(name);
    if (value && value->is_null() && !required) return nullptr;
    if (!value && required) fault(name, "is required");
    return value;
  }

  void fault(std::string_view name, std::string message) {
    add(errors_, prefix_ + std::string(name), std::move(message));
  }

  std::optional<std::string> text(std::string_view name, bool required,
                                  std::size_t max_characters = kMaxTextCharacters) {
    const json::value* value = find(name, required);
    if (!value) return std::nullopt;
    const json::string* text = value->if_string();
    if (!text) {
      fault(name, "must be a string");
      return std::nullopt;
    }
    if (auto wrong = fault_of(*text, max_characters); !wrong.empty()) {
      fault(name, std::move(wrong));
      return std::nullopt;
    }
    return std::string(*text);
  }

 private:
  const json::object& object_;
  std::string prefix_;
  Errors& errors_;
};

/// The body's members, or null with the reason in `input`. `document` must outlive the result.
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

/// Type and subtype of a media type ignore case (RFC 9110, 8.3.1).
bool is_json(std::string_view content_type) {
  constexpr std::string_view kJson = "application/json";
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return boost::beast::iequals(type, kJson);
}

constexpr std::int64_t kMaxId = std::numeric_limits<std::int64_t>::max();

}  // namespace

Input<Search> parse_search(std::string_view query) {
  Input<Search> input;
  Pairs pairs;
  if (!parse_pairs(query, pairs, input.errors, "query")) return input;
  auto words = pairs.take_text("q", input.errors);
  if (words) {
    input.value.words = std::move(*words);
  } else if (input.errors.empty()) {
    add(input.errors, "q", "is required");
  }
  input.value.limit = static_cast<int>(pairs.take_integer("limit", kDefaultLimit, 1, kMaxLimit, input.errors));
  return input;
}

Input<ListFilter> parse_list(std::string_view query) {
  Input<ListFilter> input;
  Pairs pairs;
  if (!parse_pairs(query, pairs, input.errors, "query")) return input;
  input.value.limit = static_cast<int>(pairs.take_integer("limit", kDefaultLimit, 1, kMaxLimit, input.errors));
  input.value.min_amount =
      static_cast<int>(pairs.take_integer("min_amount", 0, 0, std::numeric_limits<std::int32_t>::max(), input.errors));
  input.value.major = pairs.take_text("major", input.errors);
  if (auto cursor = pairs.take("cursor", input.errors)) {
    auto after = integer(*cursor, 0, kMaxId);
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
  auto id = integer(text, 1, kMaxId);
  if (!id) add(input.errors, "id", range_words(1, kMaxId));
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
    Object members(*object, "", input.errors);
    username = members.text("username", true);
    password = members.text("password", true, kMaxPasswordCharacters);
  } else {
    Pairs pairs;
    if (!parse_pairs(body, pairs, input.errors, "")) {
      input.malformed = true;
      return input;
    }
    auto take = [&](std::string_view name, std::size_t max_characters) {
      auto text = pairs.take(name, input.errors);
      auto fault = text ? fault_of(*text, max_characters) : std::string("is required");
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
  Object members(*object, "", input.errors);

  if (const json::value* id = members.find("scholarship_id", true)) {
    auto value = json_integer(*id);
    if (!value || *value < 1) members.fault("scholarship_id", range_words(1, kMaxId));
    input.value.scholarship_id = value.value_or(0);
  }
  const json::value* profile = members.find("user_profile", true);
  if (!profile) return input;
  if (!profile->is_object()) {
    members.fault("user_profile", "must be an object");
    return input;
  }
  Object fields(profile->get_object(), "user_profile.", input.errors);
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
