#!/usr/bin/env python3
"""Writes the dashboards of this folder. Edit here, run it, commit both; a test says when they differ.

  build.py [FOLDER]     where to write them instead
"""
import pathlib
import sys

from panels import (BAD_FROM_1, BY, COLOURS, GOOD, GOOD_AT_1, BAD, OUTCOMES, QUANTILES, REASONS, SERVICE, SHARE, WARN, api_notes, board, graph,
                    heatmap, mapped, named, of_service, panel, quantile, quantiles, rate, row, runbook_url, runbooks, stat, text, write)

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent)
POOL_USED = (f"(database_pool_size{BY} + database_pool_overflow{BY} - database_pool_checkedin{BY})"
             f" / (database_pool_size{BY} + database_pool_overflow{BY})")
BUDGET_LEFT = (f"1 - avg_over_time(job:spillway_errors:rate5m{SERVICE}[30d])"
               f" / (avg_over_time(job:spillway_requests:rate5m{SERVICE}[30d]) > 0) / job:spillway_objective_errors:ratio{SERVICE}")
P95, P99 = f"max(job:spillway_objective_p95:seconds{SERVICE})", f"max(job:spillway_objective_p99:seconds{SERVICE})"


def dashboard(*arguments, **more):
    write(OUT, board(*arguments, **more))


