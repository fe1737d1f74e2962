// The body decoder. Payload and verdict do not depend on how the bytes are cut; the payload, chunked anew, decodes to
// itself; and a second, much simpler parser of chunks agrees. Input: a byte of options, a byte that says where
// the body is split, the body.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http1/body_decoder.hpp"
#include "proxy/http1/writer.hpp"
#include "tests/fuzz/require.hpp"

using namespace spillway::http;

namespace {

/// Each byte alone needs a buffer of its own: longer bodies are only split in two.
constexpr std::size_t kSplitEverywhereMax = 4096;

struct Decoded {
  std::string payload;
  std::size_t consumed = 0;
  bool done = false;
  int status = 0;
  std::string rule;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

/// Each piece has a buffer of exactly its size, so that the sanitizer finds a read beyond it.
Decoded decode(BodyDecoder decoder, const std::string& bytes, const std::vector<std::size_t>& ends) {
  Decoded result;
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    if (decoder.done()) break;
    std::vector<char> piece(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                            bytes.begin() + static_cast<std::ptrdiff_t>(end));
    const auto step = decoder.decode(piece.data(), piece.size());
    FUZZ_REQUIRE(step.payload <= step.consumed && step.consumed <= piece.size());
    result.payload.append(piece.data(), step.payload);
    result.consumed += step.consumed;
    if (step.violation) {
      result.status = step.violation.status;
      result.rule = step.violation.rule;
      return result;
    }
    FUZZ_REQUIRE(decoder.done() || step.consumed == piece.size());
    begin = end;
  }
  result.done = decoder.done();
  return result;
}

void check_chunked_anew(const std::string& payload, std::size_t chunk) {
  std::string bytes;
  for (std::size_t at = 0; at < payload.size(); at += chunk) {
    const std::string_view part = std::string_view(payload).substr(at, chunk);
    write_chunk_size(part.size(), bytes);
    bytes.append(part).append(chunk_end(part.size(), false));
  }
  bytes += chunk_end(0, true);
  const Decoded again = decode(BodyDecoder(Framing::chunked, 0, 0), bytes, {bytes.size()});
  FUZZ_REQUIRE(again.done && again.payload == payload && again.consumed == bytes.size());
}

/// Removes the characters that `fits` accepts from the front. False: there is none.
template <class Fits>
bool skip(std::string_view& text, Fits fits) {
  const auto end = std::find_if_not(text.begin(), text.end(), fits);
  const bool any = end != text.begin();
  text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  return any;
}

bool skip(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

bool skip_token(std::string_view& text) {
  return skip(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

/// Up to the second quote; the first has been taken.
bool skip_quoted(std::string_view& text) {
  while (!text.empty()) {
    if (skip(text, '"')) return true;
    skip(text, '\\');
    if (text.empty() || (text.front() >= 0 && text.front() < ' ' && text.front() != '\t') || text.front() == 0x7f)
      break;
    text.remove_prefix(1);
  }
  return false;
}

/// RFC 9112, section 7.1.1, read from a whole line.
bool are_extensions(std::string_view line) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!line.empty()) {
    skip(line, blank);
    if (!skip(line, ';')) return false;
    skip(line, blank);
    if (!skip_token(line)) return false;
    std::string_view value = line;
    skip(value, blank);
    if (!skip(value, '=')) continue;
    skip(value, blank);
    if (!(skip(value, '"') ? skip_quoted(value) : skip_token(value))) return false;
    line = value;
  }
  return true;
}

/// The chunks of a complete body.
void check_chunks(std::string_view bytes, std::string_view payload) {
  for (;;) {
    const std::size_t end = bytes.find("\r\n");
    FUZZ_REQUIRE(end != std::string_view::npos);
    const std::string_view line = bytes.substr(0, end);
    const std::size_t digits = std::min(line.find_first_not_of("0123456789abcdefABCDEF"), line.size());
    FUZZ_REQUIRE(digits > 0 && are_extensions(line.substr(digits)));
    const std::size_t size = std::stoull(std::string(line.substr(0, digits)), nullptr, 16);
    bytes.remove_prefix(end + 2);
    if (size == 0) break;
    FUZZ_REQUIRE(payload.starts_with(bytes.substr(0, size)) && bytes.substr(size).starts_with("\r\n"));
    bytes.remove_prefix(size + 2);
    payload.remove_prefix(size);
  }
  FUZZ_REQUIRE(payload.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::uint64_t limit = (data[0] & 8u) != 0 ? 20 : 0;
  // Mostly chunks: the other framings have little to find.
  Framing framing = Framing::chunked;
  if ((data[0] & 7u) == 6) framing = Framing::length;
  if ((data[0] & 7u) == 7) framing = Framing::until_close;
  const BodyDecoder decoder(framing, data[0] >> 4, limit);

  const Decoded whole = decode(decoder, bytes, {bytes.size()});
  if (limit != 0) FUZZ_REQUIRE(whole.payload.size() <= limit);
  if (!bytes.empty()) FUZZ_REQUIRE(whole == decode(decoder, bytes, {data[1] % bytes.size(), bytes.size()}));
  if (bytes.size() <= kSplitEverywhereMax && !bytes.empty()) {
    std::vector<std::size_t> every;
    for (std::size_t end = 1; end <= bytes.size(); ++end) every.push_back(end);
    FUZZ_REQUIRE(whole == decode(decoder, bytes, every));
  }
  if (whole.done && framing == Framing::chunked) {
    check_chunks(std::string_view(bytes).substr(0, whole.consumed), whole.payload);
  }
  if (whole.done) check_chunked_anew(whole.payload, std::max<std::size_t>(data[1], 1));
  return 0;
}
