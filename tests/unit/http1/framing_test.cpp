#include <doctest/doctest.h>

#include "tests/unit/http1/rows.hpp"

using namespace std::string_literals;
using namespace spillway::http::rows;

namespace {

std::string length(const std::string& value) {
  return post("Content-Length: " + value);
}
std::string coding(const std::string& value) {
  return post("Transfer-Encoding: " + value);
}

}  // namespace

TEST_CASE("Content-Length is one plain decimal number") {
  run_requests({
      {"9110 8.6: none", post(), kSound, "body=none", "Content-Length"},
      {"9110 8.6: zero", length("0"), kSound, "Content-Length: 0\r\n"},
      {"9110 8.6: some", length("5"), kSound, "Content-Length: 5\r\n"},
      {"9110 8.6: as a fact", length("5"), kSound, "body=5;"},
      {"9110 8.6: with GET", get("Content-Length: 5"), kSound, "Content-Length: 5\r\n"},
      {"9110 8.6: with DELETE", lines("DELETE / HTTP/1.1", "Host: a", "Content-Length: 5"), kSound, "body=5;"},
      {"9110 8.6: with OPTIONS *", lines("OPTIONS * HTTP/1.1", "Host: a", "Content-Length: 5"), kSound, "body=5;"},
      {"9110 8.6: in 1.0", lines("POST / HTTP/1.0", "Content-Length: 5"), kSound, "Content-Length: 5\r\n"},
      {"9110 8.6: leading zeros are not passed on", length("005"), kSound, "Content-Length: 5\r\n"},
      {"9110 8.6: white space around", length(" \t5 "), kSound, "Content-Length: 5\r\n"},
      {"9110 5.1: name in any case", post("cOnTeNt-LeNgTh: 5"), kSound, "Content-Length: 5\r\n",
       "\r\nContent-Length: 5\r\nContent-Length"},
      {"9110 5.5: tab behind, which llhttp does not forgive", length("5\t"), 400},
      {"9110 8.6: 19 digits", length("9223372036854775807"), kSound, "body=9223372036854775807;"},
      {"9110 8.6: 20 digits", length("18446744073709551615"), 400},
      {"9110 8.6: one more than 64 bits hold", length("18446744073709551616"), 400},
      {"9110 8.6: wraps to 5", length("18446744073709551621"), 400},
      {"9110 8.6: endless", length(times(400, "9")), 400},
      {"9110 8.6: endless zeros", length(times(400, "0") + "5"), 400},
      {"9110 8.6: empty", length(""), 400},
      {"9110 8.6: white space", length(" \t"), 400},
      {"9110 8.6: negative", length("-5"), 400},
      {"9110 8.6: minus zero", length("-0"), 400},
      {"9110 8.6: plus", length("+5"), 400},
      {"9110 8.6: hexadecimal", length("0x5"), 400},
      {"9110 8.6: hexadecimal digit", length("a"), 400},
      {"9110 8.6: exponent", length("5e0"), 400},
      {"9110 8.6: fraction", length("5.0"), 400},
      {"9110 8.6: point at the end", length("5."), 400},
      {"9110 8.6: underscore", length("1_0"), 400},
      {"9110 8.6: thousands", length("1,000"), 400},
      {"9110 8.6: two words", length("5 5"), 400},
      {"9110 8.6: tab inside", length("5\t5"), 400},
      {"9110 8.6: letter behind", length("5a"), 400},
      {"9110 8.6: letter in front", length("a5"), 400},
      {"9110 8.6: quotes", length("\"5\""), 400},
      {"9110 8.6: semicolon", length("5;"), 400},
      {"9110 8.6: NUL behind", length("5\0"s), 400},
      {"9110 8.6: vertical tab behind", length("5\v"), 400},
      {"9110 8.6: digits of another script", length("\xd9\xa5"), 400},
      {"9110 8.6: byte beyond ASCII", length("5\xa0"), 400},
      {"9110 8.6: comma behind", length("5,"), 400},
      {"9110 8.6: comma in front", length(",5"), 400},
  });
}