dashboard("overview", "Overview", "Does it serve, what does it refuse and why, how full is the pool, what should I do", [
    graph("Offered against capacity", "Slots that all demand would hold, refused requests included, against those there are. What is"
          " offered above the limit waits or is refused.", 12,
          [(f"sum(instance:spillway_offered_slots:mean1m{BY})", "offered"), (f"sum(spillway_inflight{BY})", "in flight"),
           (f"sum(spillway_concurrency_limit{BY})", "limit"), (f"sum(spillway_capacity{BY})", "capacity"),
           (f"sum(spillway_queue_length{BY})", "queue")], min=0, runbook="SheddingSustained", height=8,
          colours={"offered": COLOURS["refused"], "in flight": COLOURS["answered"], "limit": COLOURS["limit"],
                   "capacity": COLOURS["text"], "queue": COLOURS["queue"]}),
    graph("Requests", "Requests ended per second, by outcome.", 12, [(rate("spillway_requests_total", "outcome"), "{{outcome}}")],
          unit="reqps", stack=True, min=0, colours=OUTCOMES, height=8),
    row("Is it serving?"),
    stat("Proxies up", "Proxies that Prometheus can scrape.", 3, [(f"sum(up{BY})", "up")], steps=GOOD_AT_1,
         runbook="SpillwayDown"),
    stat("API healthy", "1 when the API answered its last health poll; the worst instance.", 3,
         [(f"min(spillway_upstream_healthy{BY})", "healthy")], steps=GOOD_AT_1, runbook="ApiUnhealthy",
         mappings=mapped(v0="no", v1="yes")),
    stat("Breaker", "Closed, trying again, or open; the worst instance.", 3,
         [(f"max(spillway_breaker_state{BY})", "state")], steps=[(None, GOOD), (1, WARN), (2, BAD)],
         runbook="BreakerOpen", mappings=mapped(v0="closed", v1="half-open", v2="open")),
    stat("Error budget left", "Of the 30 days that end now; the worst service. The objective is in the recording rules.", 3,
         [(f"min({BUDGET_LEFT})", "left")], unit="percentunit", steps=[(None, BAD), (0.1, WARN), (0.5, GOOD)], decimals=1,
         runbook="ErrorBudgetBurnSlow", noValue="no traffic"),
    stat("Maintenance", "Proxies that refuse all but critical requests.", 3, [(f"sum(spillway_maintenance{BY})", "on")],
         steps=BAD_FROM_1, runbook="MaintenanceLeftOn"),
    stat("Stopping", "Proxies that have been told to stop.", 3, [(f"sum(spillway_draining{BY})", "draining")],
         steps=[(None, GOOD), (1, WARN)]),
    stat("Configuration", "Whether the last configuration read is in use, waits for a restart in part, or was refused;"
         " the worst instance.", 3,
         [(f"max(2 * (1 - spillway_config_last_reload_successful{BY}) + spillway_config_restart_pending{BY})", "state")],
         steps=[(None, GOOD), (1, WARN), (2, BAD)], runbook="ConfigReloadFailed",
         mappings=mapped(v0="in use", v1="restart due", v2="refused", v3="refused")),
    stat("Alerts", "Firing; the runbooks are below.", 3,
         [('count(ALERTS{alertstate="firing", namespace=~"$namespace|", job=~"$job|"}) or vector(0)', "firing")],
         steps=BAD_FROM_1),
    graph("Failed", "Share of requests that the service failed, over five minutes: API errors, its time-outs, refusals. Not: what"
          " clients cause, maintenance, fairness, connections. The line is the objective.", 8,
          [(of_service(f"job:spillway_errors:ratio_rate5m{SERVICE}"), "{{service}}"),
           (f"max(job:spillway_objective_errors:ratio{SERVICE})", "objective")], unit="percentunit", min=0,
          runbook="ErrorBudgetBurnFast", colours={"objective": COLOURS["limit"]}),
    graph("Error budget burn", "How many times faster than the objective allows. Above 14.4 for an hour, or 6 for six, it pages; above 1"
          " for three days it warns.", 8,
          [(f"max(job:spillway_errors:ratio_rate{w}{SERVICE} / job:spillway_objective_errors:ratio{SERVICE})", f"over {w}")
           for w in ("1h", "6h", "3d")], steps=[(None, GOOD), (1, WARN), (14.4, BAD)], min=0, runbook="ErrorBudgetBurnFast"),
    graph("Latency", "Of served requests, as clients see it; refusals, which are quick, and streams are left out. Diamonds are"
          " examples with the id of their trace.", 8,
          [*quantiles("spillway_served_duration_seconds"), (P95, "objective p95"), (P99, "objective p99")], unit="s", min=0,
          exemplars=True, runbook="LatencyP95High",
          colours=QUANTILES | {"objective p95": COLOURS["warn"], "objective p99": COLOURS["bad"]}),
    row("What does it refuse, and why?"),
    graph("Refused by reason", "capacity, queue_*: more demand than max_concurrent admits. pool: the API's database"
          " pool is nearly full. breaker: the API fails. The runbook explains every reason.", 10,
          [(rate("load_shedding_rejections", "reason"), "{{reason}}")],
          unit="reqps", stack=True, min=0, runbook="SheddingSustained", colours=REASONS),
    graph("Refused by reason and class", "Background is refused first, critical last.", 8,
          [(rate("load_shedding_rejections", "class", "reason") + " > 0", "{{class}}: {{reason}}")], unit="reqps", stack=True, min=0,
          runbook="SheddingSustained", noValue="none"),
    graph("Would be refused", "What mode shadow counts without refusing.", 6,
          [(rate("spillway_shadow_rejections_total", "reason"), "{{reason}}")], unit="reqps", stack=True, min=0, colours=REASONS),
    row("How full is it?"),
    panel("gauge", "Database pool", "Share of the open connections in use; the fullest instance.", 4,
          [(f"max({POOL_USED})", "used")], unit="percentunit", steps=SHARE, min=0, max=1, runbook="DatabasePoolExhaustion"),
    panel("gauge", "Slots", "Requests in flight towards the API as a share of max_concurrent; the fullest instance.", 4,
          [(f"max(spillway_inflight{BY} / (spillway_capacity{BY} > 0))", "used")], unit="percentunit", steps=SHARE,
          min=0, max=1, runbook="SheddingSustained"),
    graph("Offered load", "All demand, refused requests included, as a share of capacity: the autoscaling signal. Shedding"
          " begins at 80 %.", 8, [(named(f"instance:spillway_offered_load:ratio{BY}"), "{{proxy}}")], unit="percentunit",
          steps=SHARE, min=0),
    heatmap("Latency of served requests", "How many a second took how long.", 8, "spillway_served_duration_seconds",
            runbook="LatencyP95High"),
    row("What should I do?"),
    graph("Alerts firing", "Each has a runbook, named like it.", 12,
          [('sum by (alertname, severity) (ALERTS{alertstate="firing", namespace=~"$namespace|", job=~"$job|"})',
            "{{alertname}} ({{severity}})")], min=0, steps=BAD_FROM_1, noValue="none"),
    text("First steps", "1. **API not healthy, breaker open**: the API or its database. Roll back what was released last.\n"
         "2. **Pool red**: look for blocking queries before adding connections. Roll back: pool to 5/10.\n"
         "3. **Refused by capacity, pool fine**: demand. Add replicas.\n"
         "4. **Refused, but all gauges low**: `admission.mode: off`, then find out why.\n\n"
         f"[All runbooks](/d/spillway-runbooks), [where you are]({runbook_url('README')})", 12),
])

