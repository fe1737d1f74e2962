#!/usr/bin/env python3
"""Writes the four dashboards of this folder. Edit here, run it, commit both; a test says when they differ.

Panels are laid out in rows of 24 columns, in the order in which they stand here.
"""
import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
BY = '{job=~"$job", instance=~"$instance"}'
JOB = '{job=~"$job"}'
POOL_USED = (f"(database_pool_size{BY} + database_pool_overflow{BY} - database_pool_checkedin{BY})"
             f" / (database_pool_size{BY} + database_pool_overflow{BY})")
SHARE = [(None, "green"), (0.6, "yellow"), (0.8, "red")]
GOOD_AT_1 = [(None, "red"), (1, "green")]
BAD_FROM_1 = [(None, "green"), (1, "red")]
OUTCOMES = {"ok": "green", "client_error": "blue", "aborted": "purple", "shed": "yellow", "timeout": "orange",
            "upstream_error": "red"}


def by(**labels):
    """The selector of the variables with more labels: by(outcome="ok"); a value that begins with ~ is a pattern."""
    more = "".join(f', {k}=~"{v[1:]}"' if v.startswith("~") else f', {k}="{v}"' for k, v in labels.items())
    return BY[:-1] + more + "}"


def quantile(q, metric, *labels):
    kept = ", ".join(("le",) + labels)
    return f"histogram_quantile({q}, sum by ({kept}) (rate({metric}_bucket{BY}[$__rate_interval])))"


def rate(metric, *labels, **selected):
    return f"sum by ({', '.join(labels)}) (rate({metric}{by(**selected)}[$__rate_interval]))"


def coloured(series, colour):
    return {"matcher": {"id": "byName", "options": series},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}]}


def panel(kind, title, description, width, targets, unit="short", steps=None, runbook=None, height=7, **extra):
    custom = {}
    if kind == "timeseries":
        custom = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": False}
        if extra.pop("stack", False):
            # Areas without lines: the line of a series of zeros would lie on top of the stack and look like all of it.
            custom |= {"stacking": {"mode": "normal", "group": "A"}, "lineWidth": 0, "fillOpacity": 70}
        if steps:
            custom["thresholdsStyle"] = {"mode": "line"}
    defaults = {"unit": unit, "custom": custom, "thresholds": {
        "mode": "absolute", "steps": [{"value": v, "color": c} for v, c in steps or [(None, "green")]]}}
    defaults |= {k: extra[k] for k in ("min", "max", "mappings", "noValue") if k in extra}
    options = {
        "timeseries": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                       "tooltip": {"mode": "multi", "sort": "desc"}},
        "stat": {"colorMode": "background", "graphMode": "area", "justifyMode": "auto", "textMode": "auto",
                 "orientation": "auto", "wideLayout": True, "showPercentChange": False, "percentChangeColorMode": "standard",
                 "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}},
        "gauge": {"showThresholdLabels": False, "showThresholdMarkers": True, "orientation": "auto", "sizing": "auto",
                  "minVizHeight": 75, "minVizWidth": 75,
                  "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}},
    }[kind]
    result = {"type": kind, "title": title, "description": description, "datasource": SOURCE,
              "gridPos": {"w": width, "h": height, "x": 0, "y": 0},
              "fieldConfig": {"defaults": defaults,
                              "overrides": [coloured(*c) for c in extra.get("colours", {}).items()]},
              "options": options,
              "targets": [{"refId": chr(65 + i), "datasource": SOURCE, "expr": e, "legendFormat": legend,
                           "editorMode": "code", "range": True} for i, (e, legend) in enumerate(targets)]}
    if runbook:
        result["links"] = [{"type": "link", "title": f"Runbook {runbook}", "url": f"${{runbooks}}/{runbook}.md", "icon": "doc",
                            "tooltip": "", "tags": [], "asDropdown": False, "includeVars": False, "keepTime": False,
                            "targetBlank": True}]
    return result


def text(title, content, width, height=7):
    return {"type": "text", "title": title, "gridPos": {"w": width, "h": height, "x": 0, "y": 0},
            "options": {"mode": "markdown", "content": content}}


def graph(*arguments, **more):
    return panel("timeseries", *arguments, **more)


def stat(*arguments, **more):
    return panel("stat", *arguments, height=4, **more)


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "gridPos": {"w": 24, "h": 1, "x": 0, "y": 0}, "panels": []}


