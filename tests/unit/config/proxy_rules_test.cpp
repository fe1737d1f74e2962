#include <deque>

#include <doctest/doctest.h>

#include "proxy/config/path_expression.hpp"
#include "tests/unit/config/proxy_document.hpp"

namespace {

using namespace spillway;
using namespace proxy_document;

TEST_CASE("contradictory combinations are refused") {
  struct Row {
    std::string_view yaml;
    std::string_view error;
  };
  std::deque<std::string> documents;
  const auto class_with = [&documents](std::string_view rest) -> std::string_view {
    return documents.emplace_back("classes: [{name: a, ").append(rest).append("}]");
  };
  const std::string_view no_part = class_with("match: [{}]");
  const std::string_view wrong_part = class_with("match: [{pth: /}]");
  const std::string_view no_header = class_with("match: [{path: /, value: x}]");
  const std::string_view no_rule = class_with("match: []");
  const std::string_view capped = class_with("max_concurrent: 101, match: [{path: /}]");
  const std::string_view capped_low = class_with("max_concurrent: 2, reserve: 3, match: [{path: /}]");
  const std::string_view reserves = class_with("reserve: 100, match: [{path: /}]");
  for (
      const Row& row : {
          Row{"listen: [a:1, b:1, a:1]",
              "listen[2]: listen[0] (a:1) and listen[2] (a:1) overlap: the proxy cannot listen on both"},
          Row{"listen: [a:0, a:0]", ""},
          Row{"listen: 8080",
              "listen: must be an address: host:port, :port, [v6]:port, unix:/path or fd:N (3 or more), not '8080'; a "
              "port alone: write :8080"},
          Row{"admin: {listen: 9901}",
              "admin.listen: must be an address: host:port, :port, [v6]:port, unix:/path or fd:N (3 or more), not "
              "'9901'; a port alone: write :9901"},
          Row{"listen: ['127.0.0.1:1', '0.0.0.0:1']",
              "listen[1]: listen[0] (127.0.0.1:1) and listen[1] (0.0.0.0:1) overlap: the proxy cannot listen on both"},
          Row{"listen: 0.0.0.0:1\nadmin: {listen: 10.0.0.5:1}",
              "admin.listen: listen[0] (0.0.0.0:1) and admin.listen (10.0.0.5:1) overlap: the proxy cannot listen on "
              "both"},
          Row{"handover: /run/x\nlisten: [a:1, unix:/run//x]",
              "handover: listen[1] (unix:/run//x) and handover (unix:/run/x) overlap: the proxy cannot listen on both"},
          Row{"io: auto", ""},
          Row{"io: epoll", ""},
          Row{"io: io_uring", ""},
          Row{"listen: {address: unix:/x, mode: \"0660\", group: www-data}", ""},
          Row{"listen: [a:1, {address: unix:/x, mode: 600, group: 0}, {address: b:1}]", ""},
          Row{"listen: [unix:/x, {address: unix:/x}]",
              "listen[1]: listen[0] (unix:/x) and listen[1] (unix:/x) overlap: the proxy cannot listen on both"},
          Row{"listen: {mode: \"0660\"}", "listen[0].address: is required"},
          Row{"listen: [{address: a:1, mode: \"0660\"}, {address: b:1, group: a}]",
              "listen[0].mode: is for unix:/path: no other address has a file\n"
              "listen[1].group: is for unix:/path: no other address has a file"},
          Row{"listen: {address: a:1, proxy_protocol: true}",
              "listen[0].proxy_protocol: needs trusted_proxies: nobody else may connect to this listener"},
          Row{"listen: {address: a:1, proxy_protocol: true}\ntrusted_proxies: [10.0.0.0/8]", ""},
          Row{"listen: {address: unix:/x, proxy_protocol: true}", ""},
          Row{"listen: {address: a:1, tls: {tickets: false}}", "listen[0].tls: needs certificate, the path of a file"},
          Row{"listen: {address: a:1, tls: {certificate: /none.pem}}",
              "listen[0].tls.certificate: /none.pem: No such file or directory"},
          Row{"admin: {listen: {address: a:1, tls: {certificate: /none.pem}}}",
              "admin.listen[0].tls.certificate: /none.pem: No such file or directory"},
          Row{"listen: {address: a:1, tls: {certificate: [/a, /b], key: /c}}",
              "listen[0].tls.key: must be as many as certificate: 2, not 1"},
          Row{"listen: {address: a:1, tls: {certificate: [/a, /b], key: /c, client_certificate: require}}",
              "listen[0].tls.key: must be as many as certificate: 2, not 1\n"
              "listen[0].tls.client_certificate: client_certificate needs client_ca beside it, the authorities of "
              "those "
              "certificates"},
          Row{"admin: {listen: {address: a:1, proxy_protocol: true}}\ntrusted_proxies: [10.0.0.0/8]",
              "admin.listen[0].proxy_protocol: is for `listen` alone"},
          Row{"admin: {listen: {address: a:1, mode: \"0660\"}}",
              "admin.listen[0].mode: is for unix:/path: no other address has a file"},
          Row{"admin: {listen: {address: unix:/x, mode: \"0660\"}}", ""},
          Row{"upstream: {tls: {ca: /ca.pem}}", "upstream.tls: has keys that need enabled: true beside them"},
          Row{"upstream: {address: unix:/x, tls: {enabled: true}}",
              "upstream.tls.enabled: server_name is needed: the address has no host that the certificate could be "
              "compared "
              "with"},
          Row{"upstream: {tls: {enabled: true, ca: /none.pem}}",
              "upstream.tls.ca: /none.pem: No such file or directory"},
          Row{"upstream: {tls: {enabled: true, verify: false, ca: /none.pem}}",
              "upstream.tls.ca: ca has no effect with verify: false"},
          Row{"tracing: {endpoint: 'http://otel', ca: /ca.pem}",
              "tracing.ca: ca has an effect only with an endpoint that begins with https://"},
          Row{"tracing: {endpoint: 'https://otel', ca: /none.pem}", "tracing.ca: /none.pem: No such file or directory"},
          Row{"tracing: {endpoint: 'https://otel', ca: /proc/self/status}",
              "tracing.ca: /proc/self/status: holds no certificate in PEM"},
          Row{"upstream: {tls: {enabled: true, key: /k.pem}}", "upstream.tls.key: key needs certificate beside it"},
          Row{"upstream: {address: \"localhost:1\", tls: {enabled: true}}", ""},
          Row{"listen: {address: unix:/x, mod: \"0660\"}", "listen[0].mod: unknown key; did you mean mode?"},
          Row{"listen: {address: unix:/x, mode: \"4660\"}",
              "listen[0].mode: must be a file mode in octal, such as \"0660\", not '4660'"},
          Row{"listen: [[a:1]]",
              "listen[0]: must be an address: host:port, :port, [v6]:port, unix:/path or fd:N (3 or more), not a "
              "list"},
          Row{"listen: a:1\nadmin: {listen: a:1}",
              "admin.listen: listen[0] (a:1) and admin.listen (a:1) overlap: the proxy cannot listen on both"},
          Row{"listen: :9901",
              "listen: listen[0] (:9901) and admin.listen (127.0.0.1:9901) overlap: the proxy cannot listen on both"},
          Row{"admission: {cohorts: {key: client_ip}, queue: {max_length: 0}}",
              "admission.cohorts.key: needs a queue: admission.queue.max_length and max_wait above 0"},
          Row{"upstream: {address: fd:3}", "upstream.address: cannot be fd:N: that is for listening"},
          Row{"upstream: {address: a:0}", "upstream.address: needs a port other than 0"},
          Row{"upstream: {address: 0.0.0.0:8080}", "upstream.address: is an address that the proxy itself listens on"},
          Row{"upstream: {address: \"localhost:8080\"}",
              "upstream.address: is an address that the proxy itself listens on: 0.0.0.0:8080 is the same to it"},
          Row{"{listen: \":80\", upstream: {address: \"[::1]:80\"}}",
              "upstream.address: is an address that the proxy itself listens on: :80 is the same to it"},
          Row{"{listen: \"127.0.0.1:80\", upstream: {address: \"LocalHost.:80\"}}",
              "upstream.address: is an address that the proxy itself listens on: 127.0.0.1:80 is the same to it"},
          Row{"{listen: \"127.0.0.1:80\", upstream: {address: \"0.0.0.0:80\"}}",
              "upstream.address: is an address that the proxy itself listens on: 127.0.0.1:80 is the same to it"},
          Row{"{listen: \"127.0.0.1:80\", upstream: {address: \"127.0.0.2:80\"}}", ""},
          Row{"{listen: \"127.0.0.1:80\", upstream: {address: \"[::1]:80\"}}", ""},
          Row{"{listen: \"0.0.0.0:80\", upstream: {address: \"[::1]:80\"}}", ""},
          Row{"{listen: \"0.0.0.0:80\", upstream: {address: \"localhost:81\"}}", ""},
          Row{"upstream: {address: \":81\"}", "upstream.address: needs a host: write localhost:81"},
          Row{"classes: [{name: a, match: [{path: /api/*}]}]",
              "classes[0].match[0].path: * is no wildcard here; write path_prefix: /api/"},
          Row{"classes: [{name: a, match: [{path_prefix: /api/**}]}]",
              "classes[0].match[0].path_prefix: * is no wildcard here; write path_prefix: /api/"},
          Row{"upstream: {max_connections: 1}", ""},
          Row{"{upstream: {max_connections: 99}, admission: {max_concurrent: 100}}",
              "upstream.max_connections: upstream.max_connections (99) must be at "
              "least admission.max_concurrent (100)"},
          Row{"admission: {max_concurrent: 500}", ""},
          Row{"{admission: {max_concurrent: 500}, upstream: {max_connections: 256}}",
              "upstream.max_connections: upstream.max_connections (256) must be "
              "at least admission.max_concurrent (500)"},
          Row{"upstream: {max_idle: 257}", ""},
          Row{"upstream: {max_idle: 257, max_connections: 256}", ""},
          Row{"upstream: {health: {timeout: 2s}}",
              "upstream.health.timeout: upstream.health.timeout must not exceed "
              "upstream.health.interval: polls would overlap"},
          Row{"upstream: {health: {interval: 0}}", ""},
          Row{"timeouts: {drain_delay: 26s}",
              "timeouts.drain_delay: timeouts.drain_delay is part of timeouts.drain and must not exceed it"},
          Row{"limits: {uri: 17KiB}", "limits.uri: limits.uri is part of limits.head and must not exceed it"},
          Row{"admission: {queue: {interval: 600ms}}",
              "admission.queue.interval: admission.queue.interval must not exceed admission.queue.patience"},
          Row{"admission: {max_concurrent: 3}", ""},
          Row{"admission: {max_concurrent: 3, adaptive: {enabled: true}}",
              "admission.max_concurrent: admission.adaptive.min must not exceed admission.max_concurrent"},
          Row{"breaker: {open_for: 2m}", "breaker.open_for: breaker.open_for must not exceed breaker.max_open"},
          Row{"classes: [{name: normal, match: [{path: /}]}]",
              "classes[0].name: normal is the class of all that no rule matches; its threshold is admission.shed_at"},
          Row{"classes: [{name: a, match: [{path: /}]}, {name: a, match: [{path: /}]}]",
              "classes[1].name: another class is named a"},
          Row{"classes: [{}]", "classes[0].name: is required\nclasses[0].match: is required"},
          Row{no_part,
              "classes[0].match[0]: needs at least one of path, path_prefix, path_regex, method, host, header, query, "
              "cookie, client_certificate, not"},
          Row{class_with("match: [{not: {}}]"),
              "classes[0].match[0]: needs at least one of path, path_prefix, path_regex, method, host, header, query, "
              "cookie, client_certificate, not"},
          Row{class_with("match: [{not: {path: /a*, value: x}}]"),
              "classes[0].match[0].not.path: * is no wildcard here; write path_prefix: /a\n"
              "classes[0].match[0].not.value: needs header, query or cookie beside it"},
          Row{class_with("match: [{query: a, cookie: b, value: c}]"),
              "classes[0].match[0].value: needs exactly one of header, query and cookie beside it: of which one would "
              "it be the value?"},
          Row{class_with("match: [{query: a, cookie: b, header: c}, {not: {query: a, value: \"\"}}]"), ""},
          Row{class_with("match: [{not: {not: {path: /a}}}]"), "classes[0].match[0].not.not: unknown key"},
          Row{class_with("match: [{path_regex: \"/a(\"}]"),
              "classes[0].match[0].path_regex: must be a regular expression of at most 1000 visible ASCII characters, "
              "in the syntax of RE2, not '/a('; missing ): /a("},
          Row{class_with("match: [{path_regex: \"/(a+)+$\"}, {path_regex: \"/(?i)x|/y\"}]"), ""},
          Row{class_with("match: [{path_regex: \"/(a)\\\\1\"}]"),
              "classes[0].match[0].path_regex: must be a regular expression of at most 1000 visible ASCII characters, "
              "in the syntax of RE2, not '/(a)\\1'; invalid escape sequence: \\1"},
          Row{class_with("match: [{path_regex: \"(([a-z]{500}){500}){500}\"}]"),
              "classes[0].match[0].path_regex: must be a regular expression of at most 1000 visible ASCII characters, "
              "in the syntax of RE2, not '(([a-z]{500}){500}){500}'; invalid repetition size: {500}"},
          Row{class_with("match: [{path_regex: \"/[a-z]{900}[0-9]{200}\"}]"),
              "classes[0].match[0].path_regex: must be a regular expression of at most 1000 visible ASCII characters, "
              "in the syntax of RE2, not '/[a-z]{900}[0-9]{200}'; it compiles to 1105 instructions, of at most 1000"},
          Row{class_with("match: [{host: \"*.Example.org\"}, {host: \"[::1]\"}, {host: 192.0.2.1}]"), ""},
          Row{class_with("match: [{host: \"a.*.org\"}]"),
              "classes[0].match[0].host: must be a host such as example.org, *.example.org or [2001:db8::1], without a "
              "port, not 'a.*.org'"},
          Row{class_with("match: [{host: \"*.example.org:443\"}]"),
              "classes[0].match[0].host: must be a host such as example.org, *.example.org or [2001:db8::1], without a "
              "port, not '*.example.org:443'; the port does not count: write *.example.org"},
          Row{wrong_part, "classes[0].match[0].pth: unknown key; did you mean path?"},
          Row{no_header, "classes[0].match[0].value: needs header, query or cookie beside it"},
          Row{no_rule, "classes[0].match: must have 1 to 100 elements, not 0"},
          Row{capped,
              "classes[0].max_concurrent: classes[0].max_concurrent (101) must not exceed admission.max_concurrent "
              "(100)"},
          Row{capped_low, "classes[0].max_concurrent: must not be less than the class's reserve (3)"},
          Row{reserves,
              "classes: the classes reserve 100 slots, which must leave at least one of admission.max_concurrent "
              "(100) to all"},
          Row{"admission: {max_concurent: 50}", "admission.max_concurent: unknown key; did you mean max_concurrent?"},
      }) {
    CAPTURE(row.yaml);
    CHECK(errors_of(row.yaml) == row.error);
  }
}

TEST_CASE("expressions are counted, and one that is anchored only at its beginning is doubted") {
  const auto with = [](std::size_t count) {
    std::string rules;
    for (std::size_t i = 0; i < count; ++i) {
      rules += std::string(i > 0 ? ", " : "") + (i % 2 == 0 ? "{path_regex: /a}" : "{not: {path_regex: /a}}");
    }
    return "classes: [{name: a, match: [" + rules + "]}]";
  };
  CHECK(errors_of(with(PathExpression::kMaxExpressions)).empty());
  CHECK(errors_of(with(PathExpression::kMaxExpressions + 1)) ==
        "classes: have 65 of path_regex; at most 64 can be used");

  const auto doubtful =
      load("classes: [{name: a, match: [{path_regex: ^/api/}, {path_regex: ^/a$}, {path_regex: /b}]}]");
  REQUIRE(doubtful.ok());
  REQUIRE(doubtful.warnings.size() == 1);
  CHECK(
      config::to_text(doubtful.warnings[0]) ==
      "proxy.yaml:1:42: classes[0].match[0].path_regex: warning: the whole path must match; if more may follow, write "
      "^/api/.*");
}

}  // namespace
