#!/usr/bin/python3
"""The launch gate: 50 requests/s of real users through proxy and API on PostgreSQL, and a verdict with figures.

  gate.py [DURATION]    started by `make launch-gate`, below tests/with_postgres.sh

Writes to build/reports/: launch-gate.html (Locust), launch-gate.md (verdict), launch-gate-pool.png and -climb.png
(previews of the dashboards).
Exit status 1 when a line of the verdict fails.
"""
import csv
import datetime
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "deploy"))
import preview  # noqa: E402
from stack import ROOT, Stack, await_true, get  # noqa: E402

USERS = 104  # each sends a request every 2 s plus response time: a little over 50 requests/s
SPAWN_RATE = 5  # logins a second; each costs the API 25 ms of processor time at low priority
CLIMB_CAPACITY, CLIMB_SLOW_MS = 10, 100  # 8 slots for ordinary requests of 100 to 200 ms serve about 50/s; 100/s arrive
CLIMB_USERS = [20, 40, 60, 80, 120, 160, 200]  # as climb.py has them
MEMORY_SECONDS = 5
LONG_SECONDS = 300
MIB = 1 << 20
REPORTS = ROOT / "build/reports"


class Locust:
    """A run of Locust. Its exit status is ignored: it only says whether any request failed."""

    def __init__(self, file, host, name, *arguments, **environment):
        self.prefix = REPORTS / name
        with open(f"{self.prefix}.log", "wb") as log:
            self.process = subprocess.Popen(
                ["/usr/bin/locust", "-f", ROOT / "tests/load" / file, "--headless", "--only-summary", "--host", host,
                 "--html", f"{self.prefix}.html", "--csv", self.prefix, *arguments],
                stdout=log, stderr=log, env=os.environ | environment)

    def rows(self):
        self.process.wait()
        with open(f"{self.prefix}_stats.csv", newline="", encoding="utf-8") as file:
            return {row["Name"]: row for row in csv.DictReader(file)}


def steady(host, seconds, name):
    # In a short run the logins of the beginning would be every thirtieth request; its figures start after them.
    return Locust("locustfile.py", host, name, "-u", str(USERS), "-r", str(SPAWN_RATE), "-t", f"{seconds}s",
                  *([] if seconds >= LONG_SECONDS else ["--reset-stats"]))


def watch_memory(stack, run):
    """Resident bytes of both programs together, taken while the run lasts."""
    samples = []
    while run.process.poll() is None:
        samples.append(stack.resident("proxy") + stack.resident("api"))
        time.sleep(MEMORY_SECONDS)
    return samples


