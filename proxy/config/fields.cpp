#include "proxy/config/fields.hpp"

#include <algorithm>

#include "proxy/http/grammar.hpp"

namespace spillway {
namespace {

using config::Fields;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;

constexpr config::TextForm kClassName = {
    "a name of 1 to 32 lower-case letters, digits, - and _", "^[a-z0-9_-]{1,32}$", [](std::string_view text) {
      const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
      return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), fits);
    }};

constexpr config::TextForm kPath = {"a path that begins with /, of visible ASCII characters without # and ?",
                                    "^/[!-\"$->@-~]*$", [](std::string_view text) {
                                      const auto fits = [](char c) {
                                        return c > ' ' && c < 0x7F && c != '#' && c != '?';
                                      };
                                      return text.starts_with('/') && std::all_of(text.begin(), text.end(), fits);
                                    }};

constexpr config::TextForm kMethod = {"a method in capital letters", "^[A-Z-]+$", [](std::string_view text) {
                                        return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
                                          return (c >= 'A' && c <= 'Z') || c == '-';
                                        });
                                      }};

constexpr config::TextForm kFieldName = {"the name of a header field", "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", http::is_token};

void describe_upstream(Fields& f, UpstreamConfig& c) {
  f.value({.name = "address", .doc = "Where the API listens; not `fd:N`.", .needs_restart = true}, c.address);
  f.scalar(
      {"max_connections",
       "Connections to the API at a time, all workers together. At least `admission.max_concurrent`. auto: 256, or "
       "that and `max_idle` together if they are more."},
      scalar_of(c.max_connections));
  f.integer({"max_idle", "Connections kept open for the next request. 0: each request connects anew."}, c.max_idle,
            {0, 65'536});
  f.duration({"idle_timeout", "An idle connection is closed after this. Keep it below the API's own."}, c.idle_timeout,
             {10ms, 24h});
  f.duration({"connect_timeout", "Longest time to connect; then 504."}, c.connect_timeout, {1ms, 5min});
  f.choice({"when_client_leaves",
            "finish: the slot stays taken until the API has answered; cancel: close towards the API and free it."},
           c.when_client_leaves, {{"finish", WhenClientLeaves::finish}, {"cancel", WhenClientLeaves::cancel}});
  f.section({"health", "Polling of the API: readiness, and the fallback source of the pool report."}, [&] {
    f.text({"path", "Polled with GET. Any 2xx answer is healthy; any other, a redirect or none is not."}, c.health.path,
           kPath);
    f.duration({"interval", "Time between polls. 0: no polling; the API then counts as reachable."}, c.health.interval,
               {0s, 1h});
    f.duration({"timeout", "A poll not answered within this has failed."}, c.health.timeout, {1ms, 5min});
  });
}

void describe_timeouts(Fields& f, TimeoutsConfig& c) {
  f.duration({"request_head", "From the first byte of a request to the end of its head; then 408."}, c.request_head,
             {10ms, 1h});
  f.duration({"request_body", "Longest silence while a request body is due; then 408."}, c.request_body, {10ms, 1h});
  f.duration({"response",
              "From the request sent to the response head (then 504), and longest silence in its body (then aborted)."},
             c.response, {10ms, 24h});
  f.duration(
      {"keep_alive",
       "An idle client connection is closed silently after this. 0: each response ends it, with `Connection: close`."},
      c.keep_alive, {0s, 24h});
  f.duration({"tunnel", "Longest silence on an upgraded connection such as a WebSocket. 0: no limit."}, c.tunnel,
             {0s, 24h});
  f.duration({"drain",
              "From the signal to the exit at the latest; what runs, tunnels and streams included, has until then. 0: "
              "at once."},
             c.drain, {0s, 1h});
  f.duration({"drain_delay",
              "How long listeners go on after `/ready` has turned 503, for load balancers that poll. Part of `drain`."},
             c.drain_delay, {0s, 1h});
}

void describe_limits(Fields& f, LimitsConfig& c) {
  f.integer(
      {"connections",
       "Client connections at a time; further ones are answered 503. Lowered at the start, with a warning, if the "
       "process may not have that many descriptors open."},
      c.connections, {1, 1'000'000});
  f.integer(
      {"connections_per_client",
       "Connections of one client at a time, by its address (IPv6: by /64); further ones are answered 503. Not for "
       "trusted proxies and unix sockets. 0: no limit of its own."},
      c.connections_per_client, {0, 1'000'000});
  f.size({"head", "Request line and header fields of a request together; beyond it 431."}, c.request_head.head,
         {1 * kKiB, 1 * kMiB});
  f.integer({"headers", "Header fields of a request; beyond it 431."}, c.request_head.headers, {1, 1000});
  f.size({"uri", "Request target; beyond it 414."}, c.request_head.uri, {64, 1 * kMiB});
  f.size({"body", "Request body; beyond it 413. 0: no limit."}, c.body, {0, 1024 * kGiB});
  f.size({"response_head", "Status line and header fields of an answer of the API together; beyond it 502."},
         c.response_head.head, {1 * kKiB, 1 * kMiB});
  f.integer({"response_headers", "Header fields of an answer of the API; beyond it 502."}, c.response_head.headers,
            {1, 1000});
  f.size(
      {"buffered",
       "Bodies held in memory at once, of requests and answers together, beside the 16 KiB that each connection has. "
       "0: none."},
      c.buffered, {0, 1024 * kGiB});
  f.size(
      {"min_rate",
       "Bytes a second that a client must send or take while the API waits for it, as a mean of 5 s; else 408, or the "
       "answer is cut. 0: any."},
      c.min_rate, {0, 1 * kGiB});
  f.flag(
      {"allow_underscores", "Whether field names may hold `_`, which CGI-like servers confuse with `-`. false: 400."},
      c.request_head.underscores);
  f.choice({"methods",
            "known: methods of the IANA registry and of WebDAV that the parser knows; any: any well-formed name of at "
            "most 32 bytes, such as QUERY. Others: 501."},
           c.request_head.any_method, {{"known", false}, {"any", true}});
}

void describe_admission(Fields& f, admission::Policy& c, ClientKeyConfig& client_key) {
  using admission::Mode;
  f.choice({"mode",
            "enforce: refuse what is over capacity; shadow: decide and count, never refuse; off: admit all. Neither of "
            "the latter keeps to `upstream.max_connections`; `limits.connections`, which guards the descriptors, and "
            "`maintenance`, which is asked for, hold in every mode."},
           c.mode, {{"enforce", Mode::enforce}, {"shadow", Mode::shadow}, {"off", Mode::off}});
  f.integer({"max_concurrent", "Capacity: requests in flight towards the API, all workers together."}, c.max_concurrent,
            {1, 65'536});
  f.number({"shed_at", "Share of capacity at which the default class is refused. 0: always."},
           c.classes.front().shed_at, {0, 1});
  f.value(
      {"retry_after",
       "Retry-After of a refusal, rounded up to whole seconds; of a range such as 4s..8s one is drawn for each. auto: "
       "from how fast requests finish at the moment. A refusal by the breaker says when the next chance is."},
      c.retry_after);
  f.section({"queue", "The bounded wait of requests that find no slot."}, [&] {
    f.integer({"max_length", "Waiting requests. 0: nobody waits."}, c.queue.max_length, {0, 65'536});
    f.duration({"max_wait", "Longest wait; then refused. 0: refuse at once."}, c.queue.max_wait, {0s, 5min});
    f.duration({"target",
                "When the smallest wait of an interval stays above it, the newest are served first. 0: never; first "
                "come, first served."},
               c.queue.target, {0s, 1min});
    f.duration({"interval", "The time over which the smallest wait is taken."}, c.queue.interval, {1ms, 1min});
  });
  f.section({"adaptive", "A limit learned from latency and throughput, never above `max_concurrent`."}, [&] {
    f.flag({"enabled", "Whether the limit is learned."}, c.adaptive.enabled);
    f.integer({"min", "The learned limit never goes below it."}, c.adaptive.min, {1, 65'536});
  });
  f.flag({"pool_aware",
          "Also refuse by the database-pool utilisation that the API reports, against each class's `shed_at`."},
         c.pool_aware);
  f.section({"fairness", "A bound on what one client takes while others are refused."}, [&] {
    f.value(
        {"key", "What tells clients apart. Requests without the header, or without an address, count as one client's."},
        client_key.key);
    f.integer(
        {"ipv6_prefix",
         "With `client_ip`, IPv6 addresses with the same first bits, this many, are one client. 128: each is one."},
        client_key.ipv6_prefix, {1, 128});
    f.number({"share", "While shedding, no key holds more than this share of the slots in flight."}, c.fairness.share,
             {0.01, 1});
  });
}

void describe_match(Fields& f, MatchRule& c) {
  f.optional_text({"path", "The path, without query, is this one."}, c.path, kPath);
  f.optional_text({"path_prefix", "The path begins with this."}, c.path_prefix, kPath);
  f.optional_text({"method", "The method is this one."}, c.method, kMethod);
  f.optional_text({"header", "A header field of this name is there."}, c.header, kFieldName);
  f.optional_text({"value", "The field named by `header` has this value."}, c.value, {0, config::kMaxTextBytes});
}

void describe_class(Fields& f, ClassConfig& c) {
  f.text({.name = "name",
          .doc = "A label in metrics and logs. Adding, removing and renaming classes takes a restart.",
          .needs_restart = true,
          .required = true},
         c.name, kClassName);
  f.number({"shed_at", "Share of capacity at which the class is refused. 0: always."}, c.shed_at, {0, 1});
  f.integer({"reserve", "Slots that only this class may take. 0: none."}, c.reserve, {0, 65'536});
  f.sections({.name = "match",
              .doc = "A request is of this class if one of the rules holds; a rule holds if all it gives hold.",
              .required = true},
             c.match, {1, 100}, [&f](MatchRule& rule) { describe_match(f, rule); });
}

void describe_breaker(Fields& f, admission::BreakerPolicy& c) {
  f.flag({"enabled", "Whether requests are kept from a failing API."}, c.enabled);
  f.duration({"window", "The time over which results are counted."}, c.window, {1s, 1h});
  f.integer({"min_requests",
             "Fewer results of a class in the window never open its breaker; a refused connect opens that for all at "
             "once."},
            c.min_requests, {1, 1'000'000});
  f.number(
      {"failure_ratio",
       "Share of failures that opens it: of a class's requests 5xx of the API and timeouts, of all connects those that "
       "are late; never the proxy's own refusals, nor what the API sheds: 503 or 429 with Retry-After."},
      c.failure_ratio, {0.01, 1});
  f.duration({"slow_call",
              "A response that takes longer is slow, if it also takes three times what its class usually does; and the "
              "longest a trial may take. 0: none is slow, and a trial may take 30s."},
             c.slow_call, {0s, 1h});
  f.number({"slow_ratio", "Share of slow responses that opens it."}, c.slow_ratio, {0.01, 1});
  f.duration(
      {"open_for",
       "How long it refuses before a trial; doubles on each failed trial. A successful health poll ends it early."},
      c.open_for, {100ms, 1h});
  f.duration({"max_open", "Where the doubling ends."}, c.max_open, {100ms, 24h});
  f.integer({"trial_requests", "Requests let through on trial; all must succeed."}, c.trial_requests, {1, 1000});
  f.duration({"ramp", "After closing, capacity grows back over as long as it was open, at most this. 0: at once."},
             c.ramp, {0s, 10min});
}

void describe_log(Fields& f, LogConfig& c) {
  f.choice(
      {"level", "The least severe messages that are written."}, c.level,
      {{"debug", LogLevel::debug}, {"info", LogLevel::info}, {"warn", LogLevel::warn}, {"error", LogLevel::error}});
  f.choice({"access", "Which requests get a line on standard output."}, c.access,
           {{"all", AccessLog::all}, {"errors", AccessLog::errors}, {"off", AccessLog::off}});
  f.choice({.name = "format", .doc = "auto: text on a terminal, JSON lines elsewhere.", .needs_restart = true},
           c.format, {{"auto", LogFormat::automatic}, {"json", LogFormat::json}, {"text", LogFormat::text}});
  f.flag({"query", "Whether the access log holds query strings, which may carry secrets."}, c.query);
}

}  // namespace

ClassConfig critical_health(const HealthConfig& health) {
  ClassConfig c;
  c.name = kCriticalClass;
  c.shed_at = 1.0;
  MatchRule& rule = c.match.emplace_back();
  rule.path = health.path;
  rule.method = "GET";
  return c;
}

void describe(Fields& f, ProxyConfig& c) {
  f.one_or_more({.name = "listen", .doc = "One address or a list.", .needs_restart = true}, c.listen, 16,
                [&f](config::Listen& each) { config::describe(f, each); });
  f.integer({.name = "workers",
             .doc = "Event-loop threads. The admission cap holds across all of them.",
             .needs_restart = true},
            c.workers, {1, 64});
  f.choice({.name = "reload",
            .doc = "auto: on SIGHUP and when the file's content changes, in whichever way; signal: on SIGHUP only.",
            .needs_restart = true},
           c.reload, {{"auto", Reload::automatic}, {"signal", Reload::signal}});
  f.section({"admin", "The read-only listener: metrics, health, status page."}, [&] {
    f.value({.name = "listen", .doc = "Not for the public: it answers anyone who connects.", .needs_restart = true},
            c.admin.listen);
  });
  f.section({"upstream", "The API behind the proxy."}, [&] { describe_upstream(f, c.upstream); });
  f.section({"timeouts", "How long anything may take."}, [&] { describe_timeouts(f, c.timeouts); });
  f.section({"limits", "How large anything may be."}, [&] { describe_limits(f, c.limits); });
  f.section({"admission", "Who goes on to the API."}, [&] { describe_admission(f, c.admission, c.client_key); });
  f.sections({"classes",
              "Request classes; the first that matches counts, and a request that none matches is `normal`. None: one "
              "class `critical`, never shed before the rest, for GET of `upstream.health.path`."},
             c.classes, {0, 32}, [&f](ClassConfig& each) { describe_class(f, each); });
  // The health path has been read by now, so that a file without classes is complete when it has been.
  if (c.classes.empty()) c.classes.push_back(critical_health(c.upstream.health));
  f.section({"breaker", "Refuses a class while the API fails at it, and all while it cannot be reached."},
            [&] { describe_breaker(f, c.admission.breaker); });
  f.section({"retry", "Sending a request again on a fresh connection, only where nothing can be done twice."}, [&] {
    f.integer({"attempts", "Further attempts for a request. 0: none."}, c.retry.attempts, {0, 1});
    f.number({"budget", "Retries in flight as a share of requests in flight; at least 3 are allowed."}, c.retry.budget,
             {0, 1});
  });
  f.section({"maintenance", "Answer 503 to every request but those of the class `critical`."}, [&] {
    f.flag({"enabled", "Whether it is on."}, c.maintenance.enabled);
    f.duration({"retry_after", "Retry-After of the answer, rounded up to whole seconds."}, c.maintenance.retry_after,
               {1s, 24h});
    f.text({"message", "The `detail` of the answer."}, c.maintenance.message, {1, 500});
  });
  f.values({"trusted_proxies", "Networks whose X-Forwarded-*, Forwarded and X-Request-ID are believed."},
           c.trusted_proxies);
  f.flag({"forwarded_header", "Whether `Forwarded` (RFC 7239) is sent to the API besides X-Forwarded-*."},
         c.forwarded_header);
  f.section({"log", "What is written to standard output."}, [&] { describe_log(f, c.log); });
}

}  // namespace spillway
