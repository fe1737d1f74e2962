#include <array>
#include <charconv>
#include <cmath>
#include <memory>

#include "config/document.hpp"
#include "config/fields.hpp"
#include "proxy/text/json.hpp"

namespace config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: a value is printed in the largest unit that divides it.
constexpr std::array<Unit, 5> kDurationUnits = {
    {{"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000}, {"ms", 1'000'000}, {"us", 1'000}}};
constexpr std::array<Unit, 3> kSizeUnits = {{{"GiB", 1ULL << 30U}, {"MiB", 1ULL << 20U}, {"KiB", 1ULL << 10U}}};

bool is_digit(std::string_view text, std::size_t i) {
  return i < text.size() && text[i] >= '0' && text[i] <= '9';
}

/// Reads the whole text as a decimal number. No plus sign, exponent, inf or nan; no leading zero, which other YAML
/// readers take for octal.
bool read_number(std::string_view text, auto& value) {
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  if (!is_digit(text, first) || !is_digit(text, text.size() - 1)) return false;
  if (text[first] == '0' && is_digit(text, first + 1)) return false;
  std::from_chars_result result{};
  if constexpr (std::is_floating_point_v<std::remove_reference_t<decltype(value)>>) {
    result = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  } else {
    result = std::from_chars(text.data(), text.data() + text.size(), value);
  }
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

std::string print_number(double value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), result.ptr};
}

template <std::size_t N>
std::string print_in_units(std::uint64_t value, const std::array<Unit, N>& units, std::string_view smallest) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) return std::to_string(value / unit.factor).append(unit.name);
  }
  return std::to_string(value).append(smallest);
}

std::string print_duration(Duration value) {
  // Whole microseconds, as `read_duration` only makes such.
  const auto nanoseconds = static_cast<std::uint64_t>(value.count());
  return nanoseconds == 0 ? "0s" : print_in_units(nanoseconds, kDurationUnits, "ns");
}

std::string print_size(std::uint64_t value) {
  return print_in_units(value, kSizeUnits, "");
}

bool read_duration(std::string_view text, Duration& value) {
  std::uint64_t factor = 1'000'000'000;
  const std::size_t digits = text.find_first_not_of("0123456789.");
  if (digits != std::string_view::npos) {
    factor = 0;
    for (const Unit& unit : kDurationUnits) {
      if (text.substr(digits) == unit.name) factor = unit.factor;
    }
    text = text.substr(0, digits);
  }
  double count = 0;
  if (factor == 0 || !read_number(text, count)) return false;
  const double nanoseconds = count * static_cast<double>(factor);
  constexpr double kMost = 9e18;  // nanoseconds, 285 years; less than 64 bits hold
  if (nanoseconds < 0 || nanoseconds > kMost) return false;
  value = std::chrono::microseconds(std::llround(nanoseconds / 1000));
  // A smaller value could not be printed and read back.
  return std::abs(nanoseconds / 1000 - std::round(nanoseconds / 1000)) < 1e-3;
}

bool read_size(std::string_view text, std::uint64_t& value) {
  std::uint64_t factor = 1;
  for (const Unit& unit : kSizeUnits) {
    if (text.ends_with(unit.name)) {
      factor = unit.factor;
      text.remove_suffix(unit.name.size());
      break;
    }
  }
  std::uint64_t count = 0;
  if (!read_number(text, count) || count > UINT64_MAX / factor) return false;
  value = count * factor;
  return true;
}

/// Accepts a value that `read` can read and that is in the range.
template <class T, class Read>
std::function<bool(std::string_view)> ranged(T& value, Range<T> range, Read read) {
  return [&value, range, read](std::string_view text) {
    T candidate{};
    if (!read(text, candidate) || candidate < range.min || candidate > range.max) return false;
    value = candidate;
    return true;
  };
}

/// A text as it is often written by hand, in parts: number and unit in lower case, without blanks between.
struct Slip {
  std::string number, unit;
};

