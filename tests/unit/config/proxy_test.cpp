#include <deque>
#include <filesystem>
#include <fstream>
#include <set>

#include <doctest/doctest.h>

#include "config/restart.hpp"
#include "config/write.hpp"
#include "proxy/config/fields.hpp"
#include "proxy/config/path_expression.hpp"
#include "tests/unit/config/generated.hpp"

namespace {

using namespace spillway;

config::Loaded<ProxyConfig> load(std::string_view yaml) {
  return config::load_text({"proxy.yaml", std::string(yaml)}, kProxyDefinition);
}

/// Path and message of every error, a line each.
std::string errors_of(std::string_view yaml) {
  std::string lines;
  for (const config::Error& error : load(yaml).errors) {
    lines += (lines.empty() ? "" : "\n") + error.path + ": " + error.message;
  }
  return lines;
}

/// A YAML document with one field, given by its path, set to a value: `a.b[].c` -> {a: {b: [{c: value}]}}.
std::string document_with(std::string_view path, const std::string& value) {
  std::string open;
  std::string close;
  while (true) {
    const std::size_t dot = path.find('.');
    std::string_view name = path.substr(0, dot);
    const bool element = name.ends_with("[]");
    if (element) name.remove_suffix(2);
    open.append("{").append(name).append(": ").append(element ? "[" : "");
    close.insert(0, element ? "]}" : "}");
    if (dot == std::string_view::npos) return open + value + close;
    path.remove_prefix(dot + 1);
  }
}

struct FieldRow {
  std::string_view path;
  std::string_view refused;
  std::string_view words;
};

constexpr std::string_view kLogFieldWords =
    "one of default, time, level, request_id, client_request_id, trace_id, client, peer, method, path, protocol, host, "
    "user_agent, status, outcome, reason, would_refuse, error, rule, stream, class, queue_ms, upstream_ms, total_ms, "
    "upstream_status, upstream_address, bytes_in, bytes_out, in_flight, limit, retries";
constexpr std::string_view kAddressWords = "an address: host:port, :port, [v6]:port, unix:/path or fd:N (3 or more)";
constexpr std::string_view kPathWords = "a path that begins with /, of visible ASCII characters without # and ?";

// Every scalar of proxy.yaml with a value just out of its range, and what the error says that it must be.
constexpr FieldRow kFields[] = {
    {"listen", "'8080'", kAddressWords},
    {"listen[].address", "x", kAddressWords},
    {"listen[].mode", "'0888'", "a file mode in octal, such as \"0660\""},
    {"listen[].group", "'a b'", "the name or number of a group"},
    {"listen[].proxy_protocol", "v2", "true or false"},
    {"listen[].http2", "h2c", "true or false"},
    {"listen[].tls.certificate", "''", "the path of a file"},
    {"listen[].tls.key", "''", "the path of a file"},
    {"listen[].tls.ocsp", "''", "the path of a file"},
    {"listen[].tls.client_ca", "\"a\\x07b\"", "a text of 0 to 4096 bytes without control characters"},
    {"listen[].tls.client_certificate", "maybe", "one of none, request, require"},
    {"listen[].tls.min_version", "'1.1'", "one of 1.2, 1.3"},
    {"listen[].tls.tickets", "1h", "true or false"},
    {"workers", "0", "an integer from 1 to 64"},
    {"reload", "never", "one of auto, signal"},
    {"admin.listen", "x", kAddressWords},
    {"upstream.address", "x", kAddressWords},
    {"upstream.resolve_interval", "0", "a duration from 100ms to 1h"},
    {"upstream.tls.enabled", "tls", "true or false"},
    {"upstream.tls.server_name", "'a b'", "a host of visible ASCII characters, at most 255, or nothing"},
    {"upstream.tls.ca", "\"a\\x07b\"", "a text of 0 to 4096 bytes without control characters"},
    {"upstream.tls.certificate", "\"a\\x07b\"", "a text of 0 to 4096 bytes without control characters"},
    {"upstream.tls.key", "\"a\\x07b\"", "a text of 0 to 4096 bytes without control characters"},
    {"upstream.tls.verify", "peer", "true or false"},
    {"upstream.max_connections", "0", "auto, or an integer from 1 to 65536"},
    {"upstream.max_idle", "-1", "an integer from 0 to 65536"},
    {"upstream.idle_timeout", "9ms", "a duration from 10ms to 24h"},
    {"upstream.connect_timeout", "0", "a duration from 1ms to 5m"},
    {"upstream.when_client_leaves", "stay", "one of finish, cancel"},
    {"upstream.health.path", "health", kPathWords},
    {"upstream.health.mode", "udp", "one of http, tcp, off"},
    {"upstream.health.host", "a b", "a host of visible ASCII characters, at most 255, or nothing"},
    {"upstream.health.expect", "399-200", "statuses such as 200-399 or 200,401-403"},
    {"upstream.health.fall", "0", "an integer from 1 to 100"},
    {"upstream.health.rise", "101", "an integer from 1 to 100"},
    {"upstream.health.interval", "2h", "a duration from 0s to 1h"},
    {"upstream.health.timeout", "0", "a duration from 1ms to 5m"},
    {"timeouts.handshake", "0", "a duration from 10ms to 5m"},
    {"timeouts.request_head", "0", "a duration from 10ms to 1h"},
    {"timeouts.request_body", "0", "a duration from 10ms to 1h"},
    {"timeouts.response", "0", "a duration from 10ms to 24h"},
    {"timeouts.keep_alive", "25h", "a duration from 0s to 24h"},
    {"timeouts.tunnel", "25h", "a duration from 0s to 24h"},
    {"timeouts.drain", "2h", "a duration from 0s to 1h"},
    {"timeouts.drain_delay", "2h", "a duration from 0s to 1h"},
    {"limits.connections", "0", "an integer from 1 to 1000000"},
    {"limits.connections_per_client", "-1", "an integer from 0 to 1000000"},
    {"limits.handshakes", "0", "an integer from 1 to 100000"},
    {"limits.head", "1023", "a size from 1KiB to 1MiB"},
    {"limits.headers", "1001", "an integer from 1 to 1000"},
    {"limits.uri", "63", "a size from 64 to 1MiB"},
    {"limits.body", "1025GiB", "a size from 0 to 1024GiB"},
    {"limits.response_head", "1025KiB", "a size from 1KiB to 1MiB"},
    {"limits.response_headers", "0", "an integer from 1 to 1000"},
    {"limits.methods", "GET", "one of known, any"},
    {"limits.buffered", "1025GiB", "a size from 0 to 1024GiB"},
    {"limits.min_rate", "1025MiB", "a size from 0 to 1GiB"},
    {"limits.http2.streams", "1001", "an integer from 1 to 1000"},
    {"limits.http2.resets", "0", "an integer from 1 to 100000"},
    {"limits.http2.frames", "0", "an integer from 1 to 100000"},
    {"limits.http2.continuations", "1001", "an integer from 0 to 1000"},
    {"limits.allow_underscores", "maybe", "true or false"},
    {"admission.mode", "on", "one of enforce, shadow, off"},
    {"admission.max_concurrent", "0", "an integer from 1 to 65536"},
    {"admission.shed_at", "80", "a number from 0 to 1"},
    {"admission.retry_after", "8s..4s", "auto, a duration from 1s to 1h, or a range of two such as 4s..8s"},
    {"admission.queue.max_length", "-1", "auto, or an integer from 0 to 65536"},
    {"admission.queue.max_wait", "6m", "a duration from 0s to 5m"},
    {"admission.queue.target", "2m", "a duration from 0s to 1m"},
    {"admission.queue.patience", "0", "a duration from 1ms to 1m"},
    {"admission.queue.interval", "0", "a duration from 1ms to 1m"},
    {"admission.streams.max", "-1", "an integer from 0 to 65536"},
    {"admission.adaptive.enabled", "1", "true or false"},
    {"admission.adaptive.min", "0", "an integer from 1 to 65536"},
    {"admission.pool_aware", "1", "true or false"},
    {"admission.cohorts.key", "header", "none, client_ip, bearer, client_certificate, header:NAME or cookie:NAME"},
    {"admission.cohorts.rotate", "0", "a duration from 1s to 24h"},
    {"admission.cohorts.seed", "\"\\x01\"", "a text of 0 to 256 bytes without control characters"},
    {"admission.fairness.key", "header", "none, client_ip, bearer, client_certificate, header:NAME or cookie:NAME"},
    {"admission.fairness.ipv6_prefix", "0", "an integer from 1 to 128"},
    {"admission.fairness.share", "0", "a number from 0.01 to 1"},
    {"classes[].name", "A b", "a name of 1 to 32 lower-case letters, digits, - and _"},
    {"classes[].shed_at", "1.1", "a number from 0 to 1"},
    {"classes[].reserve", "-1", "an integer from 0 to 65536"},
    {"classes[].max_concurrent", "-1", "an integer from 0 to 65536"},
    {"classes[].pool_aware", "1", "true or false"},
    {"classes[].match[].path", "x", kPathWords},
    {"classes[].match[].path_prefix", "'/a?b'", kPathWords},
    {"classes[].match[].method", "get", "a method in capital letters"},
    {"classes[].match[].path_regex", "'/a('",
     "a regular expression of at most 1000 visible ASCII characters, in the syntax of RE2"},
    {"classes[].match[].host", "example.org:80",
     "a host such as example.org, *.example.org or [2001:db8::1], without a port"},
    {"classes[].match[].query", "''", "a text of 1 to 256 bytes without control characters"},
    {"classes[].match[].cookie", "'a b'", "the name of a cookie"},
    {"classes[].match[].client_certificate", "batch", "attributes of a subject such as CN=batch,O=Example"},
    {"classes[].match[].header", "'a:'", "the name of a header field"},
    {"classes[].match[].value", "\"a\\x07\"", "a text of 0 to 4096 bytes without control characters"},
    {"tracing.endpoint", "'https://localhost:4318'", "empty, or the URL of a collector such as http://localhost:4318"},
    {"tracing.sample_ratio", "1.1", "a number from 0 to 1"},
    {"tracing.service_name", "''", "a text of 1 to 256 bytes without control characters"},
    {"breaker.enabled", "1", "true or false"},
    {"breaker.window", "0", "a duration from 1s to 1h"},
    {"breaker.min_requests", "0", "an integer from 1 to 1000000"},
    {"breaker.failure_ratio", "0", "a number from 0.01 to 1"},
    {"breaker.slow_call", "2h", "a duration from 0s to 1h"},
    {"breaker.slow_ratio", "50", "a number from 0.01 to 1"},
    {"breaker.open_for", "0", "a duration from 100ms to 1h"},
    {"breaker.max_open", "0", "a duration from 100ms to 24h"},
    {"breaker.trial_requests", "0", "an integer from 1 to 1000"},
    {"breaker.ramp", "11m", "a duration from 0s to 10m"},
    {"retry.attempts", "2", "an integer from 0 to 1"},
    {"retry.budget", "20", "a number from 0 to 1"},
    {"maintenance.enabled", "1", "true or false"},
    {"maintenance.retry_after", "0", "a duration from 1s to 24h"},
    {"maintenance.message", "''", "a text of 1 to 500 bytes without control characters"},
    {"refusals.cors.allow_origins[]", "example.com", "* or an origin without a path, such as https://app.example.com"},
    {"refusals.cors.expose_headers[]", "'a:'", "the name of a header field"},
    {"trusted_proxies[]", "10.0.0.1/8",
     "an address or a network such as 10.0.0.0/8, with no bit set beyond its prefix"},
    {"forwarded_header", "1", "true or false"},
    {"log.level", "verbose", "one of debug, info, warn, error"},
    {"log.access", "some", "one of all, errors, off"},
    {"log.format", "xml", "one of auto, json, text"},
    {"log.query", "1", "true or false"},
    {"log.fields", "statos", kLogFieldWords},
    {"trust_traces", "yes", "true or false"},
};

/// Keys of `refusals.default` and of each reason.
constexpr FieldRow kRefusalFields[] = {
    {"status", "200", "auto, or an integer from 400 to 599"},
    {"content_type", "html", "a content type such as text/html; charset=utf-8"},
    {"file", "/nonexistent", "the path of a readable file of at most 16384 bytes"},
    {"headers[]", "'Content-Length: 3'",
     "'Name: value' in visible ASCII, and none of the fields that the proxy sets itself"},
};

/// The paths of all scalars, lists of them included.
class Paths final : public config::Fields {
 public:
  std::set<std::string> found;

