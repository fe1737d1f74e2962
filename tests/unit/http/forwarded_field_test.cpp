// The elements of a Forwarded field (RFC 7239).

#include "proxy/http/forwarded_field.hpp"

#include <string>

#include <doctest/doctest.h>

namespace spillway::http {
namespace {

/// Each element as `node proto host`, with a bar between them; `!` at the end of a malformed field.
std::string read(std::string_view field) {
  ForwardedReader reader(field);
  std::string text;
  for (ForwardedElement element; reader.next(element);) {
    text.append(text.empty() ? "" : "|").append(element.node).append(" ").append(element.proto);
    if (!element.host.empty()) text.append(" ").append(element.host);
  }
  return text + (reader.malformed() ? "!" : "");
}

TEST_CASE("a Forwarded field is read element by element") {
  struct Row {
    const char* field;
    const char* elements;
  };
  for (const Row& row : {
           Row{"", ""},
           Row{"for=192.0.2.1", "192.0.2.1 "},
           Row{"For=\"[2001:db8::1]:4711\"", "[2001:db8::1]:4711 "},
           Row{"for=192.0.2.1;proto=https;by=203.0.113.4;host=a", "192.0.2.1 https a"},
           Row{"proto=http ; for=unknown", "unknown http"},
           Row{"for=192.0.2.1, for=_hidden,for=10.0.0.1", "192.0.2.1 |_hidden |10.0.0.1 "},
           Row{" , for=192.0.2.1,,", "192.0.2.1 "},
           Row{"host=\"a,for=6.6.6.6;b\";for=192.0.2.1", "192.0.2.1  a,for=6.6.6.6;b"},
           Row{"for=192.0.2.1;Host=\"[::1]:80\", for=10.0.0.1;host=b:81", "192.0.2.1  [::1]:80|10.0.0.1  b:81"},
           Row{"host=\"\\\"\";for=192.0.2.1", "192.0.2.1 "},
           Row{"for=\"192.0.2\\.1\"", " "},
           Row{"for=[2001:db8::1]", "[2001:db8::1] "},  // without the quotes that the RFC asks for
           Row{"proto=https", " https"},
       }) {
    CAPTURE(row.field);
    CHECK(read(row.field) == row.elements);
  }
}

TEST_CASE("a malformed Forwarded field is recognised") {
  for (const char* field :
       {"for", "for=", "for=;proto=http", "=a", "for =a", "for=\"", "for=\"a", "for=\"a\\", "for=\"a\"b", "for=a b",
        "for=a;", "for=a;;proto=http", "for=a;for=b", "host=a;host=b", "for=a=b", ";for=a", "for=a\"b\""}) {
    CAPTURE(field);
    CHECK(read(field).ends_with('!'));
  }
  CHECK(read("for=\", for=192.0.2.1") == "!");  // what a client begins swallows what a proxy appends
}

}  // namespace
}  // namespace spillway::http