Slip taken_apart(std::string_view text) {
  Slip slip;
  for (const char c : text) {
    if (c == ' ' || c == '\t') continue;
    const bool digit = (c >= '0' && c <= '9') || c == '.' || c == '-';
    if (digit && slip.unit.empty()) {
      slip.number += c;
    } else {
      slip.unit += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return slip;
}

struct Spelling {
  std::string_view written, ours;
};
constexpr Spelling kDurationSpellings[] = {{"h", "h"},
                                           {"hour", "h"},
                                           {"hours", "h"},
                                           {"hr", "h"},
                                           {"hrs", "h"},
                                           {"m", "m"},
                                           {"min", "m"},
                                           {"mins", "m"},
                                           {"minute", "m"},
                                           {"minutes", "m"},
                                           {"s", "s"},
                                           {"sec", "s"},
                                           {"secs", "s"},
                                           {"second", "s"},
                                           {"seconds", "s"},
                                           {"ms", "ms"},
                                           {"msec", "ms"},
                                           {"millis", "ms"},
                                           {"milliseconds", "ms"},
                                           {"us", "us"},
                                           {"usec", "us"},
                                           {"\u00B5s", "us"},
                                           {"microseconds", "us"}};
constexpr Spelling kSizeSpellings[] = {{"b", ""},      {"byte", ""},   {"bytes", ""}, {"k", "KiB"},  {"kb", "KiB"},
                                       {"ki", "KiB"},  {"kib", "KiB"}, {"m", "MiB"},  {"mb", "MiB"}, {"mi", "MiB"},
                                       {"mib", "MiB"}, {"g", "GiB"},   {"gb", "GiB"}, {"gi", "GiB"}, {"gib", "GiB"}};

/// "write 30s" if the text is that with another spelling of the unit and `accepts` it.
template <std::size_t N>
std::string write_instead(std::string_view text, const Spelling (&spellings)[N],
                          const std::function<bool(std::string_view)>& accepts) {
  const Slip slip = taken_apart(text);
  for (const auto& [written, ours] : spellings) {
    const std::string better = slip.number + std::string(ours);
    if (slip.unit == written && better != text && accepts(better)) return "write " + better;
  }
  return {};
}

/// "write 1000" for `1,000`, `1_000`, `1 000`, `1e3`, `1k`, `+1000` or `1000.0`.
std::string whole_number(std::string_view text, const std::function<bool(std::string_view)>& accepts) {
  std::string plain;
  for (const char c : text) {
    if (c != ' ' && c != '_' && c != ',' && c != '+') plain += c;
  }
  if (plain.ends_with('%')) return "it is a number, not a share";
  double value = 0;
  double factor = 1;
  if (plain.ends_with('k') || plain.ends_with('K')) {
    factor = 1000;
    plain.pop_back();
  }
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  value *= factor;
  constexpr double kMost = 1e9;  // beyond any range
  if (error != std::errc() || end != plain.data() + plain.size() || std::abs(value) > kMost) return {};
  if (value != std::floor(value)) return {};
  const std::string better = std::to_string(static_cast<long long>(value));
  return better != text && accepts(better) ? "write " + better : "";
}

/// "write 24h" for `1d`.
std::string days_in_hours(std::string_view text, const std::function<bool(std::string_view)>& accepts) {
  const Slip slip = taken_apart(text);
  int days = 0;
  if ((slip.unit != "d" && slip.unit != "day" && slip.unit != "days") || !read_number(slip.number, days)) return {};
  if (days < 1 || days > 365) return {};
  const std::string hours = std::to_string(days * 24) + "h";
  return accepts(hours) ? "write " + hours : "";
}

/// A number of seconds without a unit that is longer than any usual time was probably meant in milliseconds.
std::string bare_number_doubt(std::string_view text) {
  constexpr double kUsual = 600;
  double seconds = 0;
  if (!read_number(text, seconds) || seconds <= kUsual) return {};
  const auto whole = static_cast<long long>(seconds);
  const std::string number(text);
  const std::string rest = whole % 60 != 0 ? " " + std::to_string(whole % 60) + " seconds" : "";
  return number + " is " + std::to_string(whole / 60) + " minutes" + rest + "; write " + number + "ms or " + number +
         "s";
}

std::string between(const std::string& low, const std::string& high) {
  return " from " + low + " to " + high;
}

std::string number_schema(std::string_view type, const std::string& low, const std::string& high) {
  return R"({"type": ")" + std::string(type) + R"(", "minimum": )" + low + R"(, "maximum": )" + high + "}";
}

/// Whether a text is one line of valid UTF-8, since it may go into a log, a header or a JSON body.
bool is_line(std::string_view text) {
  return text.size() <= kMaxTextBytes && text.find_first_of("\n\r\t") == std::string_view::npos &&
         find_unfit_byte(text) == std::string_view::npos;
}

/// For std::string and std::optional<std::string>.
template <class Text, class Accepts>
Scalar text_scalar(Text& value, Accepts accepts, std::string words, std::string schema) {
  Scalar scalar;
  scalar.set = [&value, accepts](std::string_view given) {
    if (!is_line(given) || !accepts(given)) return false;
    value = given;
    return true;
  };
  scalar.print = [&value]() -> std::optional<std::string> { return value; };
  scalar.words = std::move(words);
  scalar.schema = {std::move(schema)};
  return scalar;
}

template <class Text>
Scalar text_of_length(Text& value, Range<std::size_t> length) {
  const std::string min = std::to_string(length.min);
  const std::string max = std::to_string(length.max);
  return text_scalar(
      value, [length](std::string_view given) { return given.size() >= length.min && given.size() <= length.max; },
      "a text of " + min + " to " + max + " bytes without control characters",
      R"({"type": ["string", "number", "boolean"], "minLength": )" + min + R"(, "maxLength": )" + max + "}");
}

template <class Text>
Scalar text_of_form(Text& value, const TextForm& form) {
  return text_scalar(value, form.accepts, std::string(form.words), string_schema(form.pattern, form.numbers));
}

}  // namespace

std::string string_schema(std::string_view pattern, bool numbers) {
  const std::string type = numbers ? R"({"type": ["string", "integer"])" : R"({"type": "string")";
  return pattern.empty() ? type + "}" : type + R"(, "pattern": )" + text::json_quoted(pattern) + "}";
}

Scalar flag(bool& value) {
  Scalar scalar;
  scalar.set = [&value](std::string_view text) {
    if (text != "true" && text != "false") return false;
    value = text == "true";
    return true;
  };
  scalar.print = [&value] { return value ? "true" : "false"; };
  scalar.words = "true or false";
  scalar.schema = {R"({"type": "boolean"})"};
  scalar.literal = true;
  return scalar;
}

Scalar integer(int& value, Range<int> range) {
  Scalar scalar;
  scalar.set = ranged(value, range, [](std::string_view text, int& out) { return read_number(text, out); });
  scalar.print = [&value] { return std::to_string(value); };
  scalar.words = "an integer" + between(std::to_string(range.min), std::to_string(range.max));
  scalar.schema = {number_schema("integer", std::to_string(range.min), std::to_string(range.max))};
  scalar.literal = true;
  scalar.hint = [range](std::string_view text) {
    return whole_number(text, [range](std::string_view better) {
      int any = 0;
      return read_number(better, any) && any >= range.min && any <= range.max;
    });
  };
  return scalar;
}

Scalar number(double& value, Range<double> range) {
  Scalar scalar;
  scalar.set = ranged(value, range, [](std::string_view text, double& out) { return read_number(text, out); });
  scalar.print = [&value] { return print_number(value); };
  scalar.words = "a number" + between(print_number(range.min), print_number(range.max));
  scalar.schema = {number_schema("number", print_number(range.min), print_number(range.max))};
  scalar.literal = true;
  scalar.hint = [range](std::string_view text) -> std::string {
    const Slip slip = taken_apart(text);
    double percent = 0;
    if (slip.unit != "%" || !read_number(slip.number, percent)) return {};
    const double share = percent / 100;
    return share < range.min || share > range.max ? "" : "write " + print_number(share);
  };
  return scalar;
}

Scalar duration(Duration& value, Range<Duration> range) {
  const auto seconds = [](Duration d) { return print_number(std::chrono::duration<double>(d).count()); };
  Scalar scalar;
  scalar.set = ranged(value, range, read_duration);
  scalar.print = [&value] { return print_duration(value); };
  scalar.words = "a duration" + between(print_duration(range.min), print_duration(range.max));
  scalar.schema = {string_schema(R"(^[0-9]+(\.[0-9]+)?(us|ms|s|m|h)?$)"),
                   number_schema("number", seconds(range.min), seconds(range.max))};
  scalar.hint = [range](std::string_view text) {
    const auto accepts = [range](std::string_view better) {
      Duration any{};
      return read_duration(better, any) && any >= range.min && any <= range.max;
    };
    const std::string hint = write_instead(text, kDurationSpellings, accepts);
    return hint.empty() ? days_in_hours(text, accepts) : hint;
  };
  scalar.doubt = bare_number_doubt;
  return scalar;
}

Scalar size(std::uint64_t& value, Range<std::uint64_t> range) {
  Scalar scalar;
  scalar.set = ranged(value, range, read_size);
  scalar.print = [&value] { return print_size(value); };
  scalar.words = "a size" + between(print_size(range.min), print_size(range.max));
  scalar.schema = {string_schema("^[0-9]+(KiB|MiB|GiB)?$"),
                   number_schema("integer", std::to_string(range.min), std::to_string(range.max))};
  scalar.hint = [range](std::string_view text) {
    return write_instead(text, kSizeSpellings, [range](std::string_view better) {
      std::uint64_t any = 0;
      return read_size(better, any) && any >= range.min && any <= range.max;
    });
  };
  return scalar;
}

Scalar text(std::string& value, Range<std::size_t> length) {
  return text_of_length(value, length);
}
Scalar text(std::string& value, const TextForm& form) {
  return text_of_form(value, form);
}

Scalar optional_text(std::optional<std::string>& value, Range<std::size_t> length) {
  return text_of_length(value, length);
}
Scalar optional_text(std::optional<std::string>& value, const TextForm& form) {
  return text_of_form(value, form);
}

Scalar one_of(std::vector<std::string> names, std::function<void(std::size_t)> set, std::function<std::size_t()> get) {
  Scalar scalar;
  scalar.words = names.size() > 1 ? "one of " : "";
  std::string schema = R"({"enum": [)";
  for (std::size_t i = 0; i < names.size(); ++i) {
    scalar.words += (i > 0 ? ", " : "") + names[i];
    schema += (i > 0 ? ", " : "") + text::json_quoted(names[i]);
  }
  scalar.schema = {schema + "]}"};
  const auto shared = std::make_shared<const std::vector<std::string>>(std::move(names));
  scalar.set = [shared, set = std::move(set)](std::string_view text) {
    for (std::size_t i = 0; i < shared->size(); ++i) {
      if ((*shared)[i] != text) continue;
      set(i);
      return true;
    }
    return false;
  };
  scalar.print = [shared, get = std::move(get)] { return (*shared)[get()]; };
  return scalar;
}

}  // namespace config
