#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/http1/parse.hpp"
#include "tests/unit/http1/rows.hpp"

using namespace spillway::http;
using namespace spillway::http::rows;

namespace {

constexpr const char* kTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr const char* kSameTrace = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
constexpr const char* kNewTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

Forwarding untrusted() {
  return plain_forwarding();
}
Forwarding trusted() {
  Forwarding forwarding = plain_forwarding();
  forwarding.trusted_peer = true;
  return forwarding;
}
Forwarding emitting(Forwarding forwarding) {
  forwarding.emit_forwarded = true;
  return forwarding;
}
Forwarding from(std::string_view address, Forwarding forwarding) {
  forwarding.client_address = address;
  return forwarding;
}
/// A trusted peer has told so in `Forwarded`.
Forwarding told(std::string_view client, std::string_view scheme, Forwarding forwarding) {
  forwarding.told_client = client;
  forwarding.told_scheme = scheme;
  return forwarding;
}
Forwarding told_host(std::string_view host, Forwarding forwarding) {
  forwarding.told_host = host;
  return forwarding;
}
Forwarding traced(const char* trace, Forwarding forwarding) {
  forwarding.traceparent = trace;
  return forwarding;
}
Forwarding due(int milliseconds) {
  Forwarding forwarding = plain_forwarding();
  forwarding.time_left = std::chrono::milliseconds(milliseconds);
  return forwarding;
}

/// Keeps each field as a name and a value, as HTTP/2 sends it.
struct FieldList {
  void begin_field(std::string_view name) { fields.emplace_back(name, ""); }
  template <class... Part>
  void put(const Part&... parts) {
    (fields.back().second.append(parts), ...);
  }
  void end_field() {}
  void field(std::string_view name, std::string_view value) { fields.emplace_back(name, value); }
  template <class Number>
  void number_field(std::string_view name, Number value) {
    fields.emplace_back(name, std::to_string(value));
  }
  std::vector<std::pair<std::string, std::string>> fields;
};

struct Case {
  std::string rule;
  std::string bytes;
  Forwarding forwarding;
  std::string has;
  std::string lacks = {};
};

}  // namespace