  void scalar(const config::Key& key, config::Scalar /*scalar*/) override {
    found.insert(prefix_ + std::string(key.name));
    CHECK(key.doc.ends_with('.'));
  }
  void section(const config::Key& key, const std::function<void()>& members) override {
    nested(std::string(key.name) + '.', members);
  }
  void list(const config::Key& key, config::List list) override {
    if (list.scalar) found.insert(prefix_ + std::string(key.name) + (list.single ? "" : "[]"));
    if (!list.members) return;
    list.resize(1);
    nested(std::string(key.name) + "[].", [&] { list.members(0); });
  }

 private:
  void nested(const std::string& step, const std::function<void()>& members) {
    const std::string outer = prefix_;
    prefix_ += step;
    members();
    prefix_ = outer;
  }
  std::string prefix_;
};

TEST_CASE("the endpoint of traces is a plain URL; /v1/traces is added where it is missing") {
  struct Row {
    std::string_view url, host, path, address;
  };
  for (const Row& row : {Row{"http://localhost:4318", "localhost:4318", "/v1/traces", "localhost:4318"},
                         {"http://otel", "otel", "/v1/traces", "otel:80"},
                         {"http://[::1]:4318/", "[::1]:4318", "/v1/traces", "[::1]:4318"},
                         {"http://otel:4318/in/", "otel:4318", "/in/v1/traces", "otel:4318"},
                         {"http://otel:4318/v1/traces", "otel:4318", "/v1/traces", "otel:4318"}}) {
    CAPTURE(row.url);
    TracingEndpoint endpoint;
    CHECK(parse(row.url, endpoint));
    CHECK(endpoint.host == row.host);
    CHECK(endpoint.path == row.path);
    CHECK(to_text(endpoint.address) == row.address);
  }
  for (const char* url : {"", "otel:4318", "https://otel", "http://", "http:///v1/traces", "http://a b", "http://a@b",
                          "http://a?b", "http://a#b", "http://a:0", "http://a:x", "http://unix:/a"}) {
    CAPTURE(url);
    TracingEndpoint endpoint;
    CHECK_FALSE(parse(url, endpoint));
  }
}

TEST_CASE("every field of the proxy refuses a value out of its range, and names what it accepts") {
  ProxyConfig defaults;
  Paths paths;
  describe(paths, defaults);
  std::set<std::string> tested;
  std::vector<std::string> sections{"default"};
  sections.insert(sections.end(), admission::kReasonNames.begin(), admission::kReasonNames.end());
  std::deque<std::string> further_paths;
  std::vector<FieldRow> rows(std::begin(kFields), std::end(kFields));
  for (const std::string& section : sections) {
    const std::string prefix = "refusals." + section + ".";
    rows.push_back({further_paths.emplace_back(prefix + "format"), "html",
                    section == "default" ? "one of problem, file" : "one of default, problem, file"});
    for (const FieldRow& row : kRefusalFields) {
      rows.push_back({further_paths.emplace_back(prefix + std::string(row.path)), row.refused, row.words});
    }
  }
  // What a rule asks for can also be negated.
  constexpr std::string_view kRule = "classes[].match[].";
  for (const FieldRow& row : kFields) {
    if (!row.path.starts_with(kRule)) continue;
    std::string& negated = further_paths.emplace_back(kRule);
    negated.append("not.").append(row.path.substr(kRule.size()));
    rows.push_back({negated, row.refused, row.words});
  }
  // The admin listener has the same keys as the others.
  for (const FieldRow& row : kFields) {
    if (row.path.starts_with("listen[]."))
      rows.push_back({further_paths.emplace_back("admin.").append(row.path), row.refused, row.words});
  }
  for (const FieldRow& row : rows) {
    CAPTURE(row.path);
    tested.insert(std::string(row.path));
    const std::string yaml = document_with(row.path, std::string(row.refused));
    const std::string errors = errors_of(yaml);
    const bool secret = row.path == "admission.cohorts.seed";
    const std::string message = ": must be " + std::string(row.words) + (secret ? " (value not shown)" : ", not '");
    CHECK_MESSAGE(errors.find(message) != std::string::npos, errors);
  }
  CHECK(tested == paths.found);
}

TEST_CASE("the body of a refusal is read with the configuration, and must be a template of known names") {
  const std::string path = std::filesystem::temp_directory_path() / ("spillway_body_" + std::to_string(::getpid()));
  const auto with = [&](const std::string& text) {
    std::ofstream(path) << text;
    return load("refusals: {default: {format: file, file: " + path + "}}");
  };
  const auto good = with("{{reason}} after {{retry_after}}, {{request_id}}: {{detail}}");
  CHECK(good.ok());
  CHECK(good.config.refusals.of(admission::Reason::pool).file.text.starts_with("{{reason}} after"));
  const auto unknown = with("{{resaon}}");
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.errors.front().message.ends_with(
      "; only {{reason}}, {{retry_after}}, {{request_id}} and {{detail}} can stand in it"));
  CHECK_FALSE(with("open {{reason").ok());
  CHECK(with(std::string(kMaxBodyFile, 'x')).ok());
  CHECK_FALSE(with(std::string(kMaxBodyFile + 1, 'x')).ok());
  std::filesystem::remove(path);
  CHECK(errors_of("refusals: {default: {format: file}}") ==
        "refusals.default.format: format: file needs file, the path of the body");
  CHECK(errors_of("refusals: {capacity: {file: " + generated::path_of("proxy.yaml") + "}}") ==
        "refusals.capacity.file: file has an effect only with format: file");
}