TEST_CASE("a second Content-Length is refused, even one that agrees") {
  run_requests({
      {"9112 6.3: two that differ", post("Content-Length: 5", "Content-Length: 6"), 400},
      {"9112 6.3: two alike", post("Content-Length: 5", "Content-Length: 5"), 400},
      {"9112 6.3: two in different case", post("Content-Length: 5", "content-length: 6"), 400},
      {"9112 6.3: two with others between", post("Content-Length: 5", "X: y", "Content-Length: 6"), 400},
      {"9112 6.3: second is empty", post("Content-Length: 5", "Content-Length:"), 400},
      {"9112 6.3: first is empty", post("Content-Length:", "Content-Length: 5"), 400},
      {"9112 6.3: zero and another", post("Content-Length: 0", "Content-Length: 44"), 400},
      {"9112 6.3: list that differs", post("Content-Length: 5, 6"), 400},
      {"9112 6.3: list that agrees", post("Content-Length: 5, 5"), 400},
      {"9112 6.3: two in 1.0", lines("POST / HTTP/1.0", "Content-Length: 5", "Content-Length: 6"), 400},
      {"9112 5.1: space before the colon", post("Content-Length : 5"), 400},
      {"9112 5.1: tab before the colon", post("Content-Length\t: 5"), 400},
      {"9112 5.1: space before the colon of the second", post("Content-Length: 5", "Content-Length : 6"), 400},
      {"9112 5.2: folded", post("Content-Length:", " 5"), 400},
      {"9112 5.2: folded digits", post("Content-Length: 5", " 5"), 400},
      {"9112 5.2: hidden in a fold", post("X: y", " Content-Length: 5"), 400},
      {"9112 2.2: hidden behind a bare CR", post("X: y\rContent-Length: 5"), 400},
      {"9112 2.2: hidden behind a bare LF", post("X: y\nContent-Length: 5"), 400},
      {"9110 5.1: NUL in the name", post("Content\0-Length: 5"s), 400},
      {"9110 5.1: underscore for the hyphen", post("Content_Length: 5"), 400},
      {"9110 5.1: another field that begins alike", post("Content-Length-X: 5"), kSound, "Content-Length-X: 5\r\n"},
      {"9110 5.1: another field that ends alike", post("X-Content-Length: 5"), kSound, "body=none"},
  });
}