TEST_CASE("the proxy tells the API about the client, and forwards only what a trusted peer told") {
  const std::string chain = get("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: b");
  const std::vector<Case> cases = {
      {"9110 7.6.3: Via", get(), untrusted(), "\r\nVia: 1.1 spillway\r\n"},
      {"9110 7.6.3: version received", lines("GET / HTTP/1.0"), untrusted(), "\r\nVia: 1.0 spillway\r\n"},
      {"9110 7.6.3: appended", get("Via: 1.0 a, 1.1 b"), untrusted(), "\r\nVia: 1.0 a, 1.1 b, 1.1 spillway\r\n"},
      {"9110 7.6.3: appended to many", get("Via: 1.0 a", "Via: 1.1 b"), untrusted(),
       "\r\nVia: 1.0 a, 1.1 b, 1.1 spillway\r\n"},
      {"9110 7.6.3: appended to an empty one", get("Via:"), untrusted(), "\r\nVia: 1.1 spillway\r\n"},
      {"7239 7.4: none sent", get(), untrusted(), "\r\nX-Forwarded-For: 192.0.2.7\r\n"},
      {"7239 7.4: replaced", chain, untrusted(), "\r\nX-Forwarded-For: 192.0.2.7\r\n", "203.0.113.9"},
      {"7239 7.4: appended", chain, trusted(), "\r\nX-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n"},
      {"7239 7.4: appended to many", get("X-Forwarded-For: a", "X-Forwarded-For: b, c"), trusted(),
       "\r\nX-Forwarded-For: a, b, c, 192.0.2.7\r\n"},
      {"7239 7.4: appended to none", get(), trusted(), "\r\nX-Forwarded-For: 192.0.2.7\r\n"},
      {"7239 7.4: many replaced", get("X-Forwarded-For: a", "X-Forwarded-For: b"), untrusted(),
       "\r\nX-Forwarded-For: 192.0.2.7\r\n", "x-forwarded-for: a"},
      {"7239 7.4: v6 without brackets", get(), from("2001:db8::1", untrusted()),
       "\r\nX-Forwarded-For: 2001:db8::1\r\n"},
      {"7239 7.4: no address (unix socket)", chain, from("", untrusted()), "X-Forwarded-Proto: http\r\n",
       "x-forwarded-for"},
      {"7239 7.4: no address, trusted", chain, from("", trusted()), "\r\nX-Forwarded-For: 203.0.113.9\r\n"},
      {"7239 7.4: nominated, then ours alone", get("Connection: x-forwarded-for", "X-Forwarded-For: a"), trusted(),
       "\r\nX-Forwarded-For: 192.0.2.7\r\n"},
      {"7239 7.4: scheme", get(), untrusted(), "\r\nX-Forwarded-Proto: http\r\n"},
      {"7239 7.4: scheme replaced", chain, untrusted(), "\r\nX-Forwarded-Proto: http\r\n", "https"},
      {"7239 7.4: scheme kept", chain, trusted(), "\r\nX-Forwarded-Proto: https\r\n", "proto: http\r"},
      {"7239 7.4: scheme of none", get(), trusted(), "\r\nX-Forwarded-Proto: http\r\n"},
      {"7239 7.4: host", get(), untrusted(), "\r\nX-Forwarded-Host: a\r\n"},
      {"7239 7.4: host replaced", chain, untrusted(), "\r\nX-Forwarded-Host: a\r\n", "host: b"},
      {"7239 7.4: host kept", chain, trusted(), "\r\nX-Forwarded-Host: b\r\n", "forwarded-host: a"},
      {"7239 7.4: host of none", lines("GET / HTTP/1.0"), untrusted(), "\r\nHost: localhost\r\n", "forwarded-host"},
      {"7239 7.4: told in Forwarded", get("Forwarded: for=b"), told("203.0.113.9", "https", trusted()),
       "\r\nX-Forwarded-For: 203.0.113.9, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"},
      {"7239 7.4: told over a unix socket", get("Forwarded: for=b"), told("203.0.113.9", "", from("", trusted())),
       "\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\n"},
      {"7239 7.4: host told in Forwarded", get("Forwarded: for=b;host=c:81"), told_host("c:81", trusted()),
       "\r\nX-Forwarded-Host: c:81\r\n", "forwarded-host: a"},
      {"7239 7.4: host of X-Forwarded-Host counts", chain, told_host("c", trusted()), "\r\nX-Forwarded-Host: b\r\n",
       "forwarded-host: c"},
      {"7239 7.4: scheme of X-Forwarded-Proto counts", chain, told("203.0.113.9", "http", trusted()),
       "\r\nX-Forwarded-Proto: https\r\n", "proto: http\r"},
      {"7239 4: removed", get("Forwarded: for=b"), untrusted(), "GET / ", "forwarded: "},
      {"7239 4: kept", get("Forwarded: for=b"), trusted(), "\r\nForwarded: for=b\r\n"},
      {"7239 4: replaced", get("Forwarded: for=b"), emitting(untrusted()),
       "\r\nForwarded: for=192.0.2.7;host=\"a\";proto=http\r\n", "for=b"},
      {"7239 4: extended", get("Forwarded: for=b"), emitting(trusted()),
       "\r\nForwarded: for=b, for=192.0.2.7;host=\"a\";proto=http\r\n"},
      {"7239 4: many extended", get("Forwarded: for=b", "Forwarded: for=c"), emitting(trusted()),
       "\r\nForwarded: for=b, for=c, for=192.0.2.7;host=\"a\";proto=http\r\n"},
      {"7239 6: v6 in brackets and quotes", get(), emitting(from("2001:db8::1", untrusted())),
       "\r\nForwarded: for=\"[2001:db8::1]\";host=\"a\";proto=http\r\n"},
      {"7239 6.2: no address", get(), emitting(from("", untrusted())), "\r\nForwarded: for=unknown;host=\"a\""},
      {"7239 5.3: host with a port", lines("GET / HTTP/1.1", "Host: a:81"), emitting(untrusted()), "host=\"a:81\";"},
      {"7239 5.3: no host", lines("GET / HTTP/1.0"), emitting(untrusted()), "Forwarded: for=192.0.2.7;proto=http\r\n"},
      {"contract: X-Request-ID", get(), untrusted(), "\r\nX-Request-ID: id-1\r\n"},
      {"contract: X-Request-ID replaced", get("X-Request-ID: a"), untrusted(), "\r\nX-Request-ID: id-1\r\n", "id: a"},
      {"contract: the caller decides for a trusted peer too", get("X-Request-ID: a"), trusted(),
       "X-Request-ID: id-1\r\n", "id: a"},
      {"trace-context 2.2: started", get(), traced(kNewTrace, untrusted()),
       std::string("\r\ntraceparent: ") + kNewTrace},
      {"trace-context 2.2: left out", get(std::string("traceparent: ") + kTrace), untrusted(), "GET /", "traceparent"},
      {"trace-context 2.2: replaced", get(std::string("traceparent: ") + kTrace), traced(kNewTrace, untrusted()),
       std::string("\r\ntraceparent: ") + kNewTrace, kTrace},
      {"trace-context 3.3: state goes with its trace", get(std::string("traceparent: ") + kTrace, "tracestate: a=1"),
       traced(kSameTrace, untrusted()), "\r\ntracestate: a=1\r\n"},
      {"trace-context 3.3: and not with another", get(std::string("traceparent: ") + kTrace, "tracestate: a=1"),
       traced(kNewTrace, untrusted()), kNewTrace, "tracestate"},
      {"trace-context 3.3: nor with none", get(std::string("traceparent: ") + kTrace, "tracestate: a=1"), untrusted(),
       "GET /", "tracestate"},
      {"trace-context 3.3: nor without a parent", get("tracestate: a=1"), traced(kNewTrace, untrusted()), kNewTrace,
       "tracestate"},
      {"trace-context 3.3: nor behind a stump", get("traceparent: 00-0af", "tracestate: a=1"),
       traced(kNewTrace, untrusted()), kNewTrace, "tracestate"},
      {"contract: time left", get(), due(250), "\r\nX-Request-Timeout: 250\r\n"},
      {"contract: time left replaces", get("X-Request-Timeout: 900"), due(250), "\r\nX-Request-Timeout: 250\r\n",
       "900"},
      {"contract: time overdrawn", get(), due(-3), "\r\nX-Request-Timeout: 0\r\n"},
      {"contract: unknown, as sent", get("X-Request-Timeout: 900"), untrusted(), "\r\nX-Request-Timeout: 900\r\n"},
  };
  for (const Case& row : cases) {
    CAPTURE(row.rule);
    const Outcome outcome = request_outcome(row.bytes, row.forwarding);
    CAPTURE(outcome.written);
    REQUIRE(outcome.verdict == kSound);
    const std::string head = outcome.written.substr(0, outcome.written.find(kFacts));
    CHECK(head.find(row.has) != std::string::npos);
    if (!row.lacks.empty()) CHECK(lower(head).find(lower(row.lacks)) == std::string::npos);
    CHECK(request_outcome(head, row.forwarding).verdict == kSound);
  }
}

