#!/usr/bin/python3
"""Dashboards, rules, runbooks and shipped configurations agree with the programs and with each other. Needs both
binaries, no server."""
import configparser
import json
import os
import pathlib
import re
import runpy
import subprocess
import tempfile
import unittest

import preview
import yaml
from commands import Running

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SPILLWAY_BIN_DIR", ROOT / "build/release"))
BOARDS = {p.stem: json.loads(p.read_text()) for p in sorted((ROOT / "dashboards").glob("*.json"))}
RULES = "\n".join(p.read_text() for p in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml")))
RUNBOOKS = {p.stem for p in (ROOT / "deploy/runbooks").glob("*.md")} - {"README"}
ALERTS = set(re.findall(r"- alert: (\w+)", RULES))
RECORDED = set(re.findall(r"- record: (\S+)", RULES))
# Metrics that need no panel and no alert, each with the reason.
EXEMPT: dict[str, str] = {}
PROMETHEUS_OWN = {"up", "ALERTS"}

PANELS = [(name, panel) for name, board in BOARDS.items() for panel in board["panels"]]
SHOWN = [(name, panel) for name, panel in PANELS if panel["type"] not in ("row", "text")]


def declared(program="proxy/spillway"):
    lines = subprocess.run([BIN / program, "--print-metrics"], capture_output=True, text=True, check=True).stdout
    return {line.split("\t")[0]: line.split("\t")[1] for line in lines.splitlines() if line}


def declared_by_both():
    return declared() | declared("api/scholarship-api")


def names(expression):
    """The metric names of an expression: its words except functions, labels, keywords and strings."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(by|on|ignoring|without)\s*\([^)]*\)", " ", bare)
    words = re.findall(r"(?<![\w:.$])([a-zA-Z_][\w:]*)\b(?![\w:]|\s*\()", bare)
    return {w for w in words if w not in {"and", "or", "unless", "bool", "by", "on", "offset", "inf"}}


def base(name, metrics):
    for suffix in ("_bucket", "_sum", "_count"):
        if name.endswith(suffix) and metrics.get(name[:-len(suffix)]) == "histogram":
            return name[:-len(suffix)]
    return name


def rule_expressions():
    found = re.findall(r"^ +expr: (>-\n(?: {10,}.*\n)+|.*\n)", RULES, re.M)
    return [e.replace(">-\n", "") for e in found]


class Metrics(unittest.TestCase):
    def setUp(self):
        self.metrics = declared_by_both()
        self.panels = set().union(*(names(t["expr"]) for _, p in SHOWN for t in p["targets"]),
                                  *(names(a["expr"]) for b in BOARDS.values() for a in b["annotations"]["list"]))
        self.rules = set().union(*(names(e) for e in rule_expressions()))

    def test_every_name_exists(self):
        self.assertEqual(len(rule_expressions()), len(ALERTS) + len(RECORDED))
        known = set(self.metrics) | RECORDED | PROMETHEUS_OWN
        for name in self.panels | self.rules:
            self.assertIn(base(name, self.metrics), known)

    def test_every_metric_is_used(self):
        used = {base(n, self.metrics) for n in self.panels | self.rules}
        self.assertEqual(set(self.metrics) - used - set(EXEMPT), set(), "neither shown, nor alerted on, nor exempt")
        self.assertEqual(set(EXEMPT) & used, set(), "exempt, but used")

    def test_the_api_names_the_pool_as_the_proxy_does_and_explains_each_metric(self):
        own, of_proxy = declared("api/scholarship-api"), declared()
        shared = {n for n in own if not n.startswith("scholarship_api_")}
        self.assertEqual(shared, {n for n in of_proxy if n.startswith("database_")})
        self.assertEqual({n: own[n] for n in shared}, {n: of_proxy[n] for n in shared})
        explained = set(re.findall(r"`([a-z_]+)[`{]", (ROOT / "api/README.md").read_text()))
        self.assertEqual(set(own) - explained, set())

    def test_the_reader_of_expressions_sees_names(self):
        self.assertEqual(names('sum by (le, job) (rate(a_bucket{x=~"b|c"}[$__rate_interval])) / (d:e > 0.8) or up'),
                         {"a_bucket", "d:e", "up"})


class Scrape(unittest.TestCase):
    def test_promtool_complains_of_the_two_promised_names_alone(self):
        running = Running()
        self.addCleanup(running.stop)
        status, page = running.page("/metrics")
        self.assertEqual(status, 200)
        checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False)
        complaints = (checked.stdout + checked.stderr).splitlines()
        self.assertEqual({line.split()[0] for line in complaints}, {"database_connection_errors", "load_shedding_rejections"},
                         complaints)


class Reasons(unittest.TestCase):
    """Every place that lists the reasons to refuse lists each of them."""

    SOURCE = (ROOT / "proxy/admission/reason.hpp").read_text()
    NAMES = set(re.findall(r'"(\w+)"', SOURCE[SOURCE.index("kReasonNames"):]))
    # These fail no request: they are planned, or the client causes them, or it has sent none yet.
    FORGIVEN = {"maintenance", "fairness", "connections"}

    def test_selectors_name_existing_ones(self):
        self.assertIn("capacity", self.NAMES)
        panels = "\n".join(t["expr"] for _, p in SHOWN for t in p["targets"])
        for alternatives in re.findall(r'reason[=!]~?"([a-z_|]+)"', RULES + panels):
            self.assertLessEqual(set(alternatives.split("|")), self.NAMES)

    def test_each_counts_as_demand_or_is_said_not_to(self):
        note, selector = re.search(r"# Refused because the service is too small.*?Not: (.*?)\n +- record: .*?"
                                   r'reason=~"([a-z_|]+)"', RULES, re.S).groups()
        demand, other = set(selector.split("|")), set(re.findall(r"\w+", note)) & self.NAMES
        self.assertEqual(demand & other, set())
        self.assertEqual(demand | other, self.NAMES)

    def test_all_but_the_forgiven_spend_the_error_budget(self):
        for excluded in re.findall(r'reason!~"([a-z_|]+)"', RULES):
            self.assertEqual(set(excluded.split("|")), self.FORGIVEN)

    def test_the_runbook_explains_each(self):
        explained = set(re.findall(r"`(\w+)`", (ROOT / "deploy/runbooks/SheddingSustained.md").read_text()))
        self.assertLessEqual(self.NAMES, explained)


class Runbooks(unittest.TestCase):
    def test_every_alert_has_one_and_links_to_it(self):
        self.assertEqual(ALERTS, RUNBOOKS)
        links = re.findall(r'runbook_url: "\{\{ \$externalURL \}\}/user/(\w+)\.md"', RULES)
        self.assertEqual(sorted(links), sorted(ALERTS))

    def test_every_one_is_complete(self):
        for name in sorted(RUNBOOKS):
            body = (ROOT / f"deploy/runbooks/{name}.md").read_text()
            for part in (f"# {name}", "## What it means", "## What to look at", "## Commands", "## What to do", "## Roll back"):
                self.assertIn(part + "\n", body, name)
            for recorded in re.findall(r"\b(?:job|instance):\w+(?::\w+)?", body):
                self.assertIn(recorded, RECORDED, name)
            for metric in re.findall(r"(?<![:\w])(?:spillway|database_pool|load_shedding)_[a-z_]+[a-z]\b", body):
                known = declared()
                self.assertTrue(any(base(metric, known) == k or k.startswith(metric) for k in known), f"{name}: {metric}")

    def test_the_users_own_alert_is_unchanged(self):
        rule = ("- alert: DatabasePoolExhaustion expr: >- (database_pool_size + database_pool_overflow - "
                "database_pool_checkedin) / (database_pool_size + database_pool_overflow) > 0.8 for: 5m "
                "labels: {severity: warning}")
        self.assertTrue(rule in " ".join(RULES.split()))

    def test_alerts_are_tested_firing_and_quiet(self):
        tests = "\n".join(p.read_text() for p in (ROOT / "deploy/prometheus/tests").glob("*.yml"))
        for name in ALERTS:
            block = re.findall(rf"- name: {name}\n(.*?)(?=\n  - name: |\n  # |\Z)", tests, re.S)
            self.assertEqual(len(block), 1, name)
            verdicts = re.findall(r"exp_alerts:( \[\])?", block[0])
            self.assertEqual((verdicts[0], verdicts[-1], "" in verdicts), (" []", " []", True), name)
            self.assertIn(f"- name: {name}, quiet\n", tests)


class Kubernetes(unittest.TestCase):
    def test_the_operators_rules_are_those_of_prometheus(self):
        folder = ROOT / "deploy/kubernetes/components/prometheus-operator"
        written = runpy.run_path(str(folder / "build.py"))["rule"]()
        self.assertTrue(written == (folder / "prometheus-rule.yaml").read_text(), f"run {folder}/build.py")

    def test_every_alert_of_the_operator_names_a_runbook_that_exists(self):
        build = runpy.run_path(str(ROOT / "deploy/kubernetes/components/prometheus-operator/build.py"))["rule"]
        files = re.findall(r'runbook: "(\S+)"', build())
        self.assertEqual(len(files), len(ALERTS))
        self.assertEqual([f for f in files if not (ROOT / f).exists()], [])
        self.assertEqual(len(re.findall(r'runbook_url: "https://wiki/r/\w+\.md"', build("https://wiki/r"))), len(ALERTS))

    def test_nothing_kills_a_proxy_that_waits_for_its_api(self):
        pod = yaml.safe_load((ROOT / "deploy/kubernetes/base/deployment.yaml").read_text())["spec"]["template"]["spec"]
        for container in pod["containers"] + pod["initContainers"]:
            self.assertEqual(set(container) & {"startupProbe", "livenessProbe"}, set(), container["name"])

    def test_the_pod_lives_as_long_as_its_drain(self):
        pod = yaml.safe_load((ROOT / "deploy/kubernetes/base/deployment.yaml").read_text())["spec"]["template"]["spec"]
        drain = in_effect("proxy/spillway", ROOT / "deploy/kubernetes/base/config/proxy.yaml")["timeouts"]
        self.assertGreater(pod["terminationGracePeriodSeconds"], seconds(drain["drain"]))
        self.assertGreater(seconds(drain["drain_delay"]), 0)

    def test_systemd_never_gives_a_program_up_unless_its_command_line_is_wrong(self):
        for name in ("spillway", "scholarship-api"):
            unit = configparser.RawConfigParser(strict=False)
            unit.optionxform = str
            unit.read(ROOT / f"deploy/systemd/{name}.service")
            self.assertEqual(unit["Unit"].get("StartLimitIntervalSec"), "0", name)
            self.assertEqual(unit["Service"]["Restart"], "on-failure", name)
            # systemd.socket(5): a socket fails for good after 20 triggers within 2 s.
            self.assertGreaterEqual(float(unit["Service"].get("RestartSec", "0.1")), 1, name)
            program = f"{'proxy' if name == 'spillway' else 'api'}/{name}"
            wrong = subprocess.run([BIN / program, "--no-such-option"], capture_output=True, check=False)
            self.assertEqual(unit["Service"].get("RestartPreventExitStatus"), str(wrong.returncode), name)

    def test_the_configuration_of_a_release_is_restored_with_it(self):
        base = yaml.safe_load((ROOT / "deploy/kubernetes/base/kustomization.yaml").read_text())
        self.assertNotIn("disableNameSuffixHash", base.get("generatorOptions", {}))


def in_effect(program, path):
    """The configuration as the program itself reads it."""
    environment = os.environ | {"DATABASE_URL": "postgresql://db/scholarships", "API_AUTH_SECRET": "for-tests-only-" * 3}
    printed = subprocess.run([BIN / program, "--config", path, "--print-config"], capture_output=True, text=True,
                             check=True, env=environment).stdout
    return yaml.safe_load(printed)


def class_of(proxy, method, path, **fields):
    """The class of a plain request, as README.md describes the rules."""
    def holds(rule):
        value = fields.get(rule.get("header", "").lower().replace("-", "_"))
        return (rule.get("path", path) == path and path.startswith(rule.get("path_prefix", ""))
                and rule.get("method", method) == method and ("header" not in rule or value is not None)
                and rule.get("value", value) == value)
    found = [c for c in proxy["classes"] if any(holds(rule) for rule in c["match"])]
    return found[0] if found else {"name": "normal", "shed_at": proxy["admission"]["shed_at"]}


def seconds(duration):
    amount, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", str(duration)).groups()
    return int(amount) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


class ShippedConfigurations(unittest.TestCase):
    """The rules for the pair of proxy and API hold wherever both are shipped."""

    def setUp(self):
        folders = sorted(p.parent for top in ("config", "deploy") for p in (ROOT / top).rglob("api.yaml"))
        self.assertGreaterEqual(len(folders), 3)
        self.pairs = [(str(f.relative_to(ROOT)), in_effect("proxy/spillway", f / "proxy.yaml"),
                       in_effect("api/scholarship-api", f / "api.yaml")) for f in folders]

    def test_logins_and_health_checks_still_pass_when_others_are_shed_and_during_maintenance(self):
        for name, proxy, _ in self.pairs:
            for method, path in (("GET", "/health"), ("POST", "/api/v1/auth/login")):
                found = class_of(proxy, method, path)
                self.assertEqual((found["name"], found["shed_at"]), ("critical", 1), f"{name}: {method} {path}")
            self.assertEqual(proxy["upstream"]["health"]["path"], "/health", name)
            self.assertLess(proxy["admission"]["shed_at"], 1, name)

    def test_searches_are_normal_and_background_work_is_refused_before_them(self):
        for name, proxy, _ in self.pairs:
            self.assertEqual(class_of(proxy, "GET", "/api/v1/search")["name"], "normal", name)
            background = class_of(proxy, "GET", "/api/v1/search", x_priority="background")
            self.assertLess(background["shed_at"], proxy["admission"]["shed_at"], name)

    def test_the_proxy_closes_an_idle_connection_before_the_api_does(self):
        for name, proxy, api in self.pairs:
            self.assertLess(seconds(proxy["upstream"]["idle_timeout"]), seconds(api["timeouts"]["keep_alive"]), name)

    def test_the_proxy_asks_where_the_api_listens(self):
        for name, proxy, api in self.pairs:
            self.assertEqual(proxy["upstream"]["address"], api["listen"], name)


class Dashboards(unittest.TestCase):
    def test_files_are_those_of_build_py(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["python3", ROOT / "dashboards/build.py", folder], check=True, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
            written = {p.name: p.read_text() for p in pathlib.Path(folder).glob("*.json")}
        self.assertEqual(written, {p.name: p.read_text() for p in (ROOT / "dashboards").glob("*.json")})

    def test_every_panel_says_what_it_shows(self):
        self.assertEqual(set(BOARDS), {"overview", "pool", "latency", "fleet", "api", "runbooks"})
        for name, panel in SHOWN:
            self.assertTrue(panel["description"] and panel["fieldConfig"]["defaults"]["unit"], f"{name}: {panel['title']}")
            for target in panel["targets"]:
                for selector in re.findall(r"([\w:]+)\{([^}]*\$[^}]*)\}", target["expr"]):
                    wanted = {"$namespace", "$job"}  # a service has no pod and no instance of its own
                    if selector[0] != "ALERTS" and not selector[0].startswith("job:"):
                        wanted |= {"$pod", "$instance"}
                    self.assertEqual(set(re.findall(r"\$\w+", selector[1])), wanted, target["expr"])
                self.assertNotRegex(target["expr"], r"rate\([^]]*\[\d", "a fixed window instead of $__rate_interval")
            for link in panel.get("links", []):
                number = int(re.fullmatch(r"/d/spillway-runbooks\?viewPanel=(\d+)", link["url"])[1])
                shown = next(p for p in BOARDS["runbooks"]["panels"] if p["id"] == number)
                self.assertEqual(f"Runbook {shown['title']}", link["title"])
                self.assertIn(shown["title"], RUNBOOKS)
                self.assertIn("## What to do", shown["options"]["content"])

    def test_shares_turn_red_at_80_percent(self):
        for title in ("Database pool", "Slots", "Offered load", "Open connections used", "Capacity used"):
            panel = next(p for _, p in SHOWN if p["title"] == title)
            steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
            self.assertIn({"value": 0.8, "color": self.palette()["bad"]}, steps)

    def palette(self):
        """Of the proxy's own page, on dark."""
        css = (ROOT / "proxy/admin/page/page.css").read_text().split("prefers-color-scheme: dark")[1]
        return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", css))

    def test_colours_are_those_of_the_status_page(self):
        palette = self.palette()
        used = set(re.findall(r'"(?:color|fixedColor|iconColor|fill)": ("[^"]*")', json.dumps(BOARDS)))
        self.assertEqual(used - {json.dumps(c) for c in palette.values()}, set())
        requests = next(p for _, p in SHOWN if p["title"] == "Requests")
        chosen = {o["matcher"]["options"]: o["properties"][0]["value"]["fixedColor"] for o in requests["fieldConfig"]["overrides"]}
        self.assertEqual([chosen[o] for o in ("ok", "shed", "upstream_error")],
                         [palette[r] for r in ("answered", "refused", "failed")])
        reasons = next(p for _, p in SHOWN if p["title"] == "Refused by reason")
        self.assertEqual({o["matcher"]["options"] for o in reasons["fieldConfig"]["overrides"]}, Reasons.NAMES)

    def test_every_one_is_a_configmap_for_the_sidecar(self):
        made = yaml.safe_load((ROOT / "dashboards/kustomization.yaml").read_text())
        self.assertEqual(made["generatorOptions"]["labels"], {"grafana_dashboard": "1"})
        self.assertEqual({f for m in made["configMapGenerator"] for f in m["files"]}, {f"{name}.json" for name in BOARDS})
        for name, board in BOARDS.items():
            self.assertLess(len(json.dumps(board, indent=1)), 256 * 1024, f"{name}: kubectl apply takes no more")

    def test_all_are_for_a_fleet(self):
        for name, board in BOARDS.items():
            self.assertEqual(board["refresh"], "30s")
            variables = {v["name"]: v for v in board["templating"]["list"]}
            self.assertEqual(set(variables), {"datasource", "namespace", "job", "pod", "instance"}, name)
            for legend in {t["legendFormat"] for p in board["panels"] for t in p.get("targets", [])}:
                self.assertNotRegex(legend, "{{(namespace|pod)}}", "exists only on Kubernetes: Grafana would show the label's name")
            for variable in variables.values():
                if variable["type"] == "query":  # a label that does not exist must not hide everything
                    self.assertEqual(variable["allValue"], ".*")
            marks = {"Database down", "Reloads"} if name == "api" else {"Deploys", "Reloads", "Breaker", "API down"}
            self.assertEqual({n["name"] for n in board["annotations"]["list"]}, marks)

    def test_panels_do_not_overlap(self):
        for board in BOARDS.values():
            taken = set()
            for panel in board["panels"]:
                at = panel["gridPos"]
                cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
                self.assertLessEqual(at["x"] + at["w"], 24)
                self.assertFalse(cells & taken, panel["title"])
                taken |= cells

    def test_previews_draw_stacks_as_areas_and_gaps_as_gaps(self):
        found = [("a", [(0, 2.0), (1, 3.0), (9, 1.0)]), ("zeros", [(0, 0.0), (1, 0.0), (9, 0.0)]), ("b", [(0, 1.0)])]
        drawn = preview.layers(found, stacked=True)
        self.assertEqual([points[0] for _, points in drawn], [(0, 0, 2.0), (0, 2.0, 2.0), (0, 2.0, 3.0)])
        self.assertEqual(preview.layers(found, stacked=False)[2][1], [(0, 0, 1.0)])
        self.assertEqual(preview.pieces(found[0][1], step=1), [[(0, 2.0), (1, 3.0)], [(9, 1.0)]])
        panel = next(p for _, p in SHOWN if p["title"] == "Requests")
        picture = preview.chart(panel, [("ok", [(0, 2.0), (1, 3.0)])], 0, 2, 100, 100)
        self.assertIn(f'<polygon fill="{self.palette()["answered"]}"', picture)
        self.assertNotIn("<polyline", picture)


if __name__ == "__main__":
    unittest.main()