TEST_CASE("a further field of a refusal is none that the proxy sets itself") {
  for (const char* own : {"Content-Length: 1", "transfer-encoding: x", "RETRY-AFTER: 3", "Set-Cookie", ": x", "a b: c",
                          "Access-Control-Allow-Origin: x", "X: a\x7f", "X: \xc3\xa4"}) {
    HeaderLine line;
    CAPTURE(own);
    CHECK_FALSE(parse(own, line));
  }
  HeaderLine line;
  CHECK(parse("X-Shed:  yes ", line));
  CHECK(to_text(line) == "X-Shed: yes");
}

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
          Row{"listen: [a:1, b:1, a:1]", "listen[2]: listens on a:1 twice"},
          Row{"listen: [a:0, a:0]", ""},
          Row{"listen: {address: unix:/x, mode: \"0660\", group: www-data}", ""},
          Row{"listen: [a:1, {address: unix:/x, mode: 600, group: 0}, {address: b:1}]", ""},
          Row{"listen: [unix:/x, {address: unix:/x}]", "listen[1]: listens on unix:/x twice"},
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
          Row{"upstream: {tls: {enabled: true, key: /k.pem}}", "upstream.tls.key: key needs certificate beside it"},
          Row{"upstream: {address: \"localhost:1\", tls: {enabled: true}}", ""},
          Row{"listen: {address: unix:/x, mod: \"0660\"}", "listen[0].mod: unknown key; did you mean mode?"},
          Row{"listen: {address: unix:/x, mode: \"4660\"}",
              "listen[0].mode: must be a file mode in octal, such as \"0660\", not '4660'"},
          Row{"listen: [[a:1]]",
              "listen[0]: must be an address: host:port, :port, [v6]:port, unix:/path or fd:N (3 or more), not a "
              "list"},
          Row{"listen: a:1\nadmin: {listen: a:1}", "admin.listen: listens on a:1, which is taken by `listen`"},
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

