#include <doctest/doctest.h>

#include "tests/unit/http1/rows.hpp"

using namespace std::string_literals;
using namespace spillway::http;
using namespace spillway::http::rows;

TEST_CASE("a field line is a token, a colon and a value") {
  run_requests({
      {"9112 5: as it should be", get("Accept: */*"), kSound, "Accept: */*\r\n"},
      {"9112 5: no white space before the value", get("Accept:*/*"), kSound, "Accept: */*\r\n"},
      {"9112 5: white space around the value", get("Accept: \t */* \t"), kSound, "Accept: */*\r\n"},
      {"9112 5: empty value", get("Accept:"), kSound, "Accept: \r\n"},
      {"9112 5: value of white space", get("Accept: \t "), kSound, "Accept: \r\n"},
      {"9112 5: colons in the value", get("X: a:b:c"), kSound, "X: a:b:c\r\n"},
      {"9112 5: a colon first in the value", get("X::a"), kSound, "X: :a\r\n"},
      {"9110 5.5: white space inside the value", get("X: a \t b"), kSound, "X: a \t b\r\n"},
      {"9110 5.5: byte beyond ASCII", get("X: \xe9"), kSound, "X: \xe9\r\n"},
      {"9110 5.5: UTF-8", get("X: \xc3\xa9t\xc3\xa9"), kSound, "X: \xc3\xa9t\xc3\xa9\r\n"},
      {"9110 5.5: 0xff", get("X: \xff"), kSound, "X: \xff\r\n"},
      {"9110 5.6.4: quoted string", get("X: \"a\\\"b\""), kSound, "X: \"a\\\"b\"\r\n"},
      {"9110 5.3: order is kept", get("B: 1", "A: 2", "B: 3"), kSound, "B: 1\r\nA: 2\r\nB: 3\r\n"},
      {"9110 5.1: case of names is kept", get("x-CamelCase: 1"), kSound, "x-CamelCase: 1\r\n"},
      {"9110 5.1: every tchar but the underscore", get("!#$%&'*+-.^`|~0aZ: 1"), kSound, "!#$%&'*+-.^`|~0aZ: 1\r\n"},
      {"9110 5.1: name of digits", get("1: 2"), kSound, "1: 2\r\n"},
      {"9110 5.1: long name", get(times(300, "n") + ": 1"), kSound, times(300, "n") + ": 1\r\n"},
      {"9112 5: no colon", get("Accept"), 400},
      {"9112 5: no colon, but a space", get("Accept a"), 400},
      {"9112 5: equals", get("Accept=a"), 400},
      {"9112 5: empty name", get(": a"), 400},
      {"9112 5: only a colon", get(":"), 400},
      {"9112 5: empty name first", lines("GET / HTTP/1.1", ": a", "Host: a"), 400},
      {"9112 5.1: space before the colon", get("Accept : a"), 400},
      {"9112 5.1: tab before the colon", get("Accept\t: a"), 400},
      {"9112 5.1: spaces before the colon", get("Accept   : a"), 400},
      {"9112 5.1: space inside the name", get("Acc ept: a"), 400},
      {"9112 5.1: tab inside the name", get("Acc\tept: a"), 400},
      {"9110 5.6.2: parenthesis", get("Accept(: a"), 400},
      {"9110 5.6.2: parenthesis", get("Accept): a"), 400},
      {"9110 5.6.2: comma", get("Accept,: a"), 400},
      {"9110 5.6.2: slash", get("Accept/: a"), 400},
      {"9110 5.6.2: semicolon", get("Accept;: a"), 400},
      {"9110 5.6.2: angle bracket", get("Accept<: a"), 400},
      {"9110 5.6.2: angle bracket", get("Accept>: a"), 400},
      {"9110 5.6.2: equals", get("Accept=: a"), 400},
      {"9110 5.6.2: question mark", get("Accept?: a"), 400},
      {"9110 5.6.2: at", get("Accept@: a"), 400},
      {"9110 5.6.2: bracket", get("Accept[: a"), 400},
      {"9110 5.6.2: bracket", get("Accept]: a"), 400},
      {"9110 5.6.2: backslash", get("Accept\\: a"), 400},
      {"9110 5.6.2: brace", get("Accept{: a"), 400},
      {"9110 5.6.2: brace", get("Accept}: a"), 400},
      {"9110 5.6.2: quotes", get("Accept\": a"), 400},
      {"9110 5.6.2: byte beyond ASCII", get("Acc\xe9pt: a"), 400},
      {"9110 5.6.2: DEL", get("Accept\x7f: a"), 400},
      {"9110 5.6.2: NUL", get("Acc\0ept: a"s), 400},
      {"9110 5.6.2: first byte is none", get("(Accept: a"), 400},
  });
}

