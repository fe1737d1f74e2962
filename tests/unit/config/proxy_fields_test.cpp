#include <deque>
#include <set>

#include <doctest/doctest.h>

#include "tests/unit/config/proxy_document.hpp"

namespace {

using namespace spillway;
using namespace proxy_document;

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
    {"io", "kqueue", "one of auto, epoll, io_uring"},
    {"workers", "0", "an integer from 1 to 64"},
    {"reload", "never", "one of auto, signal"},
    {"handover", "run/spillway.sock", "an absolute path of at most 107 bytes, or empty"},
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
    {"limits.http2.memory", "1023KiB", "a size from 1MiB to 1024GiB"},
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
    {"classes[].deadline", "2h", "a duration from 0s to 1h"},
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
    {"tracing.endpoint", "'ftp://localhost:4318'", "empty, or the URL of a collector such as http://localhost:4318"},
    {"tracing.ca", "\"a\\x07\"", "a text of 0 to 4096 bytes without control characters"},
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

}  // namespace