TEST_CASE("a rule is printed without what it does not ask for, and reads back") {
  constexpr std::string_view kRules =
      "classes:\n"
      "  - name: a\n"
      "    shed_at: 0.8\n"
      "    reserve: 0\n"
      "    max_concurrent: 0\n"
      "    pool_aware: true\n"
      "    match:\n"
      "      - path_regex: \"/a/[0-9]+\"\n"
      "        host: \"*.example.org\"\n"
      "        query: full\n"
      "        not:\n"
      "          cookie: staff\n"
      "          value: yes!\n"
      "      - client_certificate: \"CN=a,O=b\"\n"
      "      - not:\n"
      "          method: GET\n";
  const auto loaded = load(kRules);
  REQUIRE(loaded.ok());
  const std::string printed = config::to_yaml(loaded.config, kProxyDefinition);
  const std::size_t begin = printed.find("classes:"), end = printed.find("breaker:");
  std::string expected(kRules);
  expected.replace(expected.find("yes!"), 4, "\"yes!\"");
  CHECK(printed.substr(begin, end - begin) == expected);
}

TEST_CASE("retry_after is a time, a range of two or auto; max_connections a number or auto") {
  for (const std::string_view text : {"auto", "5s", "4s..8s", "1s..1h"}) {
    admission::RetryAfterPolicy value;
    CHECK(parse(text, value));
    CHECK(to_text(value) == text);
  }
  admission::RetryAfterPolicy same;
  CHECK(parse("5s..5s", same));
  CHECK(to_text(same) == "5s");
  for (const std::string_view text :
       {"", "..", "4s..", "..8s", "4s..8s..9s", "0..5s", "8s..4s", "4s...8s", "1s..2h", "auto..5s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse(text, same));
  }
  for (const std::string_view text : {"auto", "100"}) {
    const auto loaded = load("upstream: {max_connections: " + std::string(text) + "}");
    CHECK(loaded.ok());
    CHECK(config::to_yaml(loaded.config, kProxyDefinition).find("max_connections: " + std::string(text) + "\n") !=
          std::string::npos);
  }
}

TEST_CASE("a slip in retry_after or in a number that may be auto is told with what to write instead") {
  const auto hint = [](const std::string& yaml) {
    const std::string errors = errors_of(yaml);
    const std::size_t at = errors.rfind("; ");
    return at == std::string::npos ? "none: " + errors : errors.substr(at + 2);
  };
  for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{{"5 s", "write 5s"},
                                                                                       {"5sec", "write 5s"},
                                                                                       {"Auto", "write auto"},
                                                                                       {"4s...8s", "write 4s..8s"},
                                                                                       {"4 s .. 8 s", "write 4s..8s"},
                                                                                       {"4s-8s", "write 4s..8s"},
                                                                                       {"4s to 8s", "write 4s..8s"},
                                                                                       {"1min", "write 1m"}}) {
    CAPTURE(text);
    CHECK(hint("admission: {retry_after: \"" + text + "\"}") == expected);
  }
  CHECK(hint("admission: {retry_after: 8s..4s}").starts_with("none"));
  CHECK(hint("upstream: {max_connections: AUTO}") == "write auto");
  CHECK(hint("upstream: {max_connections: 1_000}") == "write 1000");
  CHECK(hint("upstream: {max_connections: 80%}") == "it is a number, not a share");
  CHECK(hint("admission: {queue: {max_length: 1k}}") == "write 1000");
  const auto doubtful = load("admission: {retry_after: 1500}");
  REQUIRE(doubtful.ok());
  REQUIRE(doubtful.warnings.size() == 1);
  CHECK(doubtful.warnings[0].message == "1500 is 25 minutes; write 1500ms or 1500s");
  CHECK(load("admission: {retry_after: 1500s}").warnings.empty());
}

