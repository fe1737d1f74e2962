#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/http1/body_decoder.hpp"
#include "tests/unit/http1/rows.hpp"

using namespace std::string_literals;
using namespace spillway::http;
using rows::times;

namespace {

constexpr int kDone = 0;
constexpr int kMore = -1;  ///< the body is not complete yet

struct BodyRow {
  std::string rule;
  std::string bytes;
  int verdict = kDone;
  std::string payload = {};
  std::string surplus = {};
  Framing framing = Framing::chunked;
  std::uint64_t length = 0;
  std::uint64_t limit = 0;
};

struct Result {
  int verdict = kMore;
  std::string rule;
  std::string payload;
  std::size_t consumed = 0;
  std::uint64_t remaining = 0;
  bool complete_at_eof = false;
  bool sane = true;  ///< every step stayed within its buffer
  friend bool operator==(const Result&, const Result&) = default;
};

/// Decodes the bytes in pieces that end at the given offsets. Each piece has a buffer of exactly its size, so that a
/// sanitizer finds an access beyond it.
Result decode(const BodyRow& row, const std::vector<std::size_t>& ends) {
  BodyDecoder decoder(row.framing, row.length, row.limit);
  Result result;
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    std::vector<char> piece(row.bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                            row.bytes.begin() + static_cast<std::ptrdiff_t>(end));
    const auto step = decoder.decode(piece.data(), piece.size());
    result.sane = result.sane && step.payload <= step.consumed && step.consumed <= piece.size();
    if (!result.sane) return result;
    result.payload.append(piece.data(), step.payload);
    result.consumed += step.consumed;
    if (step.violation) {
      result.verdict = step.violation.status;
      result.rule = step.violation.rule;
      return result;
    }
    if (decoder.done()) break;
    result.sane = step.consumed == piece.size();
    begin = end;
  }
  if (decoder.done()) result.verdict = kDone;
  result.remaining = decoder.remaining();
  result.complete_at_eof = decoder.complete_at_eof();
  return result;
}

void run_bodies(const std::vector<BodyRow>& table) {
  for (const BodyRow& row : table) {
    CAPTURE(row.rule);
    CAPTURE(row.bytes.substr(0, 200));
    const std::size_t size = row.bytes.size();
    const Result whole = decode(row, {size});
    CAPTURE(whole.rule);
    CHECK(whole.sane);
    CHECK(whole.verdict == row.verdict);
    CHECK(whole.payload == row.payload);
    if (row.verdict == kDone) CHECK(row.bytes.substr(whole.consumed) == row.surplus);
    std::vector<std::size_t> every;
    std::size_t different = 0;
    for (std::size_t at = 1; at <= size; ++at) {
      every.push_back(at);
      if (decode(row, {at, size}) != whole) ++different;
    }
    CHECK_MESSAGE(different == 0, "result changes with the place of a split");
    if (size > 0) CHECK_MESSAGE(decode(row, every) == whole, "result changes byte by byte");
  }
}

}  // namespace

TEST_CASE("chunks are decoded to their payload") {
  run_bodies({
      {"9112 7.1: empty body", "0\r\n\r\n"},
      {"9112 7.1: one chunk", "5\r\nhello\r\n0\r\n\r\n", kDone, "hello"},
      {"9112 7.1: two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", kDone, "hello world"},
      {"9112 7.1: chunks of one byte", "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n", kDone, "abc"},
      {"9112 7.1: what follows is surplus", "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1", kDone, "a", "GET / HTTP/1.1"},
      {"9112 7.1: upper-case digits", "A\r\n0123456789\r\n0\r\n\r\n", kDone, "0123456789"},
      {"9112 7.1: lower-case digits", "a\r\n0123456789\r\n0\r\n\r\n", kDone, "0123456789"},
      {"9112 7.1: two digits", "1f\r\n" + times(31, "x") + "\r\n0\r\n\r\n", kDone, times(31, "x")},
      {"9112 7.1: leading zeros", "0005\r\nhello\r\n000\r\n\r\n", kDone, "hello"},
      {"9112 7.1: 16 digits", "0000000000000005\r\nhello\r\n0\r\n\r\n", kDone, "hello"},
      {"9112 7.1: CRLF in a chunk is payload", "4\r\n\r\n\r\n\r\n0\r\n\r\n", kDone, "\r\n\r\n"},
      {"9112 7.1: what looks like the last chunk is payload", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", kDone,
       "\r\n0\r\n\r\n"},
      {"9112 7.1: NUL in a chunk is payload", "1\r\n\0\r\n0\r\n\r\n"s, kDone, std::string(1, '\0')},
      {"9112 7.1: nothing came", "", kMore},
      {"9112 7.1: half a size", "5", kMore},
      {"9112 7.1: a size", "5\r\n", kMore},
      {"9112 7.1: half a chunk", "5\r\nhel", kMore, "hel"},
      {"9112 7.1: a chunk", "5\r\nhello", kMore, "hello"},
      {"9112 7.1: a chunk and its CRLF", "5\r\nhello\r\n", kMore, "hello"},
      {"9112 7.1: last chunk without the empty line", "5\r\nhello\r\n0\r\n", kMore, "hello"},
      {"9112 7.1: half an empty line", "0\r\n\r", kMore},
  });
}