dashboard("pool", "Database pool", "The API's connections to PostgreSQL, as the API reports them", [
    graph("Open connections used", "The share that DatabasePoolExhaustion watches: above 80 % for five minutes it fires.", 12,
          [(named(POOL_USED), "{{proxy}}")], unit="percentunit", steps=SHARE, min=0, max=1, runbook="DatabasePoolExhaustion"),
    graph("Capacity used", "Connections in use as a share of base and overflow together. Above 80 % the proxy refuses ordinary requests.", 12,
          [(named(f"instance:database_pool_capacity_used:ratio{BY}"), "{{proxy}}")], unit="percentunit", steps=SHARE, min=0,
          max=1, runbook="DatabasePoolNearCapacity"),
    graph("Connections", "In use, open, and the most there may be; all instances together.", 12,
          [(f"sum(database_pool_size{BY} + database_pool_overflow{BY} - database_pool_checkedin{BY})", "in use"),
           (f"sum(database_pool_size{BY} + database_pool_overflow{BY})", "open"),
           (f"sum(database_pool_capacity{BY})", "capacity")], min=0),
    graph("Parts of the pool", "Base connections, overflow, and those not in use; all instances together.", 12,
          [(f"sum(database_pool_size{BY})", "size"), (f"sum(database_pool_overflow{BY})", "overflow"),
           (f"sum(database_pool_checkedin{BY})", "checked in")], min=0),
    graph("Waiting for a connection", "Requests inside the API that wait for a connection.", 8,
          [(named(f"database_pool_waiters{BY}"), "{{proxy}}")], min=0, runbook="DatabasePoolNearCapacity"),
    graph("Connection errors", "Connections that could not be opened, or were lost.", 8,
          [(named(f"rate(database_connection_errors{BY}[$__rate_interval])"), "{{proxy}}")], unit="ops", min=0,
          runbook="DatabaseConnectionErrors"),
    graph("Refused for the pool", "Requests that the proxy refused because the pool was too full for their class.", 8,
          [(rate("load_shedding_rejections", "class", reason="pool"), "{{class}}")], unit="reqps", min=0,
          runbook="DatabasePoolNearCapacity"),
])

dashboard("latency", "Latency", "Where the time goes: the queue, the API, or neither", [
    graph("Served requests", "Of requests that the API answered below 500: refusals, which are fast, are left out, and streams.", 12,
          [*quantiles("spillway_served_duration_seconds"), (P95, "objective p95"), (P99, "objective p99")], unit="s", min=0,
          exemplars=True, runbook="LatencyP95High",
          colours=QUANTILES | {"objective p95": COLOURS["warn"], "objective p99": COLOURS["bad"]}),
    heatmap("Served requests by time", "How many a second took how long.", 12, "spillway_served_duration_seconds",
            runbook="LatencyP95High"),
    graph("Served by class: p95", "Does one class wait longer than the others?", 12,
          [(quantile(0.95, "spillway_served_duration_seconds", "class"), "{{class}}")], unit="s", min=0, exemplars=True,
          runbook="LatencyP95High"),
    graph("Failures by cause", "Requests that the API failed: a 5xx status, or what kept its answer away.", 12,
          [(rate("spillway_upstream_failures_total", "cause"), "{{cause}}")], unit="reqps", stack=True, min=0,
          runbook="ErrorBudgetBurnFast"),
    graph("In the API", "Request sent to the API to the end of its answer, or until it was given up.", 12,
          quantiles("spillway_upstream_duration_seconds"), unit="s", min=0, colours=QUANTILES),
    graph("In the queue", "How long admitted requests waited for a slot.", 12,
          quantiles("spillway_queue_wait_seconds"), unit="s", min=0, colours=QUANTILES,
          runbook="QueueGrowing"),
    graph("Requests per second", "Of all classes together.", 12, [(rate("spillway_requests_total", "class"), "{{class}}")],
          unit="reqps", stack=True, min=0),
    graph("Concurrency at admission", "Requests in flight when a request was admitted.", 12,
          quantiles("request_concurrency"), min=0, colours=QUANTILES),
    graph("Requests by class: p95", "First byte of the request to the end of its answer, refusals included.", 12,
          [(quantile(0.95, "spillway_request_duration_seconds", "class"), "{{class}}")], unit="s", min=0, exemplars=True,
          runbook="LatencyP95High"),
    graph("Requests by class: p99", "First byte of the request to the end of its answer, refusals included.", 12,
          [(quantile(0.99, "spillway_request_duration_seconds", "class"), "{{class}}")], unit="s", min=0, exemplars=True,
          runbook="LatencyP99High"),
])