TEST_CASE("a request that has passed this process carries its name in Via, wherever it stands there") {
  const std::string own = "spillway-0123456789ab";
  const auto passed = [&](const std::string& fields) {
    const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    RequestHead head;
    REQUIRE_FALSE(parse_request(text, {}, head));
    return has_passed(head, own);
  };
  CHECK(passed("Via: 1.1 spillway-0123456789ab\r\n"));
  CHECK(passed("via: 1.0 edge, 2.0 spillway-0123456789ab (x), 1.1 other\r\n"));
  CHECK(passed("Via: 1.1 other\r\nVia: 1.1 spillway-0123456789ab\r\n"));
  CHECK_FALSE(passed(""));
  CHECK_FALSE(passed("Via: 1.1 spillway, 1.1 spillway-0123456789aa\r\n"));
  CHECK_FALSE(passed("X-Via: 1.1 spillway-0123456789ab\r\n"));
}

TEST_CASE("a writer of any version of HTTP is given the same fields") {
  const std::string sent = get("A: b", "Connection: close, c", "C: d", "Via: 1.1 first", "X-Forwarded-For: 10.0.0.1");
  RequestHead request;
  REQUIRE_FALSE(parse_request(sent, {}, request));
  FieldList to_api;
  put_passed_fields(request, trusted(), to_api);
  put_own_fields(request, trusted(), to_api);
  CHECK(to_api.fields == decltype(to_api.fields){{"A", "b"},
                                                 {"Via", "1.1 first, 1.1 spillway"},
                                                 {"X-Forwarded-For", "10.0.0.1, 192.0.2.7"},
                                                 {"X-Forwarded-Proto", "http"},
                                                 {"X-Forwarded-Host", "a"},
                                                 {"X-Request-ID", "id-1"}});

  const std::string answered = rows::ok("A: b", "Keep-Alive: 5", "Via: 1.0 api", "X-Request-ID: theirs");
  ResponseHead response;
  REQUIRE_FALSE(parse_response(answered, false, response));
  FieldList to_client;
  put_passed_fields(response, "id-1", to_client);
  put_via(response, to_client);
  CHECK(to_client.fields == decltype(to_client.fields){{"A", "b"}, {"Via", "1.0 api, 1.1 spillway"}});
}