def mapped(**texts):
    return [{"type": "value", "options": {k[1:]: {"text": v, "index": int(k[1:])} for k, v in texts.items()}}]


def lay_out(panels):
    x = y = height = 0
    for number, p in enumerate(panels, 1):
        at = p["gridPos"]
        if x + at["w"] > 24:
            x, y, height = 0, y + height, 0
        at["x"], at["y"], p["id"] = x, y, number
        x, height = x + at["w"], max(height, at["h"])
    return panels


def dashboard(name, title, description, panels):
    def choice(label, query):
        return {"type": "query", "name": label, "label": label, "datasource": SOURCE,
                "query": {"query": query, "refId": label}, "refresh": 2, "includeAll": True, "multi": True, "sort": 1,
                "current": {"text": ["All"], "value": ["$__all"]}}

    def note(label, expression, colour, caption):
        return {"name": label, "enable": True, "iconColor": colour, "datasource": SOURCE, "expr": expression,
                "titleFormat": caption, "textFormat": "{{instance}}", "step": "15s"}
    body = {
        "uid": f"spillway-{name}", "title": f"Spillway / {title}", "description": description, "tags": ["spillway"],
        "schemaVersion": 39, "editable": True, "graphTooltip": 1, "refresh": "15s", "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "links": [{"type": "dashboards", "title": "Spillway", "tags": ["spillway"], "asDropdown": False, "icon": "dashboard",
                   "includeVars": True, "keepTime": True, "targetBlank": False, "tooltip": "", "url": ""}],
        "templating": {"list": [
            {"type": "datasource", "name": "datasource", "label": "datasource", "query": "prometheus", "refresh": 1,
             "current": {"text": "Prometheus", "value": "prometheus"}},
            choice("job", "label_values(spillway_build_info, job)"),
            choice("instance", 'label_values(spillway_build_info{job=~"$job"}, instance)'),
            {"type": "textbox", "name": "runbooks", "label": "runbooks", "query": "http://localhost:9090/user",
             "current": {"text": "http://localhost:9090/user", "value": "http://localhost:9090/user"}}]},
        "annotations": {"list": [
            note("Reloads", f"changes(spillway_config_last_reload_timestamp_seconds{BY}[$__rate_interval]) > 0", "blue",
                 "Configuration taken into use"),
            note("Breaker", f"spillway_breaker_state{BY} == 2", "red", "Breaker open")]},
        "panels": lay_out(panels)}
    (HERE / f"{name}.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


dashboard("overview", "Overview", "Does it serve, what does it refuse and why, how full is the pool, what should I do", [
    row("Is it serving?"),
    stat("Proxies up", "Proxies that Prometheus can scrape.", 4, [(f"sum(up{BY})", "up")], steps=GOOD_AT_1,
         runbook="SpillwayDown"),
    stat("API healthy", "1 when the API answered its last health poll; the worst instance.", 4,
         [(f"min(spillway_upstream_healthy{BY})", "healthy")], steps=GOOD_AT_1, runbook="ApiUnhealthy",
         mappings=mapped(v0="no", v1="yes")),
    stat("Breaker", "Closed, trying again, or open; the worst instance.", 4,
         [(f"max(spillway_breaker_state{BY})", "state")], steps=[(None, "green"), (1, "yellow"), (2, "red")],
         runbook="BreakerOpen", mappings=mapped(v0="closed", v1="half-open", v2="open")),
    stat("Maintenance", "Proxies that refuse all but critical requests.", 4, [(f"sum(spillway_maintenance{BY})", "on")],
         steps=BAD_FROM_1, runbook="MaintenanceLeftOn"),
    stat("Stopping", "Proxies that have been told to stop.", 4, [(f"sum(spillway_draining{BY})", "draining")],
         steps=[(None, "green"), (1, "yellow")]),
    stat("Configuration", "Whether the last configuration read is in use, waits for a restart in part, or was refused;"
         " the worst instance.", 4,
         [(f"max(2 * (1 - spillway_config_last_reload_successful{BY}) + spillway_config_restart_pending{BY})", "state")],
         steps=[(None, "green"), (1, "yellow"), (2, "red")], runbook="ConfigReloadFailed",
         mappings=mapped(v0="in use", v1="restart due", v2="refused", v3="refused")),
    graph("Requests", "Requests ended per second, by outcome.", 12, [(rate("spillway_requests_total", "outcome"), "{{outcome}}")],
          unit="reqps", stack=True, min=0, colours=OUTCOMES),
    graph("Failed", "Share of requests that failed their client: API errors, time-outs, refusals. The objective is 0.1 %.", 12,
          [(f'({rate("spillway_requests_total", outcome="~upstream_error|timeout|shed")}) / '
            f'({rate("spillway_requests_total")} > 0)', "failed")], unit="percentunit",
          steps=[(None, "green"), (0.001, "red")], min=0, runbook="ErrorBudgetBurnFast"),
    row("What does it refuse, and why?"),
    graph("Refused by reason", "capacity, queue_*: more demand than max_concurrent admits. pool: the API's database"
          " pool is nearly full. breaker: the API fails. The runbook explains every reason.", 12, [(rate("load_shedding_rejections", "reason"), "{{reason}}")],
          unit="reqps", stack=True, min=0, runbook="SheddingSustained"),
    graph("Refused by class", "Background is refused first, critical last.", 6,
          [(rate("load_shedding_rejections", "class"), "{{class}}")], unit="reqps", stack=True, min=0),
    graph("Would be refused", "What mode shadow counts without refusing.", 6,
          [(rate("spillway_shadow_rejections_total", "reason"), "{{reason}}")], unit="reqps", stack=True, min=0),
    row("How full is it?"),
    panel("gauge", "Database pool", "Share of the open connections in use; the fullest instance.", 5,
          [(f"max({POOL_USED})", "used")], unit="percentunit", steps=SHARE, min=0, max=1, runbook="DatabasePoolExhaustion"),
    panel("gauge", "Slots", "Requests in flight towards the API as a share of max_concurrent; the fullest instance.", 5,
          [(f"max(spillway_inflight{BY} / (spillway_capacity{BY} > 0))", "used")], unit="percentunit", steps=SHARE,
          min=0, max=1, runbook="SheddingSustained"),
    graph("Offered load", "All demand, refused requests included, as a share of capacity: the autoscaling signal. Shedding"
          " begins at 80 %.", 7, [(f"instance:spillway_offered_load:ratio{BY}", "{{instance}}")], unit="percentunit",
          steps=SHARE, min=0),
    graph("Latency", "Of all requests, as clients see it. Refusals, which are quick, are included. Targets: p95 120 ms,"
          " p99 200 ms.", 7,
          [(quantile(0.95, "spillway_request_duration_seconds"), "p95"),
           (quantile(0.99, "spillway_request_duration_seconds"), "p99")], unit="s",
          steps=[(None, "green"), (0.12, "yellow"), (0.2, "red")], min=0, runbook="LatencyP95High"),
    row("What should I do?"),
    graph("Alerts firing", "Each has a runbook, named like it.", 12,
          [('sum by (alertname, severity) (ALERTS{alertstate="firing", job=~"$job|"})', "{{alertname}} ({{severity}})")],
          min=0, steps=BAD_FROM_1, noValue="none"),
    text("First steps", "1. **API not healthy, breaker open**: the API or its database. Roll back what was released last.\n"
         "2. **Pool red**: look for blocking queries before adding connections. Roll back: pool to 5/10.\n"
         "3. **Refused by capacity, pool fine**: demand. Add replicas.\n"
         "4. **Refused, but all gauges low**: `admission.mode: off`, then find out why.\n\n"
         "[All runbooks](${runbooks}/README.md)", 12),
])

dashboard("pool", "Database pool", "The API's connections to PostgreSQL, as the API reports them", [
    graph("Open connections used", "The share that DatabasePoolExhaustion watches: above 80 % for five minutes it fires.", 12,
          [(POOL_USED, "{{instance}}")], unit="percentunit", steps=SHARE, min=0, max=1, runbook="DatabasePoolExhaustion"),
    graph("Capacity used", "Connections in use as a share of base and overflow together. Above 80 % the proxy refuses ordinary requests.", 12,
          [(f"instance:database_pool_capacity_used:ratio{BY}", "{{instance}}")], unit="percentunit", steps=SHARE, min=0,
          max=1, runbook="DatabasePoolNearCapacity"),
    graph("Connections", "In use, open, and the most there may be; all instances together.", 12,
          [(f"sum(database_pool_size{BY} + database_pool_overflow{BY} - database_pool_checkedin{BY})", "in use"),
           (f"sum(database_pool_size{BY} + database_pool_overflow{BY})", "open"),
           (f"sum(database_pool_capacity{BY})", "capacity")], min=0),
    graph("Parts of the pool", "Base connections, overflow, and those not in use; all instances together.", 12,
          [(f"sum(database_pool_size{BY})", "size"), (f"sum(database_pool_overflow{BY})", "overflow"),
           (f"sum(database_pool_checkedin{BY})", "checked in")], min=0),
    graph("Waiting for a connection", "Requests inside the API that wait for a connection.", 8,
          [(f"database_pool_waiters{BY}", "{{instance}}")], min=0, runbook="DatabasePoolNearCapacity"),
    graph("Connection errors", "Connections that could not be opened, or were lost.", 8,
          [(f"rate(database_connection_errors{BY}[$__rate_interval])", "{{instance}}")], unit="ops", min=0,
          runbook="DatabaseConnectionErrors"),
    graph("Refused for the pool", "Requests that the proxy refused because the pool was too full for their class.", 8,
          [(rate("load_shedding_rejections", "class", reason="pool"), "{{class}}")], unit="reqps", min=0,
          runbook="DatabasePoolNearCapacity"),
])

dashboard("latency", "Latency", "Where the time goes: the queue, the API, or neither", [
    graph("Requests by class: p95", "First byte of the request to the end of its answer, refusals included.", 12,
          [(quantile(0.95, "spillway_request_duration_seconds", "class"), "{{class}}")], unit="s", min=0,
          steps=[(None, "green"), (0.12, "red")], runbook="LatencyP95High"),
    graph("Requests by class: p99", "First byte of the request to the end of its answer, refusals included.", 12,
          [(quantile(0.99, "spillway_request_duration_seconds", "class"), "{{class}}")], unit="s", min=0,
          steps=[(None, "green"), (0.2, "red")], runbook="LatencyP99High"),
    graph("Served requests", "Of requests that the API answered below 500: refusals, which are fast, are left out, and streams.", 12,
          [(quantile(q, "spillway_served_duration_seconds"), f"p{100 * q:.0f}") for q in (0.5, 0.95, 0.99)], unit="s", min=0,
          runbook="LatencyP95High"),
    graph("Failures by cause", "Requests that the API failed: a 5xx status, or what kept its answer away.", 12,
          [(rate("spillway_upstream_failures_total", "cause"), "{{cause}}")], unit="reqps", stack=True, min=0,
          runbook="ErrorBudgetBurnFast"),
    graph("In the API", "Request sent to the API to the end of its answer, or until it was given up.", 12,
          [(quantile(q, "spillway_upstream_duration_seconds"), f"p{100 * q:.0f}") for q in (0.5, 0.95, 0.99)], unit="s", min=0),
    graph("In the queue", "How long admitted requests waited for a slot.", 12,
          [(quantile(q, "spillway_queue_wait_seconds"), f"p{100 * q:.0f}") for q in (0.5, 0.95, 0.99)], unit="s", min=0,
          runbook="QueueGrowing"),
    graph("Requests per second", "Of all classes together.", 12, [(rate("spillway_requests_total", "class"), "{{class}}")],
          unit="reqps", stack=True, min=0),
    graph("Concurrency at admission", "Requests in flight when a request was admitted.", 12,
          [(quantile(q, "request_concurrency"), f"p{100 * q:.0f}") for q in (0.5, 0.95, 0.99)], min=0),
])

dashboard("fleet", "Fleet", "One line per proxy: does one differ from the others?", [
    graph("Requests per second", "A line that falls to 0 is an instance without traffic.", 8,
          [(rate("spillway_requests_total", "instance"), "{{instance}}")], unit="reqps", min=0),
    graph("Refused", "An instance that refuses alone is smaller or slower than the others.", 8,
          [(rate("load_shedding_rejections", "instance"), "{{instance}}")], unit="reqps", min=0, runbook="SheddingSustained"),
    graph("API's errors and time-outs", "Per second.", 8,
          [(rate("spillway_requests_total", "instance", outcome="~upstream_error|timeout"), "{{instance}}")], unit="reqps",
          min=0, runbook="ErrorBudgetBurnFast"),
    graph("In flight", "Requests in flight towards the API; and streams, which hold no slot.", 8,
          [(f"spillway_inflight{BY}", "{{instance}}"), (f"spillway_streams{BY}", "streams {{instance}}")], min=0),
    graph("Limit and capacity", "The limit is below capacity while the adaptive limit or the breaker's ramp holds back.", 8,
          [(f"spillway_concurrency_limit{BY}", "limit {{instance}}"), (f"spillway_capacity{BY}", "capacity {{instance}}")], min=0),
    graph("Waiting", "Requests in the queue.", 8, [(f"spillway_queue_length{BY}", "{{instance}}")], min=0,
          runbook="QueueGrowing"),
    graph("Client connections", "Open at present.", 8, [(f"spillway_client_connections{BY}", "{{instance}}")], min=0),
    graph("Connections to the API", "Active and idle.", 8,
          [(f"sum by (instance, state) (spillway_upstream_connections{BY})", "{{state}} {{instance}}")], min=0),
    graph("Connects to the API", "Attempts, failures, and requests sent a second time, per second.", 8,
          [(rate("spillway_upstream_connects_total"), "attempts"), (rate("spillway_upstream_connect_failures_total"), "failures"),
           (rate("spillway_upstream_retries_total"), "repeated")], unit="ops", min=0, runbook="ApiUnhealthy"),
    graph("Bad requests", "Messages that the proxy refused as invalid requests, by status.", 8,
          [(rate("spillway_bad_requests_total", "code"), "{{code}}")], unit="reqps", min=0),
    graph("Log lines lost", "Lines lost because the reader of the log is too slow.", 8, [(rate("spillway_log_lines_dropped_total", "instance"), "{{instance}}")],
          unit="cps", min=0, runbook="AccessLogDropped"),
    graph("Bytes", "Of bodies and tunnels, in from clients and out to them.", 8,
          [(rate("spillway_bytes_total", "direction"), "{{direction}}")], unit="Bps", min=0),
    graph("Event loop lag: p99", "How late a loop runs a timer that is due: above 50 ms something holds it up.", 8,
          [(quantile(0.99, "spillway_event_loop_lag_seconds", "instance"), "{{instance}}")], unit="s", min=0),
    graph("Processor", "Cores in use.", 8, [(rate("process_cpu_seconds_total", "instance"), "{{instance}}")], min=0),
    graph("Resident memory", "Of the proxy.", 8, [(f"process_resident_memory_bytes{BY}", "{{instance}}")], unit="bytes", min=0),
    graph("Descriptors", "Open, as a share of those that may be.", 8,
          [(f"process_open_fds{BY} / process_max_fds{BY}", "{{instance}}")], unit="percentunit", min=0),
    graph("Uptime", "A line that falls to 0 is a restart.", 8, [(f"time() - process_start_time_seconds{BY}", "{{instance}}")],
          unit="s", min=0),
    graph("Versions", "Proxies by version: two while a rollout is under way.", 8,
          [(f"count by (version) (spillway_build_info{BY})", "{{version}}")], min=0),
])
