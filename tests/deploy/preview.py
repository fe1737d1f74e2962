"""Queries the panels of a dashboard as Grafana would, and draws a preview of it: no Grafana, the same figures.

Colours, legends and spacing differ from Grafana's; the preview proves the queries.
"""
import html
import json
import math
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRAPE_SECONDS = 1  # as stack.py scrapes
POINTS = 150
COLUMN, LINE, GAP = 56, 34, 6  # pixels of a grid unit
COLOURS = ["#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#f2495c", "#b877d9", "#37872d", "#fa6400", "#1f60c4", "#8f3bb8"]


def load(name):
    return json.loads((ROOT / f"dashboards/{name}.json").read_text(encoding="utf-8"))


def expand(expression, step):
    """Grafana's variables with All chosen; $__rate_interval is four scrapes, and at least a step and a scrape."""
    interval = max(4 * SCRAPE_SECONDS, math.ceil(step) + SCRAPE_SECONDS)
    for variable, value in (("$__rate_interval", f"{interval}s"), ("$__interval", f"{max(1, math.ceil(step))}s"),
                            ("$namespace", ".*"), ("$job", ".*"), ("$pod", ".*"), ("$instance", ".*")):
        expression = expression.replace(variable, value)
    return expression


def step_of(begin, end):
    return max(SCRAPE_SECONDS, (end - begin) / POINTS)


def series(stack, panel, begin, end):
    """[(legend, [(time, value)])] of all targets; values that are no number are left out."""
    step = step_of(begin, end)
    found = []
    for target in panel.get("targets", []):
        for one in stack.query_range(expand(target["expr"], step), begin, end, step):
            legend = target["legendFormat"]
            for label, value in one["metric"].items():
                legend = legend.replace("{{%s}}" % label, value)
            points = [(float(t), float(v)) for t, v in one["values"]]
            found.append((legend, [(t, v) for t, v in points if math.isfinite(v)]))
    return found


def text_of(value, unit):
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "s":
        return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"
    return f"{value:.3g}" + {"reqps": " /s", "ops": " /s", "cps": " /s"}.get(unit, "")


def steps_of(panel):
    return [(s["value"], s["color"]) for s in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]


def big_number(panel, found):
    defaults = panel["fieldConfig"]["defaults"]
    values = [points[-1][1] for _, points in found if points]
    if not values:
        return "<div class=big>no data</div>"
    colour = [c for v, c in steps_of(panel) if v is None or values[0] >= v][-1]
    shown = text_of(values[0], defaults["unit"])
    for mapping in defaults.get("mappings", []):
        shown = mapping["options"].get(f"{values[0]:g}", {"text": shown})["text"]
    return f'<div class=big style="color:{colour}">{html.escape(shown)}</div>'


def pieces(points, step):
    """The points as unbroken runs: a gap in the data is a gap in the picture."""
    found = []
    for t, v in points:
        if not found or t - found[-1][-1][0] > 1.5 * step:
            found.append([])
        found[-1].append((t, v))
    return found


def layers(found, stacked):
    """[(legend, [(time, lower, upper)])]; a stacked series begins on top of those before it, any other at zero."""
    total, out = {}, []
    for legend, points in found:
        out.append((legend, [(t, total.get(t, 0), total.get(t, 0) + v) for t, v in points]))
        if stacked:
            total |= {t: upper for t, _, upper in out[-1][1]}
    return out


def colours_of(panel, legends):
    fixed = {o["matcher"]["options"]: o["properties"][0]["value"]["fixedColor"]
             for o in panel["fieldConfig"]["overrides"]}
    return [fixed.get(legend, COLOURS[i % len(COLOURS)]) for i, legend in enumerate(legends)]