TEST_CASE("a chunk's size is hexadecimal digits and CRLF") {
  run_bodies({
      {"9112 7.1: empty", "\r\n\r\n", 400},
      {"9112 7.1: only an extension", ";a=b\r\n", 400},
      {"9112 7.1: negative", "-5\r\nhello\r\n", 400},
      {"9112 7.1: minus zero", "-0\r\n\r\n", 400},
      {"9112 7.1: plus", "+5\r\nhello\r\n", 400},
      {"9112 7.1: 0x", "0x5\r\nhello\r\n", 400},
      {"9112 7.1: not hexadecimal", "g\r\n", 400},
      {"9112 7.1: not hexadecimal behind a digit", "5g\r\n", 400},
      {"9112 7.1: underscore", "1_0\r\n", 400},
      {"9112 7.1: point", "5.0\r\n", 400},
      {"9112 7.1: comma", "5,5\r\n", 400},
      {"9112 7.1: quotes", "\"5\"\r\n", 400},
      {"9112 7.1: space in front", " 5\r\nhello\r\n", 400},
      {"9112 7.1: space behind", "5 \r\nhello\r\n", 400},
      {"9112 7.1: tab behind", "5\t\r\nhello\r\n", 400},
      {"9112 7.1.1: space behind, and no extension", "5 a\r\nhello\r\n", 400},
      {"9112 7.1: two numbers", "5 5\r\n", 400},
      {"9112 7.1: NUL", "5\0\r\n"s, 400},
      {"9112 7.1: vertical tab", "5\v\r\n", 400},
      {"9112 7.1: byte beyond ASCII", "\xb5\r\n", 400},
      {"9112 7.1: 17 digits", "00000000000000005\r\nhello\r\n", 400},
      {"9112 7.1: beyond 64 bits", "10000000000000005\r\nhello\r\n", 400},
      {"9112 7.1: zeros without end", times(100, "0"), 400},
      {"9112 7.1: ended by LF alone", "5\nhello\r\n0\r\n\r\n", 400},
      {"9112 7.1: ended by CR alone", "5\rhello\r\n0\r\n\r\n", 400},
      {"9112 7.1: ended by CR CR LF", "5\r\r\nhello\r\n0\r\n\r\n", 400},
      {"9112 7.1: ended by LF CR", "5\n\rhello\r\n", 400},
      {"9112 7.1: last one ended by LF alone", "0\n\r\n", 400},
      {"9112 7.1: the next request instead", "GET / HTTP/1.1\r\n", 400},
  });
}

TEST_CASE("a chunk is exactly as long as its size says") {
  run_bodies({
      {"9112 7.1: longer", "5\r\nhello!\r\n0\r\n\r\n", 400, "hello"},
      {"9112 7.1: shorter", "5\r\nhell\r\n0\r\n\r\n", 400, "hell\r"},
      {"9112 7.1: a byte in place of CR", "5\r\nhello!\n0\r\n\r\n", 400, "hello"},
      {"9112 7.1: a byte in place of LF", "5\r\nhello\r!0\r\n\r\n", 400, "hello"},
      {"9112 7.1: no CRLF behind", "5\r\nhello0\r\n\r\n", 400, "hello"},
      {"9112 7.1: LF behind", "5\r\nhello\n0\r\n\r\n", 400, "hello"},
      {"9112 7.1: CR behind", "5\r\nhello\r0\r\n\r\n", 400, "hello"},
      {"9112 7.1: two bytes that are not CRLF", "5\r\nhelloXX0\r\n\r\n", 400, "hello"},
      {"9112 7.1: LF CR behind", "5\r\nhello\n\r0\r\n\r\n", 400, "hello"},
      {"9112 7.1: CR CR LF behind", "5\r\nhello\r\r\n0\r\n\r\n", 400, "hello"},
      {"9112 7.1: an empty line more", "5\r\nhello\r\n\r\n0\r\n\r\n", 400, "hello"},
      {"9112 7.1: space behind", "5\r\nhello \r\n0\r\n\r\n", 400, "hello"},
  });
}