TEST_CASE("Transfer-Encoding is exactly chunked, and never beside Content-Length") {
  run_requests({
      {"9112 7.1: chunked", coding("chunked"), kSound, "Transfer-Encoding: chunked\r\n"},
      {"9112 7.1: as a fact", coding("chunked"), kSound, "body=chunked"},
      {"9112 7: in any case", coding("cHuNkEd"), kSound, "Transfer-Encoding: chunked\r\n"},
      {"9112 7: white space around", coding(" \tchunked\t "), kSound, "Transfer-Encoding: chunked\r\n"},
      {"9112 7: no white space", post("Transfer-Encoding:chunked"), kSound, "Transfer-Encoding: chunked\r\n"},
      {"9112 7: with GET", get("Transfer-Encoding: chunked"), kSound, "body=chunked"},
      {"9112 7: gzip", coding("gzip"), 501},
      {"9112 7: compress", coding("compress"), 501},
      {"9112 7: deflate", coding("deflate"), 501},
      {"9112 7: unknown", coding("cow"), 501},
      {"9112 7: identity, as RFC 2616 had it", coding("identity"), 501},
      {"9112 7: x-chunked", coding("xchunked"), 501},
      {"9112 7: parameter", coding("chunked;q=1"), 501},
      {"9112 7: parameter after a space", coding("chunked ; q=1"), 501},
      {"9112 7: quotes", coding("\"chunked\""), 501},
      {"9112 7: semicolon", coding("chunked;"), 501},
      {"9112 7: two words", coding("chunked x"), 501},
      {"9112 7: two words the other way", coding("x chunked"), 501},
      {"9112 7: a letter more", coding("chunkedd"), 501},
      {"9112 7: a letter less", coding("chunke"), 501},
      {"9112 6.1: gzip, chunked", coding("gzip, chunked"), 501},
      {"9112 6.1: identity, chunked", coding("identity, chunked"), 501},
      {"9112 6.1: chunked is not last", coding("chunked, gzip"), 501},
      {"9112 6.1: chunked is not last, as identity", coding("chunked, identity"), 501},
      {"9112 6.1: chunked twice", coding("chunked, chunked"), 501},
      {"9110 5.6.1: comma in front", coding(",chunked"), 501},
      {"9110 5.6.1: comma and space in front", coding(", chunked"), 501},
      {"9110 5.6.1: comma behind", coding("chunked,"), 501},
      {"9110 5.6.1: only a comma", coding(","), 501},
      {"9112 6.1: empty", coding(""), 400},
      {"9112 6.1: white space", coding(" \t"), 400},
      {"9112 6.1: two fields", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 501},
      {"9112 6.1: two fields, first gzip", post("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), 501},
      {"9112 6.1: two fields, second gzip", post("Transfer-Encoding: chunked", "Transfer-Encoding: gzip"), 501},
      {"9112 6.1: two fields, second identity", post("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), 501},
      {"9112 6.1: two fields, second empty", post("Transfer-Encoding: chunked", "Transfer-Encoding:"), 501},
      {"9112 6.1: two fields, first empty", post("Transfer-Encoding:", "Transfer-Encoding: chunked"), 501},
      {"9112 6.1: in 1.0", lines("POST / HTTP/1.0", "Host: a", "Transfer-Encoding: chunked"), 400},
      {"9112 6.1: in 1.0, without Host", lines("POST / HTTP/1.0", "Transfer-Encoding: chunked"), 400},
      {"9112 6.1: in 1.0, kept alive", lines("POST / HTTP/1.0", "Connection: keep-alive", "Transfer-Encoding: chunked"),
       400},
      {"9112 6.1: gzip in 1.0", lines("POST / HTTP/1.0", "Transfer-Encoding: gzip"), 400},
      {"9112 6.3: before Content-Length", post("Transfer-Encoding: chunked", "Content-Length: 5"), 400},
      {"9112 6.3: behind Content-Length", post("Content-Length: 5", "Transfer-Encoding: chunked"), 400},
      {"9112 6.3: with an empty Content-Length", post("Content-Length:", "Transfer-Encoding: chunked"), 400},
      {"9112 6.3: with a length of zero", post("Content-Length: 0", "Transfer-Encoding: chunked"), 400},
      {"9112 6.3: gzip with Content-Length", post("Transfer-Encoding: gzip", "Content-Length: 5"), 400},
      {"9112 6.3: empty with Content-Length", post("Transfer-Encoding:", "Content-Length: 5"), 400},
      {"9112 6.3: identity with Content-Length", post("Content-Length: 5", "Transfer-Encoding: identity"), 400},
      {"9112 6.3: in 1.0 with Content-Length",
       lines("POST / HTTP/1.0", "Content-Length: 5", "Transfer-Encoding: chunked"), 400},
  });
}

TEST_CASE("a disguised Transfer-Encoding is refused") {
  run_requests({
      {"9112 5.1: space before the colon", post("Transfer-Encoding : chunked"), 400},
      {"9112 5.1: tab before the colon", post("Transfer-Encoding\t: chunked"), 400},
      {"9112 5.1: space in the name", post("Transfer Encoding: chunked"), 400},
      {"9112 5.2: folded", post("Transfer-Encoding:", " chunked"), 400},
      {"9112 5.2: folded with a tab", post("Transfer-Encoding:", "\tchunked"), 400},
      {"9112 5.2: something folded behind", post("Transfer-Encoding: chunked", " , identity"), 400},
      {"9112 5.2: hidden in a fold", post("X: y", " Transfer-Encoding: chunked"), 400},
      {"9112 5: first line starts with a space", lines("POST / HTTP/1.1", " Transfer-Encoding: chunked", "Host: a"),
       400},
      {"9112 5: first line starts with a tab", lines("POST / HTTP/1.1", "\tTransfer-Encoding: chunked", "Host: a"),
       400},
      {"9112 2.2: behind a bare LF", post("X: y\nTransfer-Encoding: chunked"), 400},
      {"9112 2.2: behind a bare CR", post("X: y\rTransfer-Encoding: chunked"), 400},
      {"9112 2.2: behind two CRs", "POST / HTTP/1.1\r\nHost: a\r\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"9110 5.5: vertical tab before the value", coding("\vchunked"), 400},
      {"9110 5.5: form feed before the value", coding("\fchunked"), 400},
      {"9110 5.5: vertical tab behind the value", coding("chunked\v"), 400},
      {"9110 5.5: NUL before the value", coding("\0chunked"s), 400},
      {"9110 5.5: NUL behind the value", coding("chunked\0"s), 400},
      {"9110 5.5: CR before the value", coding("\rchunked"), 400},
      {"9110 5.5: DEL in the value", coding("chunked\x7f"), 400},
      {"9110 5.5: no-break space behind the value", coding("chunked\xa0"), 501},
      {"9110 5.5: next-line byte before the value",
       coding("\x85"
              "chunked"),
       501},
      {"9110 5.1: underscore", post("Transfer_Encoding: chunked"), 400},
      {"9110 5.1: NUL in front of the name", post("\0Transfer-Encoding: chunked"s), 400},
      {"9110 5.1: byte order mark before the name", post("\xef\xbb\xbfTransfer-Encoding: chunked"), 400},
      {"9110 5.1: byte beyond ASCII in the name", post("Transfer-Encod\xcd\xaeg: chunked"), 400},
      {"9110 5.1: colon in front", post(":Transfer-Encoding: chunked"), 400},
      {"9110 5.1: quotes around the name", post("\"Transfer-Encoding\": chunked"), 400},
      {"9110 5.1: a field that begins alike", post("Transfer-EncodingX: chunked"), kSound, "body=none"},
      {"9110 5.1: a field that ends alike", post("X-Transfer-Encoding: chunked"), kSound, "body=none"},
      {"9112 5.1: no colon", post("Transfer-Encoding chunked"), 400},
      {"9112 5.1: equals for the colon", post("Transfer-Encoding=chunked"), 400},
      {"9112 6.1: Content-Encoding is another matter", post("Content-Encoding: chunked"), kSound, "body=none"},
      {"9110 10.1.4: TE is another matter", post("TE: chunked"), kSound, "body=none", "\r\nte:"},
  });
}