def growth(samples):
    """From the second fifth (caches and pools are filled) to the last one."""
    fifth = max(1, len(samples) // 5)
    return sum(samples[-fifth:]) / fifth - sum(samples[fifth:2 * fifth]) / fifth


def judge(stack, run, memory, seconds):
    """Lines of the verdict: (what, figure, required, passed)."""
    total = run.rows()["Aggregated"]
    requests, failures = int(total["Request Count"]), int(total["Failure Count"])
    # While the users arrive the rate grows from nothing.
    rate = requests / (seconds - USERS / SPAWN_RATE / (2 if seconds >= LONG_SECONDS else 1))
    over = f"[{seconds + 10}s:1s]"
    used = stack.value("max_over_time(((database_pool_size + database_pool_overflow - database_pool_checkedin)"
                       f" / (database_pool_size + database_pool_overflow)){over})")
    exhausted = stack.value(f"sum_over_time((((database_pool_size + database_pool_overflow - database_pool_checkedin)"
                            f" / (database_pool_size + database_pool_overflow)) > bool 0.8){over})")
    refused = stack.value("sum(load_shedding_rejections)")
    errors = stack.value("database_connection_errors")
    fired = stack.query(f'max_over_time(ALERTS{{alertstate="firing"}}[{seconds + 10}s])')
    names = ", ".join(sorted({alert["metric"]["alertname"] for alert in fired})) or "none"
    grown = growth(memory)
    return [
        ("requests/s", f"{rate:.1f}", "≥ 49", rate >= 49),
        ("errors", f"{failures} of {requests}", "< 0.1 %, aim 0", failures < requests / 1000),
        ("p95", f"{total['95%']} ms", "≤ 120 ms", float(total["95%"]) <= 120),
        ("p99", f"{total['99%']} ms", "≤ 200 ms", float(total["99%"]) <= 200),
        ("pool-exhaustion events (scrapes above 80 %)", f"{exhausted:.0f}, fullest {100 * used:.0f} %", "0", exhausted == 0),
        ("requests refused", f"{refused:.0f}", "0", refused == 0),
        ("database connection errors", f"{errors:.0f}", "0", errors == 0),
        ("alerts fired", names, "none", not fired),
        ("memory of proxy and API", f"{memory[-1] / MIB:.1f} MiB, grown by {grown / MIB:+.2f} MiB", "< 1 MiB growth",
         grown < MIB),
    ]


def record(stack, begin):
    """The demand of the climb, one row for each 15 s: a trace for the test of the autoscaling rules."""
    slots = stack.query_range("instance:spillway_offered_slots:mean1m", begin, time.time(), 15)[0]["values"]
    with open(REPORTS / "launch-gate-climb.csv", "w", encoding="utf-8") as file:
        file.write("seconds,offered_slots,capacity\n")
        for at, value in slots:
            file.write(f"{float(at) - begin:.0f},{float(value):.3f},{CLIMB_CAPACITY}\n")


def climb(step_seconds):
    """More and more users on a small service whose database is slow: (table, lines of the verdict)."""
    with Stack(capacity=CLIMB_CAPACITY, slow_ms=CLIMB_SLOW_MS) as stack:
        run = Locust("climb.py", stack.url, "launch-gate-climb", STEP_SECONDS=str(step_seconds))
        await_true("first user", lambda: "spillway_client_connections 0" not in get(f"{stack.admin_url}/metrics"))
        begin = time.time()
        run.rows()
        seconds = step_seconds - 5  # leaves out the start of the step, with responses of the step before
        rows = []
        for step, users in enumerate(CLIMB_USERS):
            at = begin + (step + 1) * step_seconds

            def rate(expression, at=at):
                return stack.value(expression.replace("$w", f"[{seconds}s]"), at) or 0
            rows.append({
                "users": users,
                "offered": rate("sum(rate(spillway_requests_total$w))"),
                "served": rate('sum(rate(spillway_requests_total{outcome=~"ok|client_error"}$w))'),
                "refused": rate("sum(rate(load_shedding_rejections$w))"),
                "broken": rate('sum(increase(spillway_requests_total{outcome=~"upstream_error|timeout"}$w))'),
                "p95": 1000 * rate("histogram_quantile(0.95, sum by (le)"
                                   " (rate(spillway_upstream_duration_seconds_bucket{class='normal'}$w)))"),
                "inflight": stack.value(f"max_over_time(spillway_inflight[{seconds}s])", at),
                "load": stack.value("instance:spillway_offered_load:ratio", at) or 0,
            })
        record(stack, begin)
        preview.draw(stack, "overview", begin, time.time(), REPORTS / "launch-gate-climb.png")
    table = ["| users | offered/s | served/s | refused/s | broken | p95 at the API | most in flight | offered load |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for r in rows:
        table.append(f"| {r['users']} | {r['offered']:.1f} | {r['served']:.1f} | {r['refused']:.1f} | {r['broken']:.0f}"
                     f" | {r['p95']:.0f} ms | {r['inflight']:.0f} of {CLIMB_CAPACITY} | {100 * r['load']:.0f} % |")
    best, last = max(r["served"] for r in rows), rows[-1]
    return table, [
        ("climb: nothing refused at the first step", f"{rows[0]['refused']:.1f}/s", "0", rows[0]["refused"] == 0),
        ("climb: refused at the last step", f"{last['refused']:.1f}/s", "> 10/s", last["refused"] > 10),
        ("climb: served at the last step, of the best", f"{100 * last['served'] / best:.0f} %", "≥ 85 %",
         last["served"] >= 0.85 * best),
        ("climb: API's p95 at the last step", f"{last['p95']:.0f} ms",
         f"≤ 2 × {rows[0]['p95']:.0f} ms", last["p95"] <= 2 * rows[0]["p95"]),
        ("climb: broken requests", f"{sum(r['broken'] for r in rows):.0f}", "0", not any(r["broken"] for r in rows)),
        ("climb: offered load at the last step", f"{100 * last['load']:.0f} %", "> 80 %", last["load"] > 0.8),
    ]


def main():
    length = re.fullmatch(r"(\d+)([sm]?)", sys.argv[1] if len(sys.argv) > 1 else "15m")
    if not length or int(length[1]) == 0:
        sys.exit("usage: gate.py [DURATION], such as 60s or 15m")
    seconds = int(length[1]) * (60 if length[2] == "m" else 1)
    REPORTS.mkdir(parents=True, exist_ok=True)
    with Stack() as stack:
        before = steady(stack.api_url, min(60, seconds), "launch-gate-direct").rows()
        begin = time.time()
        load = os.getloadavg()[0]
        run = steady(stack.url, seconds, "launch-gate")
        lines = judge(stack, run, watch_memory(stack, run), seconds)
        after = run.rows()
        busy = max(load, os.getloadavg()[0])
        preview.draw(stack, "pool", begin, time.time(), REPORTS / "launch-gate-pool.png")
    table, climb_lines = climb(30 if seconds >= LONG_SECONDS else 15)
    lines += climb_lines

    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                            check=False).stdout.strip() or "unknown"
    out = [f"{datetime.date.today()}, commit {commit}, {seconds} s, {os.cpu_count()} cores"
           f" ({platform.machine()}, load average {busy:.1f} with the load itself)", "",
           "| | figure | required | |", "| --- | --- | --- | --- |"]
    out += [f"| {what} | {figure} | {required} | {'pass' if passed else '**FAIL**'} |"
            for what, figure, required, passed in lines]
    out += ["", "Response times in ms, as Locust saw them:", "",
            "| | API alone: p50 | p95 | p99 | with the proxy: p50 | p95 | p99 |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for name in ("login", "search", "list", "eligibility", "Aggregated"):
        cells = [row[name][p] for row in (before, after) for p in ("50%", "95%", "99%")]
        out.append(f"| {name} | " + " | ".join(cells) + " |")
    out += ["", f"Climb on a service of {CLIMB_CAPACITY} slots whose database takes {CLIMB_SLOW_MS} ms longer:", "", *table]
    (REPORTS / "launch-gate.md").write_text("\n".join(out) + "\n", encoding="utf-8")
    print("\n".join(out))
    return 0 if all(passed for *_, passed in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
