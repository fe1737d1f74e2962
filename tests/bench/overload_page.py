"""The overload report as one HTML page: what was to be reached, and each run over time."""

import html

COLOURS = {"none": "#888", "nginx": "#2a9d3a", "haproxy": "#3667c9", "haproxy-1s": "#7b52c9", "spillway": "#d1372c"}
WIDTH, HEIGHT, LEFT, BOTTOM = 420, 150, 44, 18

STYLE = """
:root { color-scheme: light dark }
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse } td, th { padding: .1rem .7rem; text-align: left } td.n { text-align: right }
.met { color: #2a9d3a } .not { color: #d1372c; font-weight: bold }
svg { background: #8881 } text { font: 10px system-ui, sans-serif; fill: currentColor }
.plots { display: flex; flex-wrap: wrap; gap: 1rem }
"""


def series(run, what):
    """Sum over the streams of what was counted; of latencies the worst."""
    columns = zip(*(stream[what] for stream in run["bins"]["streams"].values()))
    return [max(column) if what == "p99_ms" else sum(column) / run["bins"]["width"] for column in columns][:-1]


def plot(title, unit, runs, what):
    lines = {run["target"]: series(run, what) for run in runs}
    top = max((max(values, default=0) for values in lines.values()), default=0) or 1
    bins = max(len(values) for values in lines.values())
    x = lambda i: LEFT + i * (WIDTH - LEFT) / max(1, bins - 1)
    y = lambda v: (HEIGHT - BOTTOM) * (1 - v / top) + 4
    out = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 8}" width="{WIDTH}" role="img" aria-label="{html.escape(title)}">',
           f'<text x="2" y="10">{top:.4g} {unit}</text><text x="2" y="{HEIGHT - BOTTOM + 4}">0</text>']
    width = runs[0]["bins"]["width"]
    seconds = bins * width
    for second in range(0, int(seconds) + 1, max(1, int(seconds / 6))):
        out.append(f'<text x="{x(second / width):.0f}" y="{HEIGHT}">{second} s</text>')
    for target, values in lines.items():
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(values))
        out.append(f'<polyline fill="none" stroke="{COLOURS.get(target, "#a0a")}" stroke-width="1.3" points="{points}">'
                   f"<title>{target}</title></polyline>")
    return f"<figure style='margin:0'><figcaption>{html.escape(title)}</figcaption>{''.join(out)}</svg></figure>"


def page(data):
    rows = "".join(
        f'<tr><td class="{"met" if c["met"] else "not"}">{"met" if c["met"] else "not met"}<td>{html.escape(c["what"])}'
        f'<td class="n">{html.escape(str(c["value"]))}<td>{html.escape(c["wanted"])}' for c in data["checks"])
    table = "".join(
        f'<tr><td>{r["scenario"]}<td>{html.escape(r["variant"])}<td>{r["target"]}<td class="n">{r["goodput"]:.0f}'
        f'<td class="n">{100 * r["success"]:.2f} %<td class="n">{r["p99_ok_ms"]:.1f}<td class="n">{r["p99_refused_ms"]:.1f}'
        f'<td class="n">{r["most_inside"]}<td class="n">{100 * r["wasted"]:.1f} %' for r in data["runs"])
    groups = {}
    for run in data["runs"]:
        groups.setdefault((run["scenario"], run["variant"]), []).append(run)
    plots = "".join(
        f"<h3>{scenario} {html.escape(variant)}</h3><div class=plots>{plot('goodput', '/s', runs, 'ok')}"
        f"{plot('p99 of the answered', 'ms', runs, 'p99_ms')}</div>" for (scenario, variant), runs in groups.items())
    legend = " ".join(f'<b style="color:{colour}">{name}</b>' for name, colour in COLOURS.items())
    return (f'<!doctype html><meta charset="utf-8"><title>Spillway under overload</title><style>{STYLE}</style>'
            f"<h1>Spillway under overload</h1><p>An API with {data['slots']} slots of {data['service_ms']} ms each; "
            f"requests in an open loop, latency from the moment each was due. {legend}</p>"
            f"<h2>What was to be reached</h2><table>{rows}</table>"
            "<h2>All runs</h2><table><tr><th>scenario<th><th>proxy<th>goodput /s<th>answered<th>p99 ms<th>p99 of "
            f"refusals ms<th>most inside<th>wasted{table}</table><h2>Over time</h2>{plots}")