TEST_CASE("field names with an underscore pass only if they are allowed") {
  HeadLimits allowed;
  allowed.underscores = true;
  run_requests({
      {"3875 4.1.18: inside", get("X_Y: 1"), 400},
      {"3875 4.1.18: first", get("_X: 1"), 400},
      {"3875 4.1.18: last", get("X_: 1"), 400},
      {"3875 4.1.18: alone", get("_: 1"), 400},
      {"3875 4.1.18: a spoofed X-Forwarded-For", get("X_Forwarded_For: 1"), 400},
      {"3875 4.1.18: in a value it is nothing", get("X: a_b"), kSound, "X: a_b\r\n"},
      {"3875 4.1.18: allowed", get("X_Y: 1"), kSound, "X_Y: 1\r\n", "", allowed},
      {"3875 4.1.18: allowed, yet no known field", get("Content_Length: 5"), kSound, "body=none", "", allowed},
      {"3875 4.1.18: allowed, with another fault", get("X_ Y: 1"), 400, "", "", allowed},
  });
}

TEST_CASE("lines end in CRLF, hold no control bytes and are not folded") {
  run_requests({
      {"9112 2.2: bare LF", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400},
      {"9112 2.2: bare LF at the end of the last", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
      {"9112 2.2: bare LF for the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"9112 2.2: only bare LFs", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"9112 2.2: two LFs", "GET / HTTP/1.1\r\nHost: a\n\n", 400},
      {"9112 2.2: bare CR inside a value", get("X: a\rb"), 400},
      {"9112 2.2: bare CR at the end of a value", get("X: a\r"), 400},
      {"9112 2.2: bare CR at the begin of a value", get("X: \ra"), 400},
      {"9112 2.2: bare CR in a name", get("X\r: a"), 400},
      {"9112 2.2: bare CR at the begin of a line", get("\rX: a"), 400},
      {"9112 2.2: CR CR LF", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400},
      {"9112 2.2: CR for the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\rGET", 400},
      {"9112 2.2: CR CR LF for the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", 400},
      {"9112 2.2: CR NUL LF", "GET / HTTP/1.1\r\nHost: a\r\0\n\r\n"s, 400},
      {"9112 5.2: fold with a space", get("X: a", " b"), 400},
      {"9112 5.2: fold with a tab", get("X: a", "\tb"), 400},
      {"9112 5.2: fold of many spaces", get("X: a", "      b"), 400},
      {"9112 5.2: fold of an empty value", get("X:", " b"), 400},
      {"9112 5.2: fold that looks like a field", get("X: a", " Y: b"), 400},
      {"9112 5.2: fold before the first field", lines("GET / HTTP/1.1", " X: a", "Host: a"), 400},
      {"9112 5.2: line of a space at the end", get(" "), 400},
      {"9112 5.2: line of a tab at the end", get("\t"), 400},
      {"9112 5.2: line of a space for the empty line", "GET / HTTP/1.1\r\nHost: a\r\n \r\n", 400},
      {"9110 5.5: NUL in a value", get("X: a\0b"s), 400},
      {"9110 5.5: NUL first in a value", get("X: \0"s), 400},
      {"9110 5.5: SOH", get("X: a\x01"), 400},
      {"9110 5.5: backspace", get("X: a\b"), 400},
      {"9110 5.5: vertical tab", get("X: a\vb"), 400},
      {"9110 5.5: form feed", get("X: a\fb"), 400},
      {"9110 5.5: ESC", get("X: \x1b[31m"), 400},
      {"9110 5.5: unit separator", get("X: a\x1f"), 400},
      {"9110 5.5: DEL", get("X: a\x7f"), 400},
      {"9110 5.5: DEL first",
       get("X: \x7f"
           "a"),
       400},
      {"9112 2.2: surplus behind the head is not looked at", get() + "\r\r\n\x01", kSound, "GET / HTTP/1.1\r\n"},
  });
}

// Each octet in each place, compared with the lists of the RFCs, which are repeated here.
TEST_CASE("each octet passes exactly where the grammar allows it") {
  const std::string token = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  for (int value = 0; value < 256; ++value) {
    CAPTURE(value);
    const std::string octet(1, static_cast<char>(value));
    const bool control = value < 0x20 || value == 0x7f;
    const bool in_token = token.find(octet) != std::string::npos;
    const auto verdict = [](const std::string& bytes) { return request_outcome(bytes).verdict; };
    CHECK((verdict(get("Xy" + octet + "z: 1")) == kSound) == ((in_token && octet != "_") || octet == ":"));
    CHECK((verdict(get("X: abcdefghijk" + octet + "lmnopqrstuvw")) == kSound) == (!control || octet == "\t"));
    const bool in_path = value > 0x20 && value < 0x7f && octet != "#" && octet != "\\" && octet != "%";
    CHECK((verdict(lines("GET /abcdefgh" + octet + "ijkl HTTP/1.1", "Host: a")) == kSound) == in_path);
    CHECK((verdict(lines("G" + octet + "T / HTTP/1.1", "Host: a")) == 501) == (in_token && octet != "E"));
    const bool in_host = std::isalnum(value) != 0 || octet == "-" || octet == "." || octet == "_" || octet == "~";
    CHECK((verdict(lines("GET / HTTP/1.1", "Host: ab" + octet + "cd")) == kSound) == (in_host && value < 0x80));
  }
}
