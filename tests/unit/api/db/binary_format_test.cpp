// Values in PostgreSQL's binary format: invalid bytes are reported and never read.

#include "api/db/binary_format.hpp"

#include <string>

#include <doctest/doctest.h>

namespace api::db {
namespace {

std::string int4(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string date(Day day) {
  return int4(static_cast<std::uint32_t>(day - kPostgresEpoch));
}

std::string element(const std::string& text) {
  return int4(static_cast<std::uint32_t>(text.size())) + text;
}

const std::string kNull = int4(0xFFFFFFFF);

/// One dimension.
std::string array(std::uint32_t count, const std::string& elements, TypeId type = kText) {
  return int4(1) + int4(0) + int4(type) + int4(count) + int4(1) + elements;
}

std::string_view fault_of_texts(const std::string& bytes) {
  const std::string_view fault = fault_of(Kind::texts, bytes);
  CHECK(decode_texts(bytes).has_value() == fault.empty());
  if (fault.empty()) CHECK(decode_checked_texts(bytes) == *decode_texts(bytes));
  return fault;
}

TEST_CASE("Numbers are big-endian and have an exact size") {
  CHECK(decode_int4(std::string("\0\0\1\2", 4)) == 258);
  CHECK(decode_int4("\xff\xff\xff\xfe") == -2);
  CHECK(decode_int8(std::string("\0\0\0\1\0\0\0\2", 8)) == 4'294'967'298);
  CHECK(decode_int8("\xff\xff\xff\xff\xff\xff\xff\xff") == -1);
  CHECK(decode_bool("\1") == true);
  CHECK(decode_bool(std::string(1, '\0')) == false);
  for (std::size_t size : {0, 1, 2, 3, 5, 7, 8, 9, 16}) {
    const std::string bytes(size, 'x');
    CAPTURE(size);
    CHECK_FALSE(decode_int4(bytes));
    CHECK(fault_of(Kind::int4, bytes) == "does not have 4 bytes");
    CHECK(decode_int8(bytes).has_value() == (size == 8));
    CHECK_FALSE(decode_bool(bytes));
  }
}

TEST_CASE("Dates: only those that RFC 3339 can write") {
  CHECK(decode_date(date(0)) == 0);
  CHECK(decode_date(date(kFirstDay)) == kFirstDay);
  CHECK(decode_date(date(kLastDay)) == kLastDay);
  const std::string infinity = int4(0x7FFFFFFF), minus_infinity = int4(0x80000000);
  for (const std::string& bytes : {date(kFirstDay - 1), date(kLastDay + 1), infinity, minus_infinity, std::string(),
                                   std::string("abc"), std::string(8, '\0')}) {
    CHECK_FALSE(decode_date(bytes));
    CHECK(fault_of(Kind::date, bytes) == "is no date from 0001-01-01 to 9999-12-31");
  }
}

TEST_CASE("Text is UTF-8") {
  CHECK(decode_text("caf\u00e9") == "caf\u00e9");
  CHECK(fault_of(Kind::text, "") == "");
  CHECK(fault_of(Kind::text, "caf\xe9") == "is not valid UTF-8");
  CHECK_FALSE(decode_text("\xff"));
}

TEST_CASE("Lists of text: text or varchar, with any lower bound") {
  using Texts = std::vector<std::string_view>;
  CHECK(decode_texts(int4(0) + int4(0) + int4(kText)) == Texts{});
  CHECK(decode_texts(array(0, "")) == Texts{});
  CHECK(decode_texts(array(2, element("Law") + element(""))) == Texts{"Law", ""});
  CHECK(decode_texts(array(1, element("Law"), kVarchar)) == Texts{"Law"});
  CHECK(decode_texts(int4(1) + int4(1) + int4(kText) + int4(1) + int4(7) + element("Law")) == Texts{"Law"});
  CHECK(decode_checked_texts(array(2, element("Law") + element(""))) == Texts{"Law", ""});
  CHECK(decode_checked_texts("") == Texts{});
}

TEST_CASE("Lists of text: every malformed array is refused") {
  CHECK(fault_of_texts(array(2, element("Law") + kNull)) == "has a NULL element");
  CHECK(fault_of_texts(int4(2) + int4(0) + int4(kText) + int4(1) + int4(1) + int4(1) + int4(1) + element("Law")) ==
        "has more than one dimension");
  CHECK(fault_of_texts(array(1, element("Law"), kInt4)) == "is no array of text");
  CHECK(fault_of_texts(array(1, element("\xff"))) == "is not valid UTF-8");
  for (const std::string& bytes : {
           array(2, element("Law")),                        // fewer than announced
           array(1, element("Law") + element("Music")),     // more
           array(0xFFFFFFFF, element("Law")),               // a negative number of them
           array(0x7FFFFFFF, ""),                           // no memory is taken for what is not there
           array(1, int4(4) + "Law"),                       // an element beyond the end
           array(1, int4(0xFFFFFFFE) + "Law"),              // of a negative length
           array(1, int4(0x7FFFFFFF) + "Law"),              // or of a huge one
           int4(0) + int4(0) + int4(kText) + element("x"),  // nothing, and then something
       }) {
    CHECK(fault_of_texts(bytes) == "is no well-formed array");
  }
  const std::string whole = array(2, element("Law") + element("Music"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(fault_of_texts(whole.substr(0, size)) == "is no well-formed array");
  }
}

TEST_CASE("A column fits by type, size and format") {
  constexpr TypeId kTextArray = 1009, kTimestamptz = 1184, kNumeric = 1700;
  CHECK(fits(Kind::int4, {kInt4, 4, true}));
  CHECK(fits(Kind::int8, {kInt8, 8, true}));
  CHECK(fits(Kind::date, {kDate, 4, true}));
  CHECK(fits(Kind::boolean, {kBool, 1, true}));
  CHECK(fits(Kind::text, {kText, -1, true}));
  CHECK(fits(Kind::text, {kVarchar, -1, true}));
  CHECK(fits(Kind::texts, {kTextArray, -1, true}));
  CHECK_FALSE(fits(Kind::int4, {kInt8, 8, true}));
  CHECK_FALSE(fits(Kind::int8, {kInt4, 4, true}));
  CHECK_FALSE(fits(Kind::int8, {kTimestamptz, 8, true}));
  CHECK_FALSE(fits(Kind::int4, {kNumeric, -1, true}));
  CHECK_FALSE(fits(Kind::date, {kTimestamptz, 8, true}));
  CHECK_FALSE(fits(Kind::text, {kTextArray, -1, true}));
  CHECK_FALSE(fits(Kind::texts, {kText, -1, true}));
  CHECK_FALSE(fits(Kind::int4, {kInt4, 8, true}));
  CHECK_FALSE(fits(Kind::int4, {kInt4, 4, false}));
}

}  // namespace
}  // namespace api::db
