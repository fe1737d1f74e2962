"""What the dashboards are made of: selectors, colours, panels, and the layout. See build.py."""
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "proxy/admin/page"
# The palette is that of the proxy's own page, for dark backgrounds, as Grafana's is by default.
COLOURS = dict(re.findall(r"--([\w-]+): (#[0-9a-f]+)", (PAGE / "page.css").read_text().split("prefers-color-scheme: dark")[1]))
GOOD, WARN, BAD = COLOURS["good"], COLOURS["warn"], COLOURS["bad"]
OUTCOMES = {"ok": COLOURS["answered"], "client_error": COLOURS["r3"], "aborted": COLOURS["limit"], "shed": COLOURS["refused"],
            "timeout": COLOURS["f1"], "upstream_error": COLOURS["failed"]}
REASONS = {reason: COLOURS[role] for reason, role in re.findall(
    r"(\w+): '(r\d)'", re.search(r"REASON_COLOURS = \{(.*?)\}", (PAGE / "page.js").read_text(), re.S)[1])}
QUANTILES = {"p50": COLOURS["answered"], "p95": COLOURS["queue"], "p99": COLOURS["r3"]}

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
BY = '{namespace=~"$namespace", job=~"$job", pod=~"$pod", instance=~"$instance"}'
SERVICE = '{namespace=~"$namespace", job=~"$job"}'
ONE = ("instance", "pod")  # the labels of one proxy; `pod` exists only on Kubernetes
SHARE = [(None, GOOD), (0.6, WARN), (0.8, BAD)]
GOOD_AT_1 = [(None, BAD), (1, GOOD)]
BAD_FROM_1 = [(None, GOOD), (1, BAD)]
RUNBOOKS = ["README", *sorted({p.stem for p in (ROOT / "deploy/runbooks").glob("*.md")} - {"README"})]


def by(**labels):
    """The selector of the variables with more labels: by(outcome="ok"); a value that begins with ~ is a pattern, one with !
    a pattern that must not match."""
    kinds = {"~": "=~", "!": "!~"}
    more = "".join(f', {k}{kinds[v[0]]}"{v[1:]}"' if v[0] in kinds else f', {k}="{v}"' for k, v in labels.items())
    return BY[:-1] + more + "}"


def quantile(q, metric, *labels, **selected):
    kept = ", ".join(("le",) + labels)
    return f"histogram_quantile({q}, sum by ({kept}) (rate({metric}_bucket{by(**selected)}[$__rate_interval])))"


def quantiles(metric):
    return [(quantile(q, metric), f"p{100 * q:.0f}") for q in (0.5, 0.95, 0.99)]


def rate(metric, *labels, **selected):
    return f"sum by ({', '.join(labels)}) (rate({metric}{by(**selected)}[$__rate_interval]))"


def named(expression):
    """One series for each proxy: the label `proxy` is its pod, or its instance where there are no pods."""
    return (f'label_replace(label_replace({expression}, "proxy", "$1", "instance", "(.*)"), "proxy", "$1", "pod", "(.+)")')


def of_service(expression):
    """One series for each service: the label `service` is namespace/job, or the job where there are no namespaces."""
    joined = f'label_join({expression}, "service", "/", "namespace", "job")'
    return f'label_replace({joined}, "service", "$1", "service", "/(.*)")'


