#include "proxy/relay/refusal_page.hpp"

#include <string>

#include <doctest/doctest.h>

namespace {

using namespace spillway::relay;

std::string page(std::string_view text, const PageValues& values, Escape escape) {
  std::string out;
  write_page(text, values, escape, out);
  return out;
}

TEST_CASE("HTML is for those who name it and prefer it to JSON") {
  struct Row {
    std::string_view accept;
    bool html;
  };
  for (const Row& row : {
           Row{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", true},  // browsers
           Row{"Text/HTML", true},
           Row{"text/html;q=0.9, application/json;q=0.5", true},
           Row{"text/html; level=1; q=0.001", true},
           Row{"", false},
           Row{"*/*", false},  // curl, fetch
           Row{"text/*", false},
           Row{"application/json, text/plain, */*", false},  // axios
           Row{"application/json, text/html", false},
           Row{"application/problem+json, text/html;q=0.9", false},
           Row{"text/html;q=0", false},
           Row{"text/html;q=x", false},
           Row{"text/html;q=0.x", false},
           Row{",,;,", false},
       }) {
    CAPTURE(row.accept);
    CHECK(prefers_html(row.accept) == row.html);
  }
}

TEST_CASE("placeholders are replaced, and what replaces them cannot break out of the page") {
  const PageValues values{"capacity", "id-1", "<b>\"a\" & 'b'</b>{{reason}}", 7};
  const std::string_view text = "{{reason}}|{{retry_after}}|{{request_id}}|{{detail}}|";
  CHECK(page(text, values, Escape::html) ==
        "capacity|7|id-1|&lt;b&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/b&gt;{{reason}}|");
  CHECK(page(text, values, Escape::json).starts_with("capacity|7|id-1|<b>\\\"a\\\""));
  CHECK(page(text, values, Escape::none) == "capacity|7|id-1|<b>\"a\" & 'b'</b>{{reason}}|");
  for (const std::string_view plain : {"", "{", "{{", "}}{{", "a {{ b"})
    CHECK(page(plain, values, Escape::html) == plain);

  CHECK(escape_for("text/html; charset=utf-8") == Escape::html);
  CHECK(escape_for("application/xhtml+xml") == Escape::html);
  CHECK(escape_for("application/problem+json") == Escape::json);
  CHECK(escape_for("text/plain; format=html") == Escape::none);
}

TEST_CASE("the page for browsers loads itself again with jitter, unless the request must not be repeated") {
  const PageValues values{"capacity", "id-1", "Service at capacity", 7};
  const std::string waiting = page(browser_page(true), values, Escape::html);
  CHECK(waiting.find("1000*7*(1+Math.random())") != std::string::npos);
  CHECK(waiting.find("content=\"7\"") != std::string::npos);
  CHECK(waiting.size() < 2000);
  const std::string once = page(browser_page(false), values, Escape::html);
  CHECK(once.find("script") == std::string::npos);
  CHECK(once.find("refresh") == std::string::npos);
}

}  // namespace
