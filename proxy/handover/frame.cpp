#include "proxy/handover/frame.hpp"

#include <algorithm>
#include <charconv>

namespace spillway::handover {
namespace {

/// Kind, blank, eight digits and the line's end.
constexpr std::size_t kLineMax = kKindMax + 10;

bool is_kind(std::string_view text) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return !text.empty() && text.size() <= kKindMax && std::all_of(text.begin(), text.end(), fits);
}

/// False: the line is none.
bool read_line(std::string_view line, std::string& kind, std::size_t& length) {
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos || !is_kind(line.substr(0, blank))) return false;
  kind = line.substr(0, blank);
  const std::string_view digits = line.substr(blank + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  return error == std::errc() && end == digits.data() + digits.size() && length <= kPayloadMax;
}

}  // namespace

std::string encode(const Frame& frame) {
  return frame.kind + ' ' + std::to_string(frame.payload.size()) + '\n' + frame.payload;
}

FrameReader::State FrameReader::next(Frame& frame) {
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  const std::size_t line_end = rest.substr(0, kLineMax).find('\n');
  if (line_end == std::string_view::npos) return rest.size() < kLineMax ? State::more : State::malformed;
  std::size_t length = 0;
  if (!read_line(rest.substr(0, line_end), frame.kind, length)) return State::malformed;
  const std::size_t whole = line_end + 1 + length;
  if (rest.size() < whole) return State::more;
  frame.payload = rest.substr(line_end + 1, length);
  at_ += whole;
  if (at_ == buffer_.size() || at_ >= buffer_.size() / 2) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  return State::frame;
}

}  // namespace spillway::handover
