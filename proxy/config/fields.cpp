#include "proxy/config/fields.hpp"

#include <algorithm>
#include <charconv>

#include "proxy/config/admission_fields.hpp"

namespace spillway {
namespace {

using config::Fields;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;

constexpr config::TextForm kClassName = {
    "a name of 1 to 32 lower-case letters, digits, - and _", "^[a-z0-9_-]{1,32}$",
    [](std::string_view text) {
      const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
      return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), fits);
    },
    true};

/// One or two statuses, the first not above the second.
bool status_range(std::string_view text, int& first, int& last) {
  const auto status = [](std::string_view digits, int& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() && value >= 100 && value <= 599;
  };
  const std::size_t dash = text.find('-');
  const std::string_view high = dash == std::string_view::npos ? text : text.substr(dash + 1);
  return status(text.substr(0, dash), first) && status(high, last) && first <= last;
}

/// Calls `each(first, last)` for each range of a list. False: something in it is no range.
template <class Each>
bool each_status_range(std::string_view list, Each each) {
  for (;;) {
    const std::size_t comma = list.find(',');
    int first = 0, last = 0;
    if (!status_range(list.substr(0, comma), first, last)) return false;
    each(first, last);
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
  }
}

constexpr config::TextForm kStatuses = {
    "statuses such as 200-399 or 200,401-403", "^[1-5][0-9]{2}(-[1-5][0-9]{2})?(,[1-5][0-9]{2}(-[1-5][0-9]{2})?)*$",
    [](std::string_view text) { return each_status_range(text, [](int, int) {}); }, true};

constexpr config::TextForm kSocketPath = {
    "an absolute path of at most 107 bytes, or empty", "^(/.{1,106})?$", [](std::string_view text) {
      return text.empty() || (text.front() == '/' && text.size() > 1 && text.size() <= 107);
    }};

