#include "proxy/text/json.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>

namespace text {

namespace {

/// Whether one of eight bytes needs an escape: below 0x20, a quote, a backslash or DEL. Each is turned into a zero
/// byte, for which (x - 0x01…) & ~x & 0x80… is the classic test; see Hacker's Delight, 6-1.
bool any_special(const char* bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  const std::uint64_t quote = word ^ (kOnes * '"');
  const std::uint64_t backslash = word ^ (kOnes * '\\');
  const std::uint64_t del = word ^ (kOnes * 0x7F);
  const std::uint64_t found = ((word - kOnes * 0x20) & ~word) | ((quote - kOnes) & ~quote) |
                              ((backslash - kOnes) & ~backslash) | ((del - kOnes) & ~del);
  return (found & kHighs) != 0;
}

void append_escape(std::string& out, unsigned char byte) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (byte) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
  }
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view text) {
  std::size_t copied = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    if (text.size() - i >= sizeof(std::uint64_t) && !any_special(text.data() + i)) {
      i += sizeof(std::uint64_t);
      continue;
    }
    // The last few bytes once more together with those before them, which are fine.
    if (text.size() - i < sizeof(std::uint64_t) && i >= sizeof(std::uint64_t) &&
        !any_special(text.data() + text.size() - sizeof(std::uint64_t))) {
      break;
    }
    // Byte by byte to the next multiple, past what was found.
    const std::size_t end = std::min(text.size(), i + sizeof(std::uint64_t));
    for (; i < end; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if (byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7F) continue;
      out.append(text, copied, i - copied);
      copied = i + 1;
      append_escape(out, byte);
    }
  }
  out.append(text, copied);
}

std::string json_quoted(std::string_view text) {
  std::string quoted = "\"";
  append_json_escaped(quoted, text);
  return quoted += '"';
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  const std::size_t at = out_.size();
  out_.resize(at + name.size() + 3);
  char* to = out_.data() + at;
  *to++ = '"';
  std::memcpy(to, name.data(), name.size());
  std::memcpy(to + name.size(), "\":", 2);
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  out_ += '"';
  append_json_escaped(out_, text);
  out_ += '"';
  return *this;
}

JsonWriter& JsonWriter::value(bool flag) {
  separate();
  out_ += flag ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::value(std::int64_t number) {
  separate();
  char digits[24];
  out_.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
  return *this;
}

JsonWriter& JsonWriter::value(std::uint64_t number) {
  separate();
  char digits[24];
  out_.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
  return *this;
}

JsonWriter& JsonWriter::value(double number, int decimals) {
  separate();
  char digits[64];
  auto written = std::to_chars(digits, digits + sizeof(digits), number, std::chars_format::fixed, decimals);
  out_.append(digits, written.ptr);
  return *this;
}

JsonWriter& JsonWriter::hundredths(int number) {
  separate();
  const std::int64_t magnitude = number < 0 ? -std::int64_t{number} : number;
  if (number < 0) out_ += '-';
  char whole[24];
  out_.append(whole, std::to_chars(whole, whole + sizeof(whole), magnitude / 100).ptr);
  const char digits[] = {'.', static_cast<char>('0' + magnitude / 10 % 10), static_cast<char>('0' + magnitude % 10)};
  out_.append(digits, sizeof(digits));
  return *this;
}

JsonWriter& JsonWriter::null() {
  separate();
  out_ += "null";
  return *this;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  first_ = false;
  return *this;
}

void JsonWriter::separate() {
  if (!first_) out_ += ',';
  first_ = false;
}

}  // namespace text