def chart(panel, found, begin, end, width, height):
    defaults = panel["fieldConfig"]["defaults"]
    stacked = bool(defaults.get("custom", {}).get("stacking"))
    drawn = layers(found, stacked)
    values = [upper for _, points in drawn for *_, upper in points]
    if not values:
        return f"<div class=big>{html.escape(defaults.get('noValue', 'no data'))}</div>"
    top = (max(values) or 1) * 1.1

    def place(t, v):
        return f"{40 + (t - begin) / (end - begin) * (width - 50):.1f},{height - 8 - v / top * (height - 16):.1f}"
    parts = [f'<svg width="{width}" height="{height}">']
    colours = colours_of(panel, [legend for legend, _ in drawn])
    for colour, (_, points) in zip(colours, drawn):
        for run in pieces([(t, (lower, upper)) for t, lower, upper in points], step_of(begin, end)):
            line = [place(t, upper) for t, (_, upper) in run]
            if stacked:  # no line: a series of zeros on top of a stack would look like the whole stack
                line += [place(t, lower) for t, (lower, _) in reversed(run)]
                parts.append(f'<polygon fill="{colour}" fill-opacity="0.7" points="{" ".join(line)}"/>')
            else:
                parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{" ".join(line)}"/>')
    for share in (0, 0.5, 1):
        v = share * top / 1.1
        at, y = place(begin, v).split(","), place(end, v).split(",")
        parts.append(f'<line x1="{at[0]}" y1="{at[1]}" x2="{y[0]}" y2="{y[1]}" stroke="#333"/>'
                     f'<text x="36" y="{float(at[1]) + 3}" text-anchor="end">{html.escape(text_of(v, defaults["unit"]))}</text>')
    for v, colour in steps_of(panel):
        if v is not None and v <= top:
            a, b = place(begin, v).split(","), place(end, v).split(",")
            parts.append(f'<line x1="{a[0]}" y1="{a[1]}" x2="{b[0]}" y2="{b[1]}" stroke="{colour}" stroke-dasharray="4"/>')
    # Grey marks a series that is zero all the time, so that the others stand out.
    legend = " ".join(f'<span style="color:{colour if any(v for _, v in points) else "#666"}">{"■" if stacked else "—"}'
                      f' {html.escape(name)}</span>' for colour, (name, points) in zip(colours, found))
    return "".join(parts) + f"</svg><div class=legend>{legend}</div>"


def heat(found, begin, end, width, height):
    """Rows of cells, from the lowest bucket up; a bucket's own count is its own minus the one below it."""
    rows = sorted(((float(le), dict(points)) for le, points in found), key=lambda one: one[0])
    below, cells = {}, []
    for i, (_, points) in enumerate(rows):
        cells += [(i, t, v - below.get(t, 0)) for t, v in points.items()]
        below = points
    top = max((v for *_, v in cells), default=0)
    if top <= 0:
        return "<div class=big>no data</div>"
    wide, high = (width - 50) * step_of(begin, end) / (end - begin), (height - 16) / len(rows)
    parts = [f'<svg width="{width}" height="{height}">']
    parts += [f'<rect x="{40 + (t - begin) / (end - begin) * (width - 50):.1f}" y="{height - 8 - (i + 1) * high:.1f}" width="{wide:.1f}"'
              f' height="{high:.1f}" fill="#ffe945" fill-opacity="{math.sqrt(v / top):.2f}"/>' for i, t, v in cells if v > 0]
    parts += [f'<text x="36" y="{height - 8 - i * high:.1f}" text-anchor="end">{text_of(le, "s")}</text>'
              for i, (le, _) in enumerate(rows) if i % 4 == 0]
    return "".join(parts) + "</svg>"


def draw(stack, name, begin, end, png):
    """Writes the picture; the panels' figures are those of [begin, end]."""
    board = load(name)
    boxes, bottom = [], 0
    for panel in board["panels"]:
        at = panel["gridPos"]
        width, height = at["w"] * COLUMN - GAP, at["h"] * LINE - GAP
        bottom = max(bottom, (at["y"] + at["h"]) * LINE)
        if panel["type"] == "text":
            body = f"<pre>{html.escape(panel['options']['content'])}</pre>"
        elif panel["type"] == "row":
            body = ""
        elif panel["type"] == "timeseries":
            body = chart(panel, series(stack, panel, begin, end), begin, end, width - 12, height - 50)
        elif panel["type"] == "heatmap":
            body = heat(series(stack, panel, begin, end), begin, end, width - 12, height - 30)
        else:
            body = big_number(panel, series(stack, panel, begin, end))
        boxes.append(f'<div class="{panel["type"]}" style="left:{at["x"] * COLUMN}px;top:{at["y"] * LINE + 34}px;width:{width}px;'
                     f'height:{height}px"><b>{html.escape(panel["title"])}</b>{body}</div>')
    page = ("<meta charset=utf-8><style>body{background:#111217;color:#ccc;font:11px sans-serif;margin:8px}"
            "div[style]{position:absolute;background:#181b1f;box-sizing:border-box;padding:5px;overflow:hidden}"
            ".legend{font-size:10px}"
            "div.row{background:none}.big{font-size:26px;text-align:center;margin-top:18px;position:static!important}"
            "svg text{fill:#999;font-size:9px}pre{white-space:pre-wrap;font:11px sans-serif}</style>"
            f"<b style='font-size:15px'>{html.escape(board['title'])}</b> preview, drawn from the dashboard's queries without"
            f" Grafana{''.join(boxes)}")
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "page.html"
        source.write_text(page, encoding="utf-8")
        subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                        f"--user-data-dir={folder}/profile", f"--window-size={24 * COLUMN + 16},{bottom + 60}",
                        f"--screenshot={png}", source.as_uri()],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