void describe_upstream(Fields& f, UpstreamConfig& c) {
  f.value(
      {.name = "address",
       .doc = "Where the API listens; not `fd:N`. Of a name, every address is tried; the one that works is remembered.",
       .needs_restart = true},
      c.address);
  f.duration(
      {"resolve_interval",
       "The name in `address` is looked up anew after this time, and soon after a connect has failed. Connections "
       "to addresses that it no longer has are not used again."},
      c.resolve_interval, {100ms, 1h});
  f.section({"tls", "Speak TLS to the API."}, [&] { describe_tls(f, c.tls); });
  f.scalar(
      {"max_connections",
       "Connections to the API at a time, all workers together; each stream holds one. At least "
       "`admission.max_concurrent`. auto: 256, or `admission.max_concurrent` + `max_idle` + `admission.streams.max` if "
       "that is more."},
      automatic_or(c.max_connections, {1, 65'536}));
  f.integer({"max_idle",
             "Idle connections kept open for the next requests. Never more than "
             "`max_connections`. 0: each request opens a connection."},
            c.max_idle, {0, 65'536});
  f.duration({"idle_timeout", "An idle connection is closed after this. Keep it below the API's own."}, c.idle_timeout,
             {10ms, 24h});
  f.duration({"connect_timeout", "Longest time to connect, with the handshake of TLS; then 504."}, c.connect_timeout,
             {1ms, 5min});
  f.choice(
      {"when_client_leaves",
       "finish: the slot stays in use until the API has answered; cancel: close the connection to the API and free the "
       "slot."},
      c.when_client_leaves, {{"finish", WhenClientLeaves::finish}, {"cancel", WhenClientLeaves::cancel}});
  f.section({"health", "Polls of the API: for readiness, and for the pool report if responses carry none."}, [&] {
    f.choice(
        {"mode",
         "http: GET of `path`; tcp: a connection is enough, for an API without such a path; off: no polling, the API "
         "counts as reachable."},
        c.health.mode, {{"http", HealthMode::http}, {"tcp", HealthMode::tcp}, {"off", HealthMode::off}});
    f.text({"path", "Polled with GET. A response with a status outside `expect` or none is a failed poll."},
           c.health.path, kPath);
    f.text({"host", "Host of the poll. Empty: the upstream's address."}, c.health.host, kHost);
    f.text({"expect", "Statuses of a good poll: ranges and single ones, separated by commas."}, c.health.expect,
           kStatuses);
    f.duration(
        {"interval",
         "Time between polls. While they fail, up to ten times as often; while connections are refused, at first up to "
         "100 a second, so that the API is used again as soon as it is back. 0: no polling; then the API counts as "
         "reachable."},
        c.health.interval, {0s, 1h});
    f.duration({"timeout", "A poll that is not answered within this time has failed."}, c.health.timeout, {1ms, 5min});
    f.integer(
        {"fall",
         "So many failed polls in a row make the API unreachable. Of those closer together than a tenth of `interval`, "
         "one counts. A request answered since the last poll counts as a good poll."},
        c.health.fall, {1, 100});
    f.integer({"rise", "So many good polls in a row make it reachable again."}, c.health.rise, {1, 100});
  });
}

void describe_timeouts(Fields& f, TimeoutsConfig& c) {
  f.duration({"handshake", "Longest TLS handshake of a client, from accept; then it is closed."}, c.handshake,
             {10ms, 5min});
  f.duration({"request_head", "From the first byte of a request to the end of its head; then 408."}, c.request_head,
             {10ms, 1h});
  f.duration({"request_body", "Longest silence while a request body is due; then 408."}, c.request_body, {10ms, 1h});
  f.duration({"response",
              "From the request sent to the response head (then 504), and longest silence in its body (then aborted)."},
             c.response, {10ms, 24h});
  f.duration({"keep_alive",
              "An idle client connection is closed silently after this. 0: each response has `Connection: close`."},
             c.keep_alive, {0s, 24h});
  f.duration({"tunnel", "Longest silence on an upgraded connection such as a WebSocket. 0: no limit."}, c.tunnel,
             {0s, 24h});
  f.duration(
      {"drain",
       "Longest time from the signal to the exit. Requests, tunnels and streams have until then to end. 0: exit at "
       "once."},
      c.drain, {0s, 1h});
  f.duration(
      {"drain_delay",
       "How long listeners still accept after `/ready` has turned 503, for load balancers that poll. Part of `drain`."},
      c.drain_delay, {0s, 1h});
}

void describe_http2(Fields& f, http2::Limits& c) {
  f.integer({"streams",
             "Requests at a time. A request that the client has reset counts until the API has answered it. Memory for "
             "heads and bodies grows with it."},
            c.streams, {1, 1000});
  f.integer(
      {"resets",
       "Requests a second that the client resets, that the proxy resets because they break a rule, or whose answer "
       "is not read; mean of 10 s for each of the three."},
      c.resets, {1, 100'000});
  f.integer({"frames",
             "Frames a second that carry nothing of a request, mean of 10 s for each kind: SETTINGS, PING, priorities, "
             "empty DATA, unknown ones, those for requests that were reset, and more WINDOW_UPDATE than the data sent "
             "explains."},
            c.frames, {1, 100'000});
  f.integer({"continuations", "CONTINUATION frames of one head."}, c.continuations, {0, 1000});
  f.size(
      {"memory",
       "Memory for requests of all connections together, without their bodies: some 7 KiB each, and its decoded head "
       "until the API has answered. Each worker has an equal part, and one connection a quarter of that. Beyond it "
       "requests are given up that wait for their clients, of the connection first where they hold most "
       "(ENHANCE_YOUR_CALM); while none waits, new ones are refused (REFUSED_STREAM)."},
      c.memory, {1 * kMiB, 1024 * kGiB});
}

void describe_limits(Fields& f, LimitsConfig& c) {
  f.integer(
      {"connections",
       "Client connections at a time; further ones are answered 503. Lowered at the start, with a warning, if the "
       "process may not open so many descriptors."},
      c.connections, {1, 1'000'000});
  f.integer(
      {"connections_per_client",
       "Connections of one client at a time, by its address (IPv6: by /64); further ones are answered 503. Not for "
       "trusted proxies and unix sockets. 0: no such limit."},
      c.connections_per_client, {0, 1'000'000});
  f.integer({"handshakes",
             "TLS handshakes under way at a time, all workers together. Beyond it new ones wait, and those whose "
             "clients have been silent for 200 ms are closed."},
            c.handshakes, {1, 100'000});
  f.size({"head", "Request line and header fields of a request together; beyond it 431."}, c.request_head.head,
         {1 * kKiB, 1 * kMiB});
  f.integer({"headers", "Header fields of a request; beyond it 431."}, c.request_head.headers, {1, 1000});
  f.size({"uri", "Request target; beyond it 414."}, c.request_head.uri, {64, 1 * kMiB});
  f.size({"body", "Request body; beyond it 413. 0: no limit."}, c.body, {0, 1024 * kGiB});
  f.size({"response_head", "Status line and header fields of a response of the API together; beyond it 502."},
         c.response_head.head, {1 * kKiB, 1 * kMiB});
  f.integer({"response_headers", "Header fields of a response of the API; beyond it 502."}, c.response_head.headers,
            {1, 1000});
  f.size(
      {"buffered",
       "Memory for bodies that are held, of requests and responses together, in addition to 16 KiB for each "
       "connection. Half of it may be blocks and pipes of 256 KiB for bodies that flow, and half, less while responses "
       "hold much, may be request bodies that are still arriving: beyond it the slowest are answered 408, so that "
       "others find room. 0: none."},
      c.buffered, {0, 1024 * kGiB});
  f.size({"min_rate",
          "Bytes a second that a client must send or receive while the API waits for it, averaged over 5 s; otherwise "
          "408, "
          "or the response is cut. 0: no such limit."},
         c.min_rate, {0, 1 * kGiB});
  f.flag(
      {"allow_underscores", "Whether field names may hold `_`, which CGI-like servers confuse with `-`. false: 400."},
      c.request_head.underscores);
  f.choice({"methods",
            "known: methods of the IANA registry and of WebDAV that the parser knows; any: any well-formed name of at "
            "most 32 bytes, such as QUERY. Others: 501."},
           c.request_head.any_method, {{"known", false}, {"any", true}});
  f.section(
      {"http2",
       "Limits on each HTTP/2 connection. A client that has acknowledged the limit on `streams` (SETTINGS) and opens "
       "more at a time breaks the protocol: its connection is closed (PROTOCOL_ERROR). A request beyond the limit that "
       "comes earlier, or while requests that were reset count, is refused (REFUSED_STREAM). Beyond the others the "
       "connection is closed (ENHANCE_YOUR_CALM), logged, and counted."},
      [&] { describe_http2(f, c.http2); });
}

void describe_class(Fields& f, ClassConfig& c) {
  f.text({.name = "name",
          .doc = "A label in metrics and logs. To add, remove, rename or move a class takes a restart, and so does "
                 "`match` of "
                 "others that is changed with it.",
          .needs_restart = true,
          .required = true,
          .identity = true},
         c.name, kClassName);
  f.number({"shed_at", "Share of capacity at which the class is refused. 0: always."}, c.shed_at, {0, 1});
  f.integer({"reserve",
             "Slots that only this class may take while it has requests: about a second after its last one it lends "
             "them to the others, until its next request. 0: none."},
            c.reserve, {0, 65'536});
  f.integer({"max_concurrent",
             "Requests of this class in flight at most; further ones wait or are refused with `capacity`. 0: no cap of "
             "its own."},
            c.max_concurrent, {0, 65'536});
  f.flag({"pool_aware",
          "false: its requests need no database, so a full pool refuses none. true: as `admission.pool_aware` says, "
          "until the API's reports have shown that they need none."},
         c.pool_aware);
  f.duration(
      {"deadline",
       "A request of this class that tells no `X-Request-Timeout` is treated as if it told this: it is refused with "
       "`deadline` when it cannot be answered in time, and the API is told what is left. 0: none."},
      c.deadline, {0s, 1h});
  f.sections({.name = "match",
              .doc = "A request belongs to the class if one of these rules holds. A rule holds if all its keys do.",
              .required = true,
              .with_list = true},
             c.match, {1, 100}, [&f](MatchRule& rule) { describe_match(f, rule); });
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
  f.one_or_more({"fields",
                 "The members of a JSON line about a request: `default` for all, or a list of names. `peer`: the "
                 "other end of the connection, where that is a trusted proxy or has sent a PROXY header. It, "
                 "`client_request_id`, `would_refuse`, `error`, `rule` and `stream` are left out where they would be "
                 "empty. The text format has a fixed form."},
                c.fields, kLogFieldNames.size());
}

}  // namespace

bool expected(std::string_view expect, int status) {
  bool found = false;
  each_status_range(expect, [&](int first, int last) { found = found || (status >= first && status <= last); });
  return found;
}

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
  f.choice(
      {.name = "io",
       .doc = "How workers read and send. epoll: a system call for each. io_uring: one for all that a turn of the "
              "event loop has to read or to send, while epoll tells what is ready. auto: io_uring where the kernel "
              "and the container's filters allow it, else epoll; a line of the log says which.",
       .needs_restart = true},
      c.io, {{"auto", Io::automatic}, {"epoll", Io::epoll}, {"io_uring", Io::io_uring}});
  f.integer({.name = "workers",
             .doc = "Event-loop threads. The admission cap holds across all of them.",
             .needs_restart = true},
            c.workers, {1, 64});
  f.choice({.name = "reload",
            .doc = "auto: on SIGHUP and when the content of the file, or of a file under `refusals`, changes; signal: "
                   "on SIGHUP only.",
            .needs_restart = true},
           c.reload, {{"auto", Reload::automatic}, {"signal", Reload::signal}});
  f.text(
      {.name = "handover",
       .doc = "Path of a unix socket, for this user alone. A process that finds another one there at its start takes "
              "over from it: listeners, the learned limit and latencies, breakers, history; see deploy/README.md. "
              "SIGUSR2 starts such a successor. Empty: neither.",
       .needs_restart = true},
      c.handover, kSocketPath);
  f.section({"admin", "The read-only listener: metrics, health, status page."}, [&] {
    f.one({.name = "listen",
           .doc = "One address, or a map as under `listen`. Keep it private: it answers every client, unless `tls` "
                  "requires a certificate of them.",
           .needs_restart = true},
          c.admin.listen, [&f](config::Listen& listen) { config::describe(f, listen); });
  });
  f.section({"upstream", "The API behind the proxy."}, [&] { describe_upstream(f, c.upstream); });
  f.section({"timeouts", "How long anything may take."}, [&] { describe_timeouts(f, c.timeouts); });
  f.section({"limits", "How large anything may be."}, [&] { describe_limits(f, c.limits); });
  f.section({"admission", "Who goes on to the API."},
            [&] { describe_admission(f, c.admission, c.client_key, c.cohorts, c.upstream.max_connections); });
  f.sections(
      {"classes",
       "Request classes. The first that matches counts; a request that none matches is `normal`. Without any class: "
       "`critical` with `shed_at: 1`, for GET of `upstream.health.path`. Those with a greater `shed_at` are served "
       "first, and those with the same one in the order of the configuration, strictly: under overload the later one "
       "may get nothing. Give it a `reserve`, or the earlier one a lower `shed_at`."},
      c.classes, {0, 32}, [&f](ClassConfig& each) { describe_class(f, each); });
  // Here the health path has been read, so the class for it can be added.
  if (c.classes.empty()) c.classes.push_back(critical_health(c.upstream.health));
  f.section({"breaker",
             "Refuses a class while its requests fail at the API, and all classes while the API cannot be reached."},
            [&] { describe_breaker(f, c.admission.breaker); });
  f.section({"retry", "Sends a request again on a new connection, only if nothing can be done twice."}, [&] {
    f.integer({"attempts", "Retries of a request. 0: none."}, c.retry.attempts, {0, 1});
    f.number({"budget", "Retries in flight as a share of requests in flight; at least 3 are allowed."}, c.retry.budget,
             {0, 1});
  });
  f.section({"maintenance", "Answer 503 to every request but those of the class `critical`."}, [&] {
    f.flag({"enabled", "Whether it is on."}, c.maintenance.enabled);
    f.duration({"retry_after", "Retry-After of the answer, rounded up to whole seconds."}, c.maintenance.retry_after,
               {1s, 24h});
    f.text({"message", "The `detail` of the answer."}, c.maintenance.message, {1, 500});
  });
  f.section({"refusals", "What refused clients see, by reason."}, [&] { describe_refusals(f, c.refusals); });
  f.section({"tracing", "Spans of sampled requests for OpenTelemetry."},
            [&] { config::describe_tracing(f, c.tracing); });
  f.values({"trusted_proxies",
            "Networks whose X-Forwarded-*, Forwarded, X-Request-ID and trace fields are believed. Those of others are "
            "replaced. X-Forwarded-For counts before Forwarded."},
           c.trusted_proxies);
  f.flag(
      {"trust_traces", "Whether traceparent and tracestate of everybody are continued; false: of `trusted_proxies`."},
      c.trust_traces);
  f.flag({"forwarded_header", "Whether `Forwarded` (RFC 7239) is sent to the API besides X-Forwarded-*."},
         c.forwarded_header);
  f.section({"log", "What is written to standard output."}, [&] { describe_log(f, c.log); });
}

}  // namespace spillway