TEST_CASE("heads of requests and responses have separate limits") {
  const LimitsConfig defaults;
  CHECK_FALSE(defaults.request_head.underscores);
  CHECK_FALSE(defaults.request_head.any_method);
  const auto loaded = load(
      "limits: {head: 4KiB, uri: 1KiB, headers: 17, response_head: 8KiB, response_headers: 33, allow_underscores: "
      "true, "
      "methods: any}");
  REQUIRE(loaded.ok());
  const LimitsConfig& limits = loaded.config.limits;
  CHECK(limits.request_head.head == 4096);
  CHECK(limits.request_head.uri == 1024);
  CHECK(limits.request_head.headers == 17);
  CHECK(limits.request_head.underscores);
  CHECK(limits.request_head.any_method);
  CHECK(limits.response_head.head == 8192);
  CHECK(limits.response_head.headers == 33);
}

TEST_CASE("the defaults are valid and read back as they are printed") {
  ProxyConfig defaults;
  const auto loaded = load(config::to_yaml(defaults, kProxyDefinition));
  CHECK(loaded.ok());
  defaults.classes = {critical_health(defaults.upstream.health)};
  const std::string printed = config::to_yaml(defaults, kProxyDefinition);
  CHECK(config::to_yaml(loaded.config, kProxyDefinition) == printed);
  CHECK(config::to_yaml(load(printed).config, kProxyDefinition) == printed);
}