TEST_CASE("chunk extensions are dropped") {
  const auto of = [](std::string rule, std::string extensions) {
    return BodyRow{"9112 7.1.1: " + rule, "5" + extensions + "\r\nhello\r\n0" + extensions + "\r\n\r\n", kDone,
                   "hello"};
  };
  run_bodies({
      of("name", ";a"),
      of("name and value", ";a=b"),
      of("many", ";a=b;c;d=e"),
      of("value of any token character", ";!#$%&'*+-.^_`|~=!#$%&'*+-.^_`|~09azAZ"),
      of("quoted", ";a=\"b c\""),
      of("quoted and empty", ";a=\"\""),
      of("quoted, with what ends a token", ";a=\"; =,\t(b)\";c"),
      of("quoted, with a quote in it", ";a=\"b\\\"c\""),
      of("quoted, with a backslash in it", ";a=\"b\\\\\";c=d"),
      of("quoted, with bytes beyond ASCII", ";a=\"\xc3\xa9\\\xe9\""),
      of("white space before the first", " \t;a"),
      of("white space everywhere it may be", " ; a = b ;\tc\t=\t\"d\"\t; e"),
      of("white space behind a name and a value, before another", ";a ;b=c ;d=\"e\" ;f"),
  });
}

TEST_CASE("malformed chunk extensions are refused") {
  const auto of = [](std::string rule, const std::string& extensions) {
    return BodyRow{"9112 7.1.1: " + rule, "5" + extensions + "\r\nhello\r\n0\r\n\r\n", 400};
  };
  run_bodies({
      of("no name", ";"),
      of("no name but white space", "; "),
      of("no second name", ";a;"),
      of("no name between", ";;a"),
      of("value without a name", ";=b"),
      of("white space for a name", "; =b"),
      of("quoted name", ";\"a\""),
      of("no value", ";a="),
      of("no value but white space", ";a= "),
      of("no value before another", ";a=;b"),
      of("two equals signs", ";a==b"),
      of("a value of two tokens", ";a=b c"),
      of("a value of a value", ";a=b=c"),
      of("two names", ";a b"),
      of("comma", ";a,b"),
      of("bracket in a name", ";bad[=x"),
      of("bracket in a value", ";a=b]"),
      of("quote inside a token", ";a=b\"c\""),
      of("quoted, without end", ";a=\"b"),
      of("quoted, its end escaped", ";a=\"b\\\""),
      of("quoted, a token behind", ";a=\"b\"c"),
      of("quoted twice", ";a=\"b\"\"c\""),
      of("quoted, an equals sign behind", ";a=\"b\"=c"),
      of("quoted, a quote behind", ";a=\"b\" \"c\""),
      of("white space behind a name", ";a "),
      of("white space behind a value", ";a=b "),
      of("white space behind quotes", ";a=\"b\"\t"),
      of("white space behind the size", " "),
      of("NUL", ";\0"s),
      of("NUL in a name", ";a\0"s),
      of("NUL in quotes", ";a=\"\0\""s),
      of("NUL escaped", ";a=\"\\\0\""s),
      of("DEL in quotes", ";a=\"\x7f\""),
      of("byte beyond ASCII in a name", ";\xe9"),
      of("byte beyond ASCII in a value", ";a=\xe9"),
      of("bare LF inside", ";a\n"),
      of("bare CR inside", ";a\rb"),
      of("CR CR LF", ";a\r"),
      of("quotes do not hide a LF", ";a=\"\n\""),
      of("quotes do not hide a CRLF", ";a=\"\r\n\""),
      of("a backslash does not hide a CRLF", ";a=\"\\\r\n\""),
  });
}