def runbook_url(name):
    """In Grafana itself, whatever its address: the dashboard of runbooks shows that page alone."""
    return f"/d/spillway-runbooks?viewPanel={RUNBOOKS.index(name) + 1}"


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
        "mode": "absolute", "steps": [{"value": v, "color": c} for v, c in steps or [(None, GOOD)]]}}
    defaults |= {k: extra[k] for k in ("min", "max", "mappings", "noValue", "decimals") if k in extra}
    options = {
        "timeseries": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull"]},
                       "tooltip": {"mode": "multi", "sort": "desc"}},
        "stat": {"colorMode": "background", "graphMode": "area", "justifyMode": "auto", "textMode": "auto",
                 "orientation": "auto", "wideLayout": True, "showPercentChange": False, "percentChangeColorMode": "standard",
                 "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}},
        "gauge": {"showThresholdLabels": False, "showThresholdMarkers": True, "orientation": "auto", "sizing": "auto",
                  "minVizHeight": 75, "minVizWidth": 75,
                  "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}},
        "heatmap": {"calculate": False, "cellGap": 1, "cellValues": {"unit": "reqps"}, "filterValues": {"le": 1e-9},
                    "color": {"mode": "scheme", "scheme": "Cividis", "steps": 64, "exponent": 0.5, "fill": COLOURS["answered"],
                              "reverse": False},
                    "exemplars": {"color": COLOURS["failed"]}, "legend": {"show": True}, "showValue": "never",
                    "rowsFrame": {"layout": "auto"}, "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
                    "yAxis": {"unit": unit, "axisPlacement": "left", "reverse": False}},
    }[kind]
    more = {"exemplar": True} if extra.get("exemplars") else {}
    more |= {"format": "heatmap"} if kind == "heatmap" else {}
    result = {"type": kind, "title": title, "description": description, "datasource": SOURCE,
              "gridPos": {"w": width, "h": height, "x": 0, "y": 0},
              "fieldConfig": {"defaults": defaults,
                              "overrides": [coloured(*c) for c in extra.get("colours", {}).items()]},
              "options": options,
              "targets": [{"refId": chr(65 + i), "datasource": SOURCE, "expr": e, "legendFormat": legend,
                           "editorMode": "code", "range": True} | more for i, (e, legend) in enumerate(targets)]}
    if runbook:
        result["links"] = [{"type": "link", "title": f"Runbook {runbook}", "url": runbook_url(runbook), "icon": "doc",
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


def heatmap(title, description, width, metric, **more):
    """Of a histogram of seconds: a column for each moment, a row for each bucket."""
    return panel("heatmap", title, description, width, [(rate(f"{metric}_bucket", "le"), "{{le}}")], unit="s", exemplars=True,
                 **more)


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "gridPos": {"w": 24, "h": 1, "x": 0, "y": 0}, "panels": []}


def mapped(**texts):
    return [{"type": "value", "options": {k[1:]: {"text": v, "index": int(k[1:])} for k, v in texts.items()}}]


def lay_out(panels):
    """In rows of 24 columns, in the order in which they stand."""
    x = y = height = 0
    for number, p in enumerate(panels, 1):
        at = p["gridPos"]
        if x + at["w"] > 24:
            x, y, height = 0, y + height, 0
        at["x"], at["y"], p["id"] = x, y, number
        x, height = x + at["w"], max(height, at["h"])
    return panels


def choice(label, query):
    # What is not there, as pods outside of Kubernetes, must not hide all the rest: hence a pattern for All.
    return {"type": "query", "name": label, "label": label, "datasource": SOURCE,
            "query": {"query": query, "refId": label}, "refresh": 2, "includeAll": True, "allValue": ".*", "multi": True, "sort": 1,
            "current": {"text": ["All"], "value": ["$__all"]}}


def note(label, expression, colour, caption):
    return {"name": label, "enable": True, "iconColor": colour, "datasource": SOURCE, "expr": expression,
            "titleFormat": caption, "textFormat": "{{instance}}", "step": "15s"}


def proxy_notes():
    return [note("Deploys", f"spillway_build_info{BY} and on (namespace, job, instance, pod)"
                 f" (time() - process_start_time_seconds{BY} < 60)", COLOURS["queue"], "Started: {{version}}"),
            note("Reloads", f"changes(spillway_config_last_reload_timestamp_seconds{BY}[$__rate_interval]) > 0",
                 COLOURS["answered"], "Configuration taken into use"),
            note("Breaker", f"spillway_breaker_state{BY} == 2", COLOURS["failed"], "Breaker open"),
            note("API down", f"spillway_upstream_healthy{BY} == 0", COLOURS["f2"], "The API does not answer health polls")]


def api_notes():
    return [note("Database down", f"scholarship_api_database_reachable{BY} == 0", COLOURS["failed"], "The database cannot be reached"),
            note("Reloads", f"changes(scholarship_api_config_last_reload_timestamp_seconds{BY}[$__rate_interval]) > 0",
                 COLOURS["answered"], "Configuration taken into use")]


def board(name, title, description, panels, of="spillway_build_info", notes=None):
    """`of`: a series of each process that the dashboard is about."""
    return {
        "uid": f"spillway-{name}", "title": f"Spillway / {title}", "description": description, "tags": ["spillway"],
        "schemaVersion": 39, "editable": True, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "links": [{"type": "dashboards", "title": "Spillway", "tags": ["spillway"], "asDropdown": False, "icon": "dashboard",
                   "includeVars": True, "keepTime": True, "targetBlank": False, "tooltip": "", "url": ""}],
        "templating": {"list": [
            {"type": "datasource", "name": "datasource", "label": "datasource", "query": "prometheus", "refresh": 1,
             "current": {"text": "Prometheus", "value": "prometheus"}},
            choice("namespace", f"label_values({of}, namespace)"),
            choice("job", f"label_values({of}" + '{namespace=~"$namespace"}, job)'),
            choice("pod", f"label_values({of}{SERVICE}, pod)"),
            choice("instance", f"label_values({of}{SERVICE[:-1]}" + ', pod=~"$pod"}, instance)')]},
        "annotations": {"list": notes or proxy_notes()},
        "panels": lay_out(panels)}


def runbooks():
    """Each runbook as a panel of text."""
    panels = []
    for name in RUNBOOKS:
        content = (ROOT / f"deploy/runbooks/{name}.md").read_text(encoding="utf-8").split("\n", 1)[1].strip()
        content = content.replace("](README.md)", f"]({runbook_url('README')})")
        panels.append(text("Where you are" if name == "README" else name, content, 24, height=5 + len(content.splitlines()) // 2))
    return panels


def write(folder, one):
    path = pathlib.Path(folder) / f"{one['uid'].removeprefix('spillway-')}.json"
    path.write_text(json.dumps(one, indent=1) + "\n", encoding="utf-8")