TEST_CASE("without classes of its own a configuration has critical, for GET of the health path") {
  struct Row {
    std::string yaml;
    std::string path;
  };
  for (const Row& row : {Row{"workers: 2", "/health"}, Row{"classes: []", "/health"}, Row{"classes:", "/health"},
                         Row{"upstream: {health: {path: /ping}}", "/ping"},
                         Row{"classes: []\nupstream: {health: {path: /ping, interval: 0}}", "/ping"}}) {
    CAPTURE(row.yaml);
    const auto loaded = load(row.yaml);
    REQUIRE(loaded.ok());
    REQUIRE(loaded.config.classes.size() == 1);
    const ClassConfig& critical = loaded.config.classes[0];
    CHECK(critical.name == "critical");
    CHECK(critical.shed_at == 1.0);
    CHECK(critical.reserve == 0);
    REQUIRE(critical.match.size() == 1);
    CHECK(critical.match[0].path == row.path);
    CHECK(critical.match[0].method == "GET");
    CHECK(!critical.match[0].path_prefix);
    CHECK(!critical.match[0].header);
  }
  const auto own = load("classes: [{name: a, match: [{path: /a}]}]");
  REQUIRE(own.config.classes.size() == 1);
  CHECK(own.config.classes[0].name == "a");
}

