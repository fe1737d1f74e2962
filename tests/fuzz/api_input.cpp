// Parses query strings, path segments, forms and JSON bodies. The result must be a value within its bounds, or faults
// with messages that can be written as JSON. Input: a byte that selects the parser, then the text.

#include <cstdint>
#include <string>

#include <boost/json.hpp>

#include "api/endpoints/date.hpp"
#include "api/endpoints/eligibility_rules.hpp"
#include "api/endpoints/input.hpp"
#include "proxy/text/json.hpp"
#include "proxy/text/utf8.hpp"
#include "tests/fuzz/require.hpp"

using namespace api;

namespace {

void require_text(const std::string& text, std::size_t max_characters) {
  FUZZ_REQUIRE(!text.empty() && text::valid_utf8(text) && text::count_characters(text) <= max_characters);
  FUZZ_REQUIRE(text::to_valid_utf8(text) == text);
  for (const char c : text) FUZZ_REQUIRE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
}

void require_text(const std::optional<std::string>& text) {
  if (text) require_text(*text, kMaxTextCharacters);
}

/// A text reads back as it was written.
void require_json(const std::string& text) {
  std::string out;
  text::JsonWriter(out).begin_array().value(std::string_view(text)).end_array();
  boost::system::error_code error;
  const boost::json::value back = boost::json::parse(out, error);
  FUZZ_REQUIRE(!error);
  FUZZ_REQUIRE(std::string_view(back.at(0).as_string()) == text);
}

/// True: the value is valid.
template <class T>
bool require_verdict(const Input<T>& input) {
  FUZZ_REQUIRE(!input.malformed || !input.ok());
  for (const FieldError& error : input.errors) {
    FUZZ_REQUIRE(!error.message.empty());
    require_json(error.field);
    require_json(error.message);
  }
  return input.ok();
}

void search(std::string_view text) {
  const auto input = parse_search(text);
  if (!require_verdict(input)) return;
  require_text(input.value.words, kMaxTextCharacters);
  require_json(input.value.words);
  FUZZ_REQUIRE(input.value.limit >= 1 && input.value.limit <= kMaxLimit);
}

void list(std::string_view text) {
  const auto input = parse_list(text);
  if (!require_verdict(input)) return;
  require_text(input.value.major);
  FUZZ_REQUIRE(input.value.after >= 0 && input.value.min_amount >= 0);
  FUZZ_REQUIRE(input.value.limit >= 1 && input.value.limit <= kMaxLimit);
  if (input.value.deadline_after) {
    FUZZ_REQUIRE(parse_date(to_text(*input.value.deadline_after)) == input.value.deadline_after);
  }
}

void id(std::string_view text) {
  const auto input = parse_id(text);
  if (require_verdict(input)) FUZZ_REQUIRE(input.value >= 1);
}

void credentials(std::string_view type, std::string_view text) {
  const auto input = parse_credentials(type, text);
  if (!require_verdict(input)) return;
  require_text(input.value.username, kMaxTextCharacters);
  require_text(input.value.password, text.size());
}

void eligibility(std::string_view text) {
  const auto input = parse_eligibility(text);
  if (!require_verdict(input)) return;
  const Profile& profile = input.value.profile;
  FUZZ_REQUIRE(input.value.scholarship_id >= 1);
  FUZZ_REQUIRE(profile.gpa >= 0 && profile.gpa <= 4);
  require_text(profile.major, kMaxTextCharacters);
  require_text(profile.residency);
  require_text(profile.education_level);
  const Requirements strict{350, {"Law"}, {"Ohio"}, {"graduate"}, 20'000};
  for (const std::string& reason : unmet_requirements(strict, profile, {}, 20'001)) require_json(reason);
  FUZZ_REQUIRE(unmet_requirements({.deadline = 20'000}, profile, {}, 20'000).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // A copy of exactly its size, so that the sanitizer finds a read beyond it.
  const std::vector<char> copy(data + 1, data + size);
  const std::string_view text(copy.data(), copy.size());
  FUZZ_REQUIRE(text::valid_utf8(text::to_valid_utf8(text)));
  switch (data[0] % 6) {
    case 0:
      search(text);
      break;
    case 1:
      list(text);
      break;
    case 2:
      id(text);
      break;
    case 3:
      credentials("application/x-www-form-urlencoded", text);
      break;
    case 4:
      credentials("application/json; charset=utf-8", text);
      break;
    default:
      eligibility(text);
  }
  return 0;
}
