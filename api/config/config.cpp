#include "api/config/config.hpp"

#include <cassert>
#include <set>

#include "api/db/connect_options.hpp"
#include "proxy/tls/certificate.hpp"

namespace api {

namespace {

/// HS256 wants a key at least as long as its hash (RFC 7518, 3.2).
constexpr std::size_t kMinSecretBytes = 32;
/// PostgreSQL's own ceiling is far lower; the load report has 16 bits for a number.
constexpr int kMaxConnections = 10'000;

/// Each secret that does not name the right one costs a signature for a token that names none.
constexpr std::size_t kMaxSecrets = 8;
constexpr std::size_t kMaxKidBytes = 64;

bool is_kid(std::string_view text) {
  constexpr std::string_view kCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.size() <= kMaxKidBytes && text.find_first_not_of(kCharacters) == std::string_view::npos;
}

constexpr config::TextForm kKid{.words = "1 to 64 letters, digits, dots, dashes or underscores",
                                .pattern = "^[A-Za-z0-9._-]{1,64}$",
                                .accepts = is_kid,
                                .numbers = true};

bool is_admin_address(std::string_view text) {
  config::Address address;
  return text.empty() || parse(text, address);
}

constexpr config::TextForm kAdminAddress{
    .words = "an address such as 127.0.0.1:9902 or unix:/path, or empty", .pattern = "", .accepts = is_admin_address};

config::Cidr cidr(std::string_view text) {
  config::Cidr value;
  [[maybe_unused]] const bool fits = parse(text, value);
  assert(fits);
  return value;
}

void describe_database(config::Fields& f, DatabaseConfig& c) {
  f.text({.name = "url",
          .doc = "Where PostgreSQL is: a libpq URI or keyword string. May name several hosts, and with "
                 "`target_session_attrs` which of them is wanted.",
          .needs_restart = true,
          .secret = true,
          .required = true},
         c.url);
  f.integer({"pool_size", "Connections kept open once opened."}, c.pool_size, {1, kMaxConnections});
  f.integer({"max_overflow", "Connections beyond `pool_size` under load, closed when returned unless someone waits."},
            c.max_overflow, {0, kMaxConnections});
  f.duration({"pool_timeout", "Longest wait for a connection; then 503."}, c.pool_timeout, {10ms, 1h});
  f.duration({.name = "pool_recycle",
              .doc = "Age at which a connection is replaced at checkout. 0: never.",
              .bare_seconds = true},
             c.pool_recycle, {0s, 24h * 365});
  f.flag({"pool_pre_ping", "Verify a connection that was not used within the last second before it is used."},
         c.pool_pre_ping);
  f.flag({"echo_pool", "Log every open, checkout, return and close with the state of the pool."}, c.echo_pool);
  f.duration(
      {.name = "connect_timeout",
       .doc = "Longest look-up and connect, for each host of the URL and each address of its name; then the next "
              "one is tried.",
       .needs_restart = true},
      c.connect_timeout, {10ms, 1min});
  f.duration(
      {.name = "ping_timeout",
       .doc = "Longest silence after a ping (see `pool_pre_ping`). Then the connection is dead, its idle siblings "
              "are pinged, and what was to be asked is asked on another one.",
       .needs_restart = true},
      c.ping_timeout, {10ms, 1min});
  f.duration({.name = "statement_timeout",
              .doc = "Longest run of a query; then 503. Set on the server, so not with `prepared_statements: false`, "
                     "where it only ends the wait. 0: none.",
              .needs_restart = true},
             c.statement_timeout, {0s, 1h});
  f.flag({.name = "prepared_statements",
          .doc = "Prepare each query once per connection. Off behind a pooler in transaction mode.",
          .needs_restart = true},
         c.prepared_statements);
  f.flag(
      {"wait_when_down",
       "While no connection can be opened, requests wait for one up to `pool_timeout`. Off: they are answered 503 at "
       "the next failed attempt."},
      c.wait_when_down);
  f.text({.name = "migrate_url",
          .doc = "`url` for `migrate`, `seed-demo` and `user`: of a role that owns the tables. The role of `url` then "
                 "needs no right to change them. Empty: `url`.",
          .needs_restart = true,
          .secret = true},
         c.migrate_url, {0, config::kMaxTextBytes});
}

void describe_auth(config::Fields& f, AuthConfig& c) {
  f.optional_text(
      {.name = "secret",
       .doc = "Key that tokens are signed with, at least 32 bytes, such as `scholarship-api secret new` prints. Either "
              "this or `secrets`.",
       .secret = true},
      c.secret, {kMinSecretBytes, config::kMaxTextBytes});
  f.sections({"secrets",
              "Several keys, to replace one without a log-out: the first signs, all verify. Put the new one first, and "
              "remove the old one when `token_ttl` has passed since."},
             c.secrets, {0, kMaxSecrets}, [&f](SecretConfig& each) {
               f.text({.name = "kid", .doc = "Name that tokens carry (RFC 7515, 4.1.4).", .required = true}, each.kid,
                      kKid);
               f.text({.name = "secret", .doc = "At least 32 bytes.", .secret = true, .required = true}, each.secret,
                      {kMinSecretBytes, config::kMaxTextBytes});
             });
  f.duration({.name = "token_ttl", .doc = "Life of a token.", .needs_restart = true}, c.token_ttl, {1s, 24h * 30});
  f.integer({.name = "hash_threads",
             .doc = "Threads that check passwords, at low priority; one checks about 40 a second.",
             .needs_restart = true},
            c.hash_threads, {1, 64});
  f.integer(
      {.name = "hash_queue",
       .doc =
           "Logins of strangers that may wait for them; more are answered 429. As many again, then 503, of users on a "
           "network from which they, or others, have logged in during the last week and since the start: every second "
           "check is theirs, if any wait.",
       .needs_restart = true},
      c.hash_queue, {1, 10'000});
  f.integer({.name = "max_failures",
             .doc = "Failed logins of one user from one address within `failure_window`, then 429. An address may "
                    "fail ten times as often for all users together. A /64 of IPv6 is one address. 0: no limit.",
             .needs_restart = true},
            c.max_failures, {0, 10'000});
  f.duration({.name = "failure_window", .doc = "See `max_failures`.", .needs_restart = true}, c.failure_window,
             {1s, 24h});
}

void describe_limits(config::Fields& f, LimitsConfig& c) {
  f.integer(
      {.name = "connections",
       .doc =
           "Clients connected at a time. Beyond, one that is idle or slow is closed; if there is none, the new one is "
           "answered 503, except for /health and /ready.",
       .needs_restart = true},
      c.connections, {1, 100'000});
  f.integer({.name = "in_flight",
             .doc = "Requests in progress at a time; more are answered 503. Never /health and /ready.",
             .needs_restart = true},
            c.in_flight, {1, 100'000});
  f.size({.name = "head", .doc = "Request line and fields of a request; beyond it 431.", .needs_restart = true}, c.head,
         {1024, 1024 * 1024});
  f.size({.name = "body", .doc = "Body of a request; beyond it 413.", .needs_restart = true}, c.body,
         {1024, 16 * 1024 * 1024});
}

void describe_timeouts(config::Fields& f, TimeoutsConfig& c) {
  f.duration({.name = "request",
              .doc = "First byte to last byte of a request, and the taking of an answer.",
              .needs_restart = true},
             c.request, {100ms, 1h});
  f.duration(
      {.name = "keep_alive",
       .doc = "Idle connection. Longer than the proxy's `upstream.idle_timeout`, so that the proxy closes first.",
       .needs_restart = true},
      c.keep_alive, {100ms, 24h});
  f.duration({.name = "drain", .doc = "Time for requests in progress after SIGTERM.", .needs_restart = true}, c.drain,
             {0s, 1h});
}

void check_url(const std::string& url, std::string_view path, config::Problems& problems) {
  db::ConnectOptions options;
  std::string fault;
  const db::ConnectPolicy policy{.timeout = 1s, .statement_timeout = 0s, .prepared_statements = true};
  db::parse_connect_options(url, policy, options, fault);
  problems.require(fault.empty(), {path}, fault);
}

}  // namespace

// The proxy on the same machine names the client in X-Forwarded-For.
ApiConfig::ApiConfig() : trusted_proxies{cidr("127.0.0.0/8"), cidr("::1")} {}

void describe(config::Fields& f, ApiConfig& c) {
  f.value({.name = "listen", .doc = "Address to serve on.", .needs_restart = true}, c.listen);
  f.integer({.name = "workers",
             .doc = "Event-loop threads. The pool's limits hold exactly across them.",
             .needs_restart = true},
            c.workers, {1, 64});
  f.section({"database", "PostgreSQL and the pool of connections to it."}, [&] { describe_database(f, c.database); });
  f.section({"auth", "Logins and tokens."}, [&] { describe_auth(f, c.auth); });
  f.section({"limits", "Bounds of the API itself, in case it is reached without the proxy."},
            [&] { describe_limits(f, c.limits); });
  f.section({"timeouts", "Clocks of a connection."}, [&] { describe_timeouts(f, c.timeouts); });
  f.section({"admin", "The API's own /metrics, /health and /ready, for a Prometheus that does not ask the proxy."},
            [&] {
              f.text({.name = "listen", .doc = "Address to serve them on. Empty: nowhere.", .needs_restart = true},
                     c.admin.listen, kAdminAddress);
            });
  f.section({"tracing", "Spans of sampled requests for OpenTelemetry: the request, waits for connections, queries."},
            [&] { config::describe_tracing(f, c.tracing); });
  f.number({"degrade_at",
            "Pressure that the proxy reports (`Spillway-Pressure`) from which lists and searches give cheaper answers: "
            "at most 10 items, no `total`, at most 500 matches ranked at a time, `\"degraded\": true`. 0: never."},
           c.degrade_at, {0, 1});
  f.values(
      {.name = "trusted_proxies",
       .doc =
           "Proxies whose X-Forwarded-For is believed, for the limit on logins: the client is the right-most address "
           "that is none of theirs. Their traceparent is continued. A unix-socket peer always is believed.",
       .needs_restart = true},
      c.trusted_proxies);
  f.section({"log", "JSON lines on stdout."}, [&] {
    f.choice(
        {"level", "Least level that is logged."}, c.log.level,
        {{"debug", LogLevel::debug}, {"info", LogLevel::info}, {"warn", LogLevel::warn}, {"error", LogLevel::error}});
    f.choice({"access", "Requests to log: all, errors (5xx), off. The proxy logs them all."}, c.log.access,
             {{"all", AccessLog::all}, {"errors", AccessLog::errors}, {"off", AccessLog::off}});
  });
}

void check(const ApiConfig& c, config::Problems& problems) {
  check_url(c.database.url, "database.url", problems);
  if (!c.database.migrate_url.empty()) check_url(c.database.migrate_url, "database.migrate_url", problems);
  const AuthConfig& auth = c.auth;
  problems.require(auth.secret || !auth.secrets.empty(), {"auth.secret", "auth.secrets", "auth"},
                   "either auth.secret or auth.secrets is required");
  problems.require(!auth.secret || auth.secrets.empty(), {"auth.secrets", "auth.secret"},
                   "auth.secret and auth.secrets exclude each other: move the secret into the list");
  std::set<std::string> kids;
  for (const SecretConfig& each : auth.secrets) kids.insert(each.kid);
  problems.require(kids.size() == auth.secrets.size(), {"auth.secrets"}, "two of auth.secrets have the same kid");
  config::Address admin;
  const bool both = !c.admin.listen.empty() && parse(c.admin.listen, admin) && overlap(c.listen, admin);
  problems.require(!both, {"admin.listen", "listen"},
                   "listen (" + to_text(c.listen) + ") and admin.listen (" + to_text(admin) +
                       ") overlap: the API cannot listen on both");
  config::check_tracing(c.tracing, problems, tls::fault_of_authorities);
}

}  // namespace api