TEST_CASE("log.fields is `default` or a list of names, and a slip is recognised") {
  CHECK(all_of(load("").config.log.fields) == kAllLogFields);
  CHECK(all_of(load("log: {fields: default}").config.log.fields) == kAllLogFields);
  const auto some = load("log: {fields: [status, path]}");
  CHECK(all_of(some.config.log.fields) == (bit(LogField::path) | bit(LogField::status)));
  CHECK(config::to_yaml(some.config, kProxyDefinition).find("fields: [status, path]") != std::string::npos);
  CHECK(config::to_yaml(load("").config, kProxyDefinition).find("fields: default") != std::string::npos);
  CHECK(errors_of("log: {fields: [status, user_agnet]}").ends_with("not 'user_agnet'; did you mean user_agent?"));
}

TEST_CASE("an entry of listen is an address or a map, is printed in the shorter form, and reads back") {
  struct Row {
    std::string_view yaml;
    std::string_view printed;
  };
  for (const Row& row : {
           Row{"listen: a:1", "listen: a:1\n"},
           Row{"listen: {address: a:1}", "listen: a:1\n"},
           Row{"listen: [a:1, {address: b:2}]", "listen: [a:1, b:2]\n"},
           Row{"listen: {address: unix:/x, mode: 0660}", "listen:\n  - address: unix:/x\n    mode: \"0660\"\n"},
           Row{"listen: {address: a:1, proxy_protocol: true}\ntrusted_proxies: [10.0.0.0/8]",
               "listen:\n  - address: a:1\n    proxy_protocol: true\n"},
           Row{"listen: {address: a:1, proxy_protocol: false}", "listen: a:1\n"},
           Row{"listen: {address: a:1, http2: true}", "listen:\n  - address: a:1\n    http2: true\n"},
           Row{"listen: {address: a:1, http2: false}", "listen: a:1\n"},
           Row{"listen: [a:1, {address: unix:/x, group: g}]",
               "listen:\n  - address: a:1\n  - address: unix:/x\n    group: g\n"},
       }) {
    CAPTURE(row.yaml);
    const auto loaded = load(row.yaml);
    REQUIRE(loaded.ok());
    const std::string printed = config::to_yaml(loaded.config, kProxyDefinition);
    CHECK(printed.starts_with(row.printed));
    const auto again = load(printed);
    REQUIRE(again.ok());
    CHECK(again.config.listen == loaded.config.listen);

    // A reload keeps a value that takes a restart.
    ProxyConfig next = load("").config;
    const auto kept = config::keep_until_restart(loaded.config, next, kProxyDefinition);
    CHECK(kept == std::vector<std::string>{"listen"});
    CHECK(next.listen == loaded.config.listen);
  }
}