TEST_CASE("chunk extensions are limited in size") {
  const std::string budget = ";" + times(256, "x");  // all extension bytes of a line
  const std::string chunk = "1" + budget + "\r\na\r\n";
  run_bodies({
      {"9112 7.1.1: 256 bytes", "5" + budget + "\r\nhello\r\n0\r\n\r\n", kDone, "hello"},
      {"9112 7.1.1: 257 bytes", "5" + budget + "x\r\nhello\r\n0\r\n\r\n", 400},
      {"9112 7.1.1: without end", "5;" + times(300, "x"), 400},
      {"9112 7.1.1: many without end", "5" + times(300, ";x"), 400},
      {"9112 7.1.1: white space without end", "5;" + times(300, " "), 400},
      {"9112 7.1.1: white space before the semicolon without end", "5" + times(300, " "), 400},
      {"9112 7.1.1: quotes without end", "5;a=\"" + times(300, "x"), 400},
      {"9112 7.1.1: much of them for little payload", times(17, chunk) + "0\r\n\r\n", 400, times(16, "a")},
      {"9112 7.1.1: as much for as much payload",
       times(17, "10" + budget + "\r\n" + times(16, "p") + "\r\n") + "0\r\n\r\n", kDone, times(272, "p")},
  });
}

TEST_CASE("trailers are checked and dropped") {
  run_bodies({
      {"9112 7.1.2: one", "0\r\nX: y\r\n\r\n", kDone},
      {"9112 7.1.2: two, then surplus", "0\r\nX: y\r\nZ:\r\n\r\nGET", kDone, "", "GET"},
      {"9112 7.1.2: white space around", "0\r\nX: \t y \t\r\n\r\n", kDone},
      {"9112 7.1.2: byte beyond ASCII in a value", "0\r\nX: \xe9\r\n\r\n", kDone},
      {"9112 7.1.2: long name", "0\r\n" + times(100, "n") + ": y\r\n\r\n", kDone},
      {"9110 6.5.1: Content-Length", "0\r\nContent-Length: 5\r\n\r\n", 400},
      {"9110 6.5.1: Content-Length in any case", "0\r\ncONTENT-lENGTH: 5\r\n\r\n", 400},
      {"9110 6.5.1: Transfer-Encoding", "0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"9110 6.5.1: Transfer-Encoding behind another", "0\r\nX: y\r\ntransfer-encoding: gzip\r\n\r\n", 400},
      {"9110 6.5.1: Host", "0\r\nHost: a\r\n\r\n", 400},
      {"9110 6.5.1: Authorization", "0\r\nAuthorization: a\r\n\r\n", 400},
      {"9110 6.5.1: the longest name", "0\r\nX-Client-Cert-Fingerprint: a\r\n\r\n", 400},
      {"9110 6.5.1: one that begins like it", "0\r\nX-Client-Cert-Fingerprints: a\r\n\r\n", kDone},
      {"9110 6.5.1: one that begins alike", "0\r\nTransfer-Encodings: y\r\nHostX: y\r\n\r\n", kDone},
      {"9110 6.5.1: one that ends alike", "0\r\nX-Host: y\r\n\r\n", kDone},
      {"9112 5: no colon", "0\r\nX\r\n\r\n", 400},
      {"9112 5: empty name", "0\r\n: y\r\n\r\n", 400},
      {"9112 5.1: space before the colon", "0\r\nX : y\r\n\r\n", 400},
      {"9112 5.1: space in the name", "0\r\nX y: z\r\n\r\n", 400},
      {"9112 5.2: fold", "0\r\nX: y\r\n z\r\n\r\n", 400},
      {"9112 5.2: starts with a space", "0\r\n X: y\r\n\r\n", 400},
      {"9112 5.2: starts with a tab", "0\r\n\tX: y\r\n\r\n", 400},
      {"9110 5.6.2: byte beyond ASCII in a name", "0\r\nX\xe9: y\r\n\r\n", 400},
      {"9110 5.6.2: parenthesis in a name", "0\r\nX(: y\r\n\r\n", 400},
      {"9110 5.5: NUL in a value", "0\r\nX: \0\r\n\r\n"s, 400},
      {"9110 5.5: DEL in a value", "0\r\nX: \x7f\r\n\r\n", 400},
      {"9110 5.5: ESC in a value", "0\r\nX: \x1b\r\n\r\n", 400},
      {"9112 2.2: bare LF", "0\r\nX: y\n\r\n", 400},
      {"9112 2.2: bare CR", "0\r\nX: y\rZ: a\r\n\r\n", 400},
      {"9112 2.2: a byte in place of LF", "0\r\nX: y\r!Z: a\r\n\r\n", 400},
      {"9112 2.2: a byte in place of the last LF", "0\r\n\r!", 400},
      {"9112 2.2: CR CR LF", "0\r\nX: y\r\r\n\r\n", 400},
      {"9112 2.2: bare LF for the empty line", "0\r\n\n", 400},
      {"9112 2.2: CR CR for the empty line", "0\r\n\r\r\n", 400},
      {"9112 7.1.2: the next request instead", "0\r\nGET / HTTP/1.1\r\n", 400},
      {"9112 7.1.2: 4096 bytes in all", "0\r\nX: " + times(4096 - 7, "y") + "\r\n\r\n", kDone},
      {"9112 7.1.2: one more", "0\r\nX: " + times(4096 - 6, "y") + "\r\n\r\n", 400},
      {"9112 7.1.2: without end", "0\r\n" + times(1400, "a:\r\n"), 400},
  });
}

TEST_CASE("a body of known length ends there") {
  const auto of = [](std::string rule, std::uint64_t length, std::string bytes, int verdict, std::string payload,
                     std::string surplus) {
    return BodyRow{rule, bytes, verdict, payload, surplus, Framing::length, length};
  };
  run_bodies({
      of("9112 6.2: exactly", 5, "hello", kDone, "hello", ""),
      of("9112 6.2: more came", 5, "helloGET", kDone, "hello", "GET"),
      of("9112 6.2: less came", 5, "hell", kMore, "hell", ""),
      of("9112 6.2: nothing came", 5, "", kMore, "", ""),
      of("9112 6.2: zero", 0, "GET", kDone, "", "GET"),
      of("9112 6.2: chunks mean nothing here", 5, "0\r\n\r\n", kDone, "0\r\n\r\n", ""),
      {"9112 6.3: no body", "GET", kDone, "", "GET", Framing::none},
      {"9112 6.3: until the connection closes", "hello", kMore, "hello", "", Framing::until_close},
  });
}

TEST_CASE("a body larger than its limit is refused as soon as that is known") {
  const auto chunked = [](std::string rule, std::uint64_t limit, std::string bytes, int verdict, std::string payload) {
    return BodyRow{rule, bytes, verdict, payload, "", Framing::chunked, 0, limit};
  };
  run_bodies({
      chunked("9110 15.5.14: exactly", 5, "5\r\nhello\r\n0\r\n\r\n", kDone, "hello"),
      chunked("9110 15.5.14: exactly, in two chunks", 5, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", kDone, "hello"),
      chunked("9110 15.5.14: announced", 5, "6\r\n", 413, ""),
      chunked("9110 15.5.14: announced by a later chunk", 5, "5\r\nhello\r\n1\r\n", 413, "hello"),
      chunked("9110 15.5.14: framing does not count", 1, "1;a=b\r\na\r\n0\r\nX: y\r\n\r\n", kDone, "a"),
      chunked("9110 15.5.14: the largest chunk there is", 5, "ffffffffffffffff\r\n", 413, ""),
      chunked("9110 15.5.14: sizes that wrap around", 0, "1\r\na\r\nffffffffffffffff\r\n", 413, "a"),
      {"9110 15.5.14: length", "x", 413, "", "", Framing::length, 6, 5},
      {"9110 15.5.14: length that fits", "hello", kDone, "hello", "", Framing::length, 5, 5},
      {"9110 15.5.14: until the connection closes", "hello!", 413, "hello", "", Framing::until_close, 0, 5},
      {"9110 15.5.14: and fits", "hello", kMore, "hello", "", Framing::until_close, 0, 5},
  });
}

TEST_CASE("a decoder knows how much is left, and whether the body is complete at end of file") {
  std::string text = "hello";
  BodyDecoder length(Framing::length, 8, 0);
  CHECK(length.remaining() == 8);
  CHECK_FALSE(length.complete_at_eof());
  length.decode(text.data(), text.size());
  CHECK(length.remaining() == 3);
  CHECK_FALSE(length.complete_at_eof());
  length.decode(text.data(), text.size());
  CHECK(length.remaining() == 0);
  CHECK(length.complete_at_eof());

  BodyDecoder until_close(Framing::until_close, 0, 0);
  until_close.decode(text.data(), text.size());
  CHECK_FALSE(until_close.done());
  CHECK(until_close.complete_at_eof());

  std::string chunks = "5\r\nhello\r\n0\r\n";
  BodyDecoder chunked(Framing::chunked, 0, 0);
  chunked.decode(chunks.data(), chunks.size());
  CHECK_FALSE(chunked.complete_at_eof());
  CHECK(chunked.remaining() == 0);
  CHECK(BodyDecoder().done());
  CHECK(BodyDecoder().complete_at_eof());
}