dashboard("fleet", "Fleet", "One line per proxy: does one differ from the others?", [
    graph("Requests per second", "A line that falls to 0 is an instance without traffic.", 8,
          [(named(rate("spillway_requests_total", "instance", "pod")), "{{proxy}}")], unit="reqps", min=0),
    graph("Refused", "An instance that refuses alone is smaller or slower than the others.", 8,
          [(named(rate("load_shedding_rejections", "instance", "pod")), "{{proxy}}")], unit="reqps", min=0, runbook="SheddingSustained"),
    graph("API's errors and time-outs", "Per second.", 8,
          [(named(rate("spillway_requests_total", "instance", "pod", outcome="~upstream_error|timeout")), "{{proxy}}")], unit="reqps",
          min=0, runbook="ErrorBudgetBurnFast"),
    graph("In flight", "Requests in flight towards the API; and streams, which hold no slot.", 8,
          [(named(f"spillway_inflight{BY}"), "{{proxy}}"), (named(f"spillway_streams{BY}"), "streams {{proxy}}")], min=0),
    graph("Limit and capacity", "The limit is below capacity while the adaptive limit or the breaker's ramp holds back.", 8,
          [(named(f"spillway_concurrency_limit{BY}"), "limit {{proxy}}"), (named(f"spillway_capacity{BY}"), "capacity {{proxy}}")], min=0),
    graph("Waiting", "Requests in the queue.", 8, [(named(f"spillway_queue_length{BY}"), "{{proxy}}")], min=0,
          runbook="QueueGrowing"),
    graph("Client connections", "Open at present.", 8, [(named(f"spillway_client_connections{BY}"), "{{proxy}}")], min=0),
    graph("Connections to the API", "Active and idle.", 8,
          [(named(f"sum by (instance, pod, state) (spillway_upstream_connections{BY})"), "{{state}} {{proxy}}")], min=0),
    graph("Connects to the API", "Attempts, failures, and requests sent a second time, per second.", 8,
          [(rate("spillway_upstream_connects_total"), "attempts"), (rate("spillway_upstream_connect_failures_total"), "failures"),
           (rate("spillway_upstream_retries_total"), "repeated")], unit="ops", min=0, runbook="ApiUnhealthy"),
    graph("Bad requests", "Messages that the proxy refused as invalid requests, by status.", 8,
          [(rate("spillway_bad_requests_total", "code"), "{{code}}")], unit="reqps", min=0),
    graph("Requests by version of HTTP", "Requests parsed, per second.", 8,
          [(rate("spillway_http_requests_total", "protocol"), "{{protocol}}")], unit="reqps", stack=True, min=0),
    graph("HTTP/2 abuse", "Connections closed because of what their clients did too often, or against the protocol.", 8,
          [(rate("spillway_http2_abuse_total", "kind"), "{{kind}}")], unit="cps", min=0),
    graph("TLS handshakes", "Of clients, by how they ended. `resumed` are short ones, from a ticket.", 8,
          [(rate("spillway_tls_handshakes_total", "result"), "{{result}}")], unit="ops", min=0),
    graph("Certificates expire in", "By file. No line: the proxy speaks no TLS.", 8,
          [(f"min by (certificate) (spillway_tls_certificate_expiry_seconds{BY}) - time()", "{{certificate}}")], unit="s",
          steps=[(None, BAD), (7 * 86400, GOOD)], runbook="CertificateExpires"),
    graph("Log lines lost", "Lines lost because the reader of the log is too slow.", 8, [(named(rate("spillway_log_lines_dropped_total", "instance", "pod")), "{{proxy}}")],
          unit="cps", min=0, runbook="AccessLogDropped"),
    graph("Spans lost", "Spans of sampled requests that the collector refused, or that waited for it too long.", 8,
          [(named(rate("spillway_trace_spans_dropped_total", "instance", "pod")), "{{proxy}}")], unit="cps", min=0),
    graph("Bytes", "Of bodies and tunnels, in from clients and out to them.", 8,
          [(rate("spillway_bytes_total", "direction"), "{{direction}}")], unit="Bps", min=0),
    graph("Event loop lag: p99", "How late a loop runs a timer that is due: above 50 ms something holds it up.", 8,
          [(named(quantile(0.99, "spillway_event_loop_lag_seconds", "instance", "pod")), "{{proxy}}")], unit="s", min=0),
    graph("Processor", "Cores in use.", 8, [(named(rate("process_cpu_seconds_total", "instance", "pod")), "{{proxy}}")], min=0),
    graph("Resident memory", "Of the proxy.", 8, [(named(f"process_resident_memory_bytes{BY}"), "{{proxy}}")], unit="bytes", min=0),
    graph("Descriptors", "Open, as a share of those that may be.", 8,
          [(named(f"process_open_fds{BY} / process_max_fds{BY}"), "{{proxy}}")], unit="percentunit", min=0),
    graph("Uptime", "A line that falls to 0 is a restart.", 8, [(named(f"time() - process_start_time_seconds{BY}"), "{{proxy}}")],
          unit="s", min=0),
    graph("Versions", "Proxies by version: two while a rollout is under way. And those of them that read and send by io_uring.", 8,
          [(f"count by (version) (spillway_build_info{BY})", "{{version}}"),
           (f"sum(spillway_io_uring{BY})", "by io_uring")], min=0),
])