TEST_CASE("the shipped proxy.yaml is valid and holds the defaults, but for its two classes") {
  const auto shipped = config::load_file({generated::path_of("proxy.yaml")}, kProxyDefinition);
  for (const config::Error& error : shipped.errors) FAIL_CHECK(to_text(error));
  REQUIRE(shipped.config.classes.size() == 2);
  const ClassConfig& critical = shipped.config.classes[0];
  CHECK(critical.name == "critical");
  CHECK(critical.shed_at == 1.0);
  REQUIRE(critical.match.size() == 2);
  CHECK(critical.match[0].path == "/health");
  CHECK(critical.match[1].path_prefix == "/api/v1/auth/");
  const ClassConfig& background = shipped.config.classes[1];
  CHECK(background.shed_at == 0.6);
  CHECK(background.match[0].header == "X-Priority");
  CHECK(background.match[0].value == "background");

  ProxyConfig without_classes = shipped.config;
  without_classes.classes.clear();
  CHECK(config::to_yaml(without_classes, kProxyDefinition) == config::to_yaml(ProxyConfig{}, kProxyDefinition));
  const std::string printed = config::to_yaml(shipped.config, kProxyDefinition);
  CHECK(config::to_yaml(load(printed).config, kProxyDefinition) == printed);
}

TEST_CASE("schema and reference agree with the description") {
  generated::check_file("proxy.schema.json", config::to_schema(kProxyDefinition, "spillway configuration"));
  generated::check_section("REFERENCE.md", config::to_reference(kProxyDefinition, "spillway configuration"));
}

}  // namespace
