#include "proxy/config/admission_fields.hpp"

#include <algorithm>

#include "proxy/config/fields.hpp"

namespace spillway {

using config::Fields;

void describe_admission(Fields& f, admission::Policy& c, ClientKeyConfig& client_key, CohortConfig& cohorts,
                        std::optional<int> connections) {
  using admission::Mode;
  f.choice(
      {"mode",
       "enforce: refuse what is over capacity; shadow: decide and count, but never refuse; off: admit all. shadow and "
       "off may exceed `upstream.max_connections`. `limits.connections` and `maintenance` hold in every mode."},
      c.mode, {{"enforce", Mode::enforce}, {"shadow", Mode::shadow}, {"off", Mode::off}});
  if (connections) c.max_concurrent = std::min(c.max_concurrent, *connections);
  f.integer({"max_concurrent",
             "Capacity: requests in flight towards the API, all workers together. The default is not more than "
             "`upstream.max_connections`."},
            c.max_concurrent, {1, 65'536});
  f.number({"shed_at", "Share of capacity at which the default class is refused. 0: always."},
           c.classes.front().shed_at, {0, 1});
  f.value(
      {"retry_after",
       "Retry-After of a refusal, rounded up to whole seconds. From a range such as 4s..8s each refusal gets a random "
       "one. auto: follows how fast requests finish. A refusal by the breaker tells when it may close."},
      c.retry_after);
  f.section({"queue", "Where requests wait that find no free slot."}, [&] {
    f.scalar({"max_length", "Most waiting requests. auto: what the API can serve within `max_wait`. 0: no queueing."},
             automatic_or(c.queue.max_length, {0, 65'536}));
    f.duration({"max_wait", "Longest wait; then refused. 0: refuse at once."}, c.queue.max_wait, {0s, 5min});
    f.duration(
        {"patience",
         "How long more requests may arrive than are served before the overload counts as standing. Until then the "
         "queue keeps all that can be served in time. From then on it serves the newest first and refuses the rest "
         "at once."},
        c.queue.patience, {1ms, 1min});
    f.duration({"target",
                "A wait below this is no overload. 0: none ever is, the oldest is always served first. While as much "
                "arrives as is served, and the wait has grown above this by chance, one of 40 arrivals is refused "
                "(`queue_full`), which brings it down again."},
               c.queue.target, {0s, 1min});
    f.duration({"interval", "The time over which arrivals are counted to compare them with what is served."},
               c.queue.interval, {1ms, 1min});
  });
  f.section(
      {"cohorts",
       "Under standing overload, refuses the same clients for a while, so that the others are served whole. Needs "
       "a queue."},
      [&] {
        f.value({"key",
                 "What identifies a client. bearer: the subject of the token, unverified; without a subject the "
                 "token. Requests without it are told by their address."},
                cohorts.key);
        f.duration({"rotate", "In this time every client is first and last once."}, cohorts.rotate, {1s, 24h});
        f.text({.name = "seed", .doc = "Instances with the same seed refuse the same clients.", .secret = true},
               cohorts.seed, {0, 256});
      });
  f.section({"streams", "Tunnels and text/event-stream answers. They hold no slot of `max_concurrent`."}, [&] {
    f.integer({"max",
               "Most at a time. Beyond it a request that asks for one (Upgrade, or Accept of text/event-stream alone) "
               "is refused, and an answer that turns out to be one keeps its slot. 0: no streams of their own."},
              c.streams.max, {0, 65'536});
  });
  f.section({"adaptive",
             "Learns the limit from latency and throughput, never above `max_concurrent`. It moves only while most "
             "requests wait; then it is lowered by a fifth now and then, to see what latency is without a queue."},
            [&] {
              f.flag({"enabled", "Whether the limit is learned."}, c.adaptive.enabled);
              f.integer({"min", "The learned limit never goes below it."}, c.adaptive.min, {1, 65'536});
            });
  f.flag({"pool_aware",
          "Also refuse by the database-pool utilisation that the API reports, against each class's `shed_at`."},
         c.pool_aware);
  f.section({"fairness", "Limits the slots of one client while others are refused."}, [&] {
    f.value({"key",
             "What identifies a client. client_certificate: its subject. All requests without the "
             "header, token, certificate or address count as one client's."},
            client_key.key);
    f.integer({"ipv6_prefix",
               "With `client_ip`, IPv6 addresses that share so many first bits are one client. 128: each address is a "
               "client."},
              client_key.ipv6_prefix, {1, 128});
    f.number(
        {"share",
         "While others find no slot, no client gets more than this share of the slots, and what others leave free."},
        c.fairness.share, {0.01, 1});
  });
}

void describe_breaker(Fields& f, admission::BreakerPolicy& c) {
  f.flag({"enabled", "Whether the breaker is on."}, c.enabled);
  f.duration({"window", "The time over which results are counted."}, c.window, {1s, 1h});
  f.integer(
      {"min_requests",
       "With fewer results of a class in the window its breaker does not open. A refused connect opens the breaker "
       "for all classes at once."},
      c.min_requests, {1, 1'000'000});
  f.number(
      {"failure_ratio",
       "Share of failures that opens a breaker. Failures of a class are 5xx of the API and timeouts; failures of the "
       "breaker for all classes are connects that time out. Refusals by the proxy, and 429 and 503 with Retry-After "
       "of the API, are none."},
      c.failure_ratio, {0.01, 1});
  f.duration(
      {"slow_call",
       "A response is slow if it takes longer than this and three times as long as is usual in its class. Also the "
       "longest time of a trial. 0: none is slow, and a trial may take 30s."},
      c.slow_call, {0s, 1h});
  f.number({"slow_ratio", "Share of slow responses that opens a breaker."}, c.slow_ratio, {0.01, 1});
  f.duration(
      {"open_for",
       "How long a breaker stays open before trials. Doubles on each failed trial. A successful health poll ends it "
       "early."},
      c.open_for, {100ms, 1h});
  f.duration({"max_open", "Longest `open_for` after doubling."}, c.max_open, {100ms, 24h});
  f.integer({"trial_requests", "Requests that are sent as trials while half-open; all must succeed."}, c.trial_requests,
            {1, 1000});
  f.duration(
      {"ramp",
       "Longest time until capacity is whole again after closing, and no longer than the breaker was open. Answers "
       "that take no longer than usual shorten it: each lets one more request in. 0: at once."},
      c.ramp, {0s, 10min});
}

}  // namespace spillway