dashboard("api", "Scholarship API", "What the API itself says, where its admin listener is scraped", [
    graph("Requests by endpoint", "Answered per second.", 12,
          [(rate("scholarship_api_requests_total", "endpoint") + " > 0", "{{endpoint}}")], unit="reqps", stack=True, min=0,
          noValue="none"),
    graph("Not answered as asked", "Per second, by class of status; `none`: the client had left. The log names the reason of each 5xx.", 12,
          [(rate("scholarship_api_requests_total", "code", code="~4xx|5xx|none"), "{{code}}")], unit="reqps", min=0,
          runbook="ErrorBudgetBurnFast",
          colours={"5xx": COLOURS["failed"], "4xx": COLOURS["r3"], "none": COLOURS["limit"]}),
    graph("Latency in the API", "Last byte of the request to the last byte of the response. The probes are left out.", 8,
          [(quantile(q, "scholarship_api_request_duration_seconds", endpoint="!health|ready"), f"p{100 * q:.0f}")
           for q in (0.5, 0.95, 0.99)], unit="s", min=0, colours=QUANTILES, runbook="LatencyP95High"),
    graph("Latency in the API by endpoint: p95", "Logins check a password: about 25 ms of a core.", 8,
          [(quantile(0.95, "scholarship_api_request_duration_seconds", "endpoint"), "{{endpoint}}")], unit="s", min=0,
          runbook="LatencyP95High"),
    graph("Logins", "Per second, by outcome, as in the audit log.", 8,
          [(rate("scholarship_api_logins_total", "outcome"), "{{outcome}}")], unit="reqps", stack=True, min=0),
    graph("Wait for a connection", "Of each query, from the wish for a connection to having one, or to giving up.", 8,
          quantiles("scholarship_api_pool_wait_seconds"), unit="s", min=0, colours=QUANTILES, runbook="DatabasePoolNearCapacity"),
    graph("Queries without a connection", "Per second, by cause.", 8,
          [(rate("scholarship_api_pool_failures_total", "cause"), "{{cause}}")], unit="ops", min=0,
          runbook="DatabasePoolNearCapacity"),
    graph("Connections opened and recycled", "Per second. Many openings: the pool is too small for its load, or the database drops"
          " connections. Recycled: closed because of `pool_recycle`.", 8,
          [(rate("scholarship_api_pool_opens_total"), "opened"), (rate("scholarship_api_pool_recycles_total"), "recycled")],
          unit="ops", min=0, runbook="DatabaseConnectionErrors"),
    graph("API: configuration", "0: the last one read is in use. 1: keys that it has changed wait for a restart. 2: it was refused.", 8,
          [(named(f"2 * (1 - scholarship_api_config_last_reload_successful{BY}) + scholarship_api_config_restart_pending{BY}"),
            "{{proxy}}")], min=0, max=3, runbook="ConfigReloadFailed"),
    graph("Database reachable", "1 if it can be reached.", 8, [(named(f"scholarship_api_database_reachable{BY}"), "{{proxy}}")],
          min=0, max=1, runbook="DatabaseConnectionErrors"),
    graph("API: spans lost", "Spans of sampled requests that the collector refused, or that waited for it too long.", 8,
          [(named(rate("scholarship_api_trace_spans_dropped_total", "instance", "pod")), "{{proxy}}")], unit="cps", min=0),
], of="scholarship_api_database_reachable", notes=api_notes())

dashboard("runbooks", "Runbooks", "A page for each alert; the panels of the other dashboards link to them", runbooks())
