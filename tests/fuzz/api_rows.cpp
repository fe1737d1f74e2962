// Values of a row in PostgreSQL's binary format. Each is refused, or it is within its bounds and inside its bytes, and
// can be written as JSON. Input: a byte that chooses the kind, then the bytes of the value.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "api/db/binary_format.hpp"
#include "api/endpoints/date.hpp"
#include "proxy/text/json.hpp"
#include "proxy/text/utf8.hpp"
#include "tests/fuzz/require.hpp"

using namespace api;
using namespace api::db;

namespace {

std::string big_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}

/// Text lies within the bytes it was read from, and reads back from JSON.
void require_text(std::string_view text, std::string_view bytes) {
  const std::less_equal<const char*> before;
  FUZZ_REQUIRE(before(bytes.data(), text.data()));
  FUZZ_REQUIRE(before(text.data() + text.size(), bytes.data() + bytes.size()));
  FUZZ_REQUIRE(text::valid_utf8(text));
  std::string out;
  text::JsonWriter(out).begin_array().value(text).end_array();
  boost::system::error_code error;
  const boost::json::value back = boost::json::parse(out, error);
  FUZZ_REQUIRE(!error && std::string_view(back.at(0).as_string()) == text);
}

/// Written again, they are the same bytes except for the flag and the lower bound, which the reader ignores.
void require_texts(const std::vector<std::string_view>& texts, std::string_view bytes) {
  std::size_t size = 12;
  if (bytes.size() > size) {
    FUZZ_REQUIRE(bytes.substr(12, 4) == big_endian(texts.size(), 4));
    size = 20;
  }
  for (const std::string_view text : texts) {
    require_text(text, bytes);
    FUZZ_REQUIRE(bytes.substr(size, 4) == big_endian(text.size(), 4));
    size += 4;
    FUZZ_REQUIRE(bytes.data() + size == text.data());
    size += text.size();
  }
  FUZZ_REQUIRE(size == bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // A copy of exactly its size, so that the sanitizer finds a read beyond it.
  const std::vector<char> copy(data + 1, data + size);
  const std::string_view bytes(copy.data(), copy.size());
  constexpr Kind kKinds[] = {Kind::boolean, Kind::int4, Kind::int8, Kind::text, Kind::date, Kind::texts};
  const Kind kind = kKinds[data[0] % std::size(kKinds)];
  const bool good = fault_of(kind, bytes).empty();
  FUZZ_REQUIRE(!name_of(kind).empty());
  switch (kind) {
    case Kind::boolean:
      FUZZ_REQUIRE(decode_bool(bytes).has_value() == good);
      if (good) FUZZ_REQUIRE(big_endian(*decode_bool(bytes), 1) == bytes);
      break;
    case Kind::int4:
      FUZZ_REQUIRE(decode_int4(bytes).has_value() == good);
      if (good) FUZZ_REQUIRE(big_endian(static_cast<std::uint32_t>(*decode_int4(bytes)), 4) == bytes);
      break;
    case Kind::int8:
      FUZZ_REQUIRE(decode_int8(bytes).has_value() == good);
      if (good) FUZZ_REQUIRE(big_endian(static_cast<std::uint64_t>(*decode_int8(bytes)), 8) == bytes);
      break;
    case Kind::text:
      FUZZ_REQUIRE(decode_text(bytes).has_value() == good);
      if (good && !bytes.empty()) require_text(*decode_text(bytes), bytes);
      break;
    case Kind::date:
      FUZZ_REQUIRE(decode_date(bytes).has_value() == good);
      if (good) FUZZ_REQUIRE(parse_date(to_text(*decode_date(bytes))) == decode_date(bytes));
      break;
    case Kind::texts:
      FUZZ_REQUIRE(decode_texts(bytes).has_value() == good);
      if (good) require_texts(*decode_texts(bytes), bytes);
      if (good) FUZZ_REQUIRE(decode_checked_texts(bytes) == *decode_texts(bytes));
      break;
  }
  return 0;
}
