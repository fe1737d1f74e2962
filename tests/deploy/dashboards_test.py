#!/usr/bin/python3
"""The dashboards on a real Prometheus that scrapes the real stack: idle, moderate load, overload, API down.

Run below tests/with_postgres.sh. Every target of every panel, every variable and every annotation is asked over that
time. Panels that should have data have it, and what they say of the load agrees with the load within 10 %.
"""
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

import preview
from stack import ROOT, Stack, await_true, get

IDLE, MODERATE, OVERLOAD, DOWN = 20, 40, 75, 25  # seconds; the offered load is a mean over a minute
RATE = 20  # requests/s of the moderate load
CAPACITY, SLOW_MS = 10, 50
CROWD = 240  # clients of the overload; each sends its next request at once. More than are in flight and fit into the queue
# The scenario causes none of these. Their queries must still succeed, without data or with zeros.
QUIET = {"Alerts firing", "Certificates expire in"}
BOARDS = ("overview", "pool", "latency", "fleet", "api")


class Load:
    """Threads that send GETs, each every `period` seconds, or at once; counts what was sent."""

    def __init__(self, stack, threads, period, path="/api/v1/search?q=music"):
        self.stack, self.period, self.path = stack, period, path
        self.sent, self.begin, self.lock = 0, time.time(), threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i * period / threads,)) for i in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        self.end = time.time()

    def _run(self, offset):
        connection = http.client.HTTPConnection("127.0.0.1", self.stack.traffic, timeout=30)
        due = time.monotonic() + offset
        while not self.stopping.wait(max(0, due - time.monotonic())):
            due = due + self.period if self.period else time.monotonic()
            try:
                connection.request("GET", self.path, headers={"Authorization": f"Bearer {TOKEN}"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 503 and not self.period:
                    self.stopping.wait(0.5)
            except (OSError, http.client.HTTPException):
                connection.close()
            with self.lock:
                self.sent += 1
        connection.close()


TOKEN = ""


def log_in(stack):
    connection = http.client.HTTPConnection("127.0.0.1", stack.traffic, timeout=30)
    connection.request("POST", "/api/v1/auth/login", "username=admin&password=admin123",
                       {"Content-Type": "application/x-www-form-urlencoded"})
    token = json.loads(connection.getresponse().read())["access_token"]
    connection.close()
    return token


class Proof(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        global TOKEN  # pylint: disable=global-statement
        cls.stack = Stack(capacity=CAPACITY, slow_ms=SLOW_MS)
        stack = cls.stack.__enter__()
        cls.addClassCleanup(cls.stack.__exit__)
        cls.marks = {"begin": time.time()}
        time.sleep(IDLE)
        cls.marks["idle"] = time.time()
        TOKEN = log_in(stack)
        with Load(stack, threads=RATE // 2, period=0.5) as cls.moderate:
            time.sleep(MODERATE / 2)
            cls.reloaded = time.time()
            stack.processes["proxy"].send_signal(signal.SIGHUP)
            time.sleep(MODERATE / 2)
        cls.marks["moderate"] = time.time()
        with Load(stack, threads=CROWD, period=0) as cls.crowd:
            time.sleep(OVERLOAD)
        cls.marks["overload"] = time.time()
        stack.stop("api")
        with Load(stack, threads=RATE // 2, period=0.5):
            time.sleep(DOWN)
        cls.marks["down"] = cls.end = time.time()
        stack.start_api()
        await_true("healthy again", lambda: stack.value("spillway_upstream_healthy") == 1)
        for name in BOARDS:
            png = ROOT / f"build/reports/dashboard-{name}.png"
            png.parent.mkdir(parents=True, exist_ok=True)
            preview.draw(stack, name, cls.marks["begin"], cls.end, png)

    def values(self, title, legend=".*", begin="begin", end="down"):
        """Values of a panel's series between two marks, by legend."""
        panel = next(p for n in BOARDS for p in preview.load(n)["panels"]
                     if p["title"] == title)
        found = preview.series(self.stack, panel, self.marks[begin], self.marks[end])
        return {name: [v for _, v in points] for name, points in found if re.fullmatch(legend, name)}

    def mean(self, title, legend, begin, end):
        return sum(sum(v) / len(v) for v in self.values(title, legend, begin, end).values())

    def highest(self, title, legend=".*", begin="begin", end="down"):
        return max(max(v) for v in self.values(title, legend, begin, end).values() if v)

    def test_every_panel_has_data(self):
        asked = 0
        for name in BOARDS:
            for panel in preview.load(name)["panels"]:
                for target in panel.get("targets", []):
                    one = panel | {"targets": [target]}
                    found = preview.series(self.stack, one, self.marks["begin"], self.end)
                    asked += 1
                    if panel["title"] not in QUIET:
                        self.assertTrue(any(points for _, points in found), f"{name}: {panel['title']}: {target['expr']}")
                        self.assertFalse(any("{{" in legend for legend, _ in found), f"{name}: {panel['title']}: legend")
        print(f"{asked} targets asked")

    def test_every_variable_has_values(self):
        for name in BOARDS:
            for variable in preview.load(name)["templating"]["list"]:
                if variable["type"] == "query":
                    match = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
                    self.assertTrue(self.stack.label_values(match[2], preview.expand(match[1], 1)), variable["name"])

    def test_annotations_mark_the_reload_and_the_open_breaker(self):
        for name in set(BOARDS) - {"api"}:
            marked = {}
            for note in preview.load(name)["annotations"]["list"]:
                found = self.stack.query_range(preview.expand(note["expr"], 1), self.marks["begin"], self.end, 1)
                marked[note["name"]] = [float(t) for one in found for t, _ in one["values"]]
            self.assertTrue(all(marked.values()), f"{name}: {marked}")
            self.assertLess(max(marked["Deploys"]), self.marks["begin"] + 60)
            self.assertGreaterEqual(min(marked["API down"]), self.marks["overload"])
            self.assertGreaterEqual(min(marked["Reloads"]), self.reloaded)
            self.assertLess(max(marked["Reloads"]), self.marks["moderate"])
            self.assertGreaterEqual(min(marked["Breaker"]), self.marks["overload"])

    def test_idle_is_quiet(self):
        self.assertEqual(self.highest("Requests", end="idle"), 0)
        self.assertEqual(self.highest("Refused by reason", end="idle"), 0)
        self.assertEqual(self.highest("Open connections used", end="idle"), 0)

    def test_moderate_load_is_what_was_sent(self):
        sent = self.moderate.sent / (self.moderate.end - self.moderate.begin)
        self.marks["early"] = self.marks["idle"] + 8  # the window of a rate must fit into the phase
        self.assertAlmostEqual(self.mean("Requests", ".*", "early", "moderate"), sent, delta=0.1 * sent)
        self.assertAlmostEqual(self.mean("Requests per second", ".*", "early", "moderate"), sent, delta=0.1 * sent)
        # Little's law: requests in flight = rate × time each takes.
        took = self.stack.value("sum(rate(spillway_upstream_duration_seconds_sum[20s]))", self.marks["moderate"])
        offered = self.highest("Offered load", begin="early", end="moderate")
        self.assertLess(offered, 0.8)
        self.assertLess(abs(took / CAPACITY - offered), 0.25)

    def test_overload_is_seen(self):
        self.marks["crowded"] = self.marks["moderate"] + 10
        refused = self.mean("Refused by reason", ".*", "crowded", "overload")
        all_of_it = self.mean("Requests", ".*", "crowded", "overload")
        sent = self.crowd.sent / (self.crowd.end - self.crowd.begin)
        self.assertAlmostEqual(all_of_it, sent, delta=0.1 * sent)
        self.assertGreater(refused, 5)
        self.assertGreater(self.highest("Slots", begin="crowded", end="overload"), 0.75)
        self.assertLessEqual(self.highest("In flight"), CAPACITY)
        self.assertGreater(self.highest("Waiting"), 0)
        self.assertGreater(self.highest("Offered load", begin="crowded", end="overload"), 0.8)
        self.assertGreater(self.highest("Open connections used", begin="crowded", end="overload"), 0.25)

        self.assertEqual(set(self.values("Offered against capacity", "capacity")["capacity"]), {CAPACITY})
        self.assertGreater(self.highest("Offered against capacity", "offered", "crowded", "overload"), 0.8 * CAPACITY)
        self.assertGreater(self.highest("Refused by reason and class", "normal: .*", "crowded", "overload"), 5)
        # What is refused is quick; who is served waits, and that shows.
        self.assertGreater(self.highest("Latency", "p50", "crowded", "overload"), SLOW_MS / 1000)

    def test_the_budget_is_spent_by_the_overload(self):
        self.assertLess(self.values("Error budget left")["left"][-1], 0)
        self.assertGreater(self.values("Error budget burn", "over 1h")["over 1h"][-1], 14.4)

    def test_each_series_of_a_proxy_is_named_by_its_pod(self):
        for title in ("Waiting", "Offered load", "Resident memory", "Event loop lag: p99"):
            self.assertEqual(set(self.values(title)), {"shop-0"}, title)

    def test_quantiles_have_examples_with_their_traces(self):
        found = self.stack.exemplars("spillway_served_duration_seconds_bucket", self.marks["begin"], self.end)
        ids = {e["labels"]["trace_id"] for series in found for e in series["exemplars"]}
        self.assertGreater(len(ids), 5)
        self.assertTrue(all(re.fullmatch("[0-9a-f]{32}", i) for i in ids), ids)

    def test_runbooks_of_alerts_resolve(self):
        for name in sorted(p.stem for p in (ROOT / "deploy/runbooks").glob("*.md")):
            self.assertIn(f"# {'Runbooks' if name == 'README' else name}", get(f"{self.stack.prometheus_url}/user/{name}.md"))

    def test_api_down_is_seen(self):
        self.marks["gone"] = self.marks["overload"] + 5
        self.assertEqual(min(self.values("API healthy", begin="gone")["healthy"]), 0)
        self.assertGreater(self.highest("API's errors and time-outs", begin="overload")
                           + self.highest("Refused by reason", "breaker", begin="overload"), 0)
        self.assertGreater(self.highest("Connects to the API", "failures", begin="overload"), 0)
        self.assertEqual(self.highest("Breaker", begin="gone"), 2)


if __name__ == "__main__":
    if subprocess.run(["which", "prometheus"], stdout=subprocess.DEVNULL, check=False).returncode:
        sys.exit("prometheus is missing: run it by make test-deploy")
    unittest.main()
