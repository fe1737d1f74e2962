#!/usr/bin/python3
"""Each runbook followed, command by command, on a real stack in the state that fires its alert. Needs Prometheus.

Run below tests/with_postgres.sh. The rules are the shipped ones with shorter windows. Commands for a cluster, systemd or
docker are not run; `docker compose logs` and `exec` are, on the process of this stack. documents_test.py reads them all.
"""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

import dashboards_test
from dashboards_test import Load, log_in
from stack import BIN, ROOT, Stack, answers, await_true

RUNBOOKS = ROOT / "deploy/runbooks"
WINDOWS = {"1m": "5s", "2m": "5s", "5m": "10s", "15m": "10s"}  # all longer ones: 20s
PATIENCE = 90  # seconds until an alert fires
ELSEWHERE = ("kubectl", "systemctl", "journalctl", "docker", "df ")


class Shortened(Stack):
    """`max_overflow` 1 beyond a pool of 4, so that it can be exhausted; the proxy does not spare it."""

    def _write_configuration(self):
        super()._write_configuration()
        rules = self.dir / "rules"
        rules.mkdir()
        for path in (ROOT / "deploy/prometheus/rules").glob("*.yml"):
            text = re.sub(r"\[(\d+[mhd])\]", lambda m: f"[{WINDOWS.get(m[1], '20s')}]", path.read_text())
            text = re.sub(r"offset \d+[mhd]", "offset 20s", text)
            (rules / path.name).write_text(re.sub(r"for: \d+[mh]", "for: 0s", text))
        self.edit("prometheus.yml", str(ROOT / "deploy/prometheus/rules"), str(rules))
        self.edit("proxy.yaml", "pool_aware: true", "pool_aware: false")
        self.edit("api.yaml", "pool_size: 20", "pool_size: 4")
        self.edit("api.yaml", "max_overflow: 30", "max_overflow: 1")

    def edit(self, name, old, new):
        text = (self.dir / name).read_text()
        if old not in text:
            raise ValueError(f"{name} lacks {old}")
        (self.dir / name).write_text(text.replace(old, new, 1))

    def reload(self):
        self.processes["proxy"].send_signal(signal.SIGHUP)

    def firing(self):
        return {one["metric"]["alertname"] for one in self.query('ALERTS{alertstate="firing"}')}


def commands(name):
    """The lines of the page's section, taken apart at semicolons, without comments."""
    block = re.search(r"## Commands\n\n```\n(.*?)```", (RUNBOOKS / f"{name}.md").read_text(), re.S)[1]
    found = []
    for line in block.splitlines():
        found += [part.strip() for part in re.sub(r"\s{2,}# .*", "", line).split(";")]
    return [part for part in found if part]


class Followed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Shortened(capacity=10, slow_ms=300)
        cls.stack.__enter__()
        cls.addClassCleanup(cls.stack.__exit__)
        cls.followed = set()
        dashboards_test.TOKEN = log_in(cls.stack)

    def translate(self, command):
        """For this stack; nothing if it is for another place."""
        stack = self.stack
        logs = "docker compose -f deploy/compose.yaml logs --no-log-prefix proxy"
        command = command.replace(logs, f"cat {stack.dir}/proxy.log | grep '^{{'")
        command = command.replace("docker compose -f deploy/compose.yaml exec proxy spillway", "spillway")
        if command.startswith(ELSEWHERE):
            return None
        for shipped, ours in ((":8080", stack.traffic), (":9901", stack.admin), (":8081", stack.api)):
            command = command.replace(f"localhost{shipped}", f"127.0.0.1:{ours}")
        command = command.replace("spillway healthcheck", f"spillway healthcheck --admin 127.0.0.1:{stack.admin}")
        command = command.replace("/etc/spillway/proxy.yaml", str(stack.dir / "proxy.yaml"))
        return re.sub(r"^spillway ", f"{BIN}/proxy/spillway ", command)

    def follow(self, name, silent=(), wrong=()):
        """Each command says something and succeeds, but for those that begin with one of `silent` or `wrong`."""
        ran = 0
        for command in commands(name):
            here = self.translate(command)
            if here is None:
                continue
            ran += 1
            done = subprocess.run(["bash", "-o", "pipefail", "-c", here], capture_output=True, text=True, timeout=60, check=False,
                                  env=os.environ | {"DATABASE_URL": self.stack.database})
            said = f"{name}: {command}\n{done.stdout}{done.stderr}"
            if command.startswith(tuple(silent)):
                continue
            self.assertEqual(done.returncode != 0, command.startswith(tuple(wrong)), said)
            self.assertTrue((done.stdout + done.stderr).strip(), said)
        self.assertGreater(ran, 0, f"{name}: no command is for this place")
        self.followed.add(name)

    def await_alerts(self, *names):
        await_true(", ".join(names), lambda: set(names) <= self.stack.firing(), PATIENCE)

    def test_1_overload(self):
        alerts = ["SheddingSustained", "ErrorBudgetBurnFast", "ErrorBudgetBurnSlow", "LatencyP95High", "LatencyP99High",
                  "DatabasePoolExhaustion", "DatabasePoolNearCapacity"]
        with Load(self.stack, threads=80, period=0):
            self.await_alerts(*alerts)
            for name in alerts:
                self.follow(name, silent=("curl -sS localhost:9901/metrics | grep -E '^load_shedding_rejections.*pool'",))

    def test_2_a_queue_grows(self):
        self.stack.edit("proxy.yaml", "max_wait: 1s", "max_wait: 30s")
        self.stack.reload()
        with contextlib.ExitStack() as crowd:
            def grow():
                crowd.enter_context(Load(self.stack, threads=1, period=0))
                return "QueueGrowing" in self.stack.firing()
            await_true("QueueGrowing", grow, PATIENCE)
            self.follow("QueueGrowing")
        self.stack.edit("proxy.yaml", "max_wait: 30s", "max_wait: 1s")
        self.stack.reload()

    def test_3_database_connections_are_lost(self):
        with Load(self.stack, threads=4, period=0):
            def lose():
                self.stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                               " AND pid <> pg_backend_pid()")
                return "DatabaseConnectionErrors" in self.stack.firing()
            await_true("DatabaseConnectionErrors", lose, PATIENCE)
        self.follow("DatabaseConnectionErrors")

    def test_4_maintenance(self):
        self.stack.edit("proxy.yaml", "maintenance:\n  enabled: false", "maintenance:\n  enabled: true")
        self.stack.reload()
        with Load(self.stack, threads=2, period=0.2):
            self.await_alerts("MaintenanceLeftOn")
        self.follow("MaintenanceLeftOn")
        self.stack.edit("proxy.yaml", "maintenance:\n  enabled: true", "maintenance:\n  enabled: false")
        self.stack.reload()
        await_true("served again", lambda: self.stack.value("spillway_maintenance") == 0)

    def test_5_the_configuration_is_refused(self):
        self.stack.edit("proxy.yaml", "\nworkers: 1", "\nwokers: 1")
        self.stack.reload()
        self.await_alerts("ConfigReloadFailed")
        self.follow("ConfigReloadFailed", wrong=("spillway --config", "docker compose"))
        self.stack.edit("proxy.yaml", "\nwokers: 1", "\nworkers: 1")
        self.stack.reload()
        await_true("configuration mended", lambda: self.stack.value("spillway_config_last_reload_successful") == 1)

    def test_6_the_api_is_gone(self):
        self.stack.stop("api")
        with Load(self.stack, threads=4, period=0.05):
            self.await_alerts("ApiUnhealthy", "BreakerOpen")
            self.follow("ApiUnhealthy", wrong=("curl -sSi localhost:8081", "docker compose"))
            self.follow("BreakerOpen", wrong=("curl -sS localhost:8081",))

    def test_7_the_proxy_is_gone(self):
        self.stack.stop("proxy")
        self.await_alerts("SpillwayDown")
        self.follow("SpillwayDown", wrong=("curl -sSi localhost:8080", "spillway healthcheck"))

    def test_8_nobody_reads_the_log(self):
        self.stack.start_api()
        proxy = subprocess.Popen([BIN / "proxy/spillway", "--config", self.stack.dir / "proxy.yaml"], stdout=subprocess.PIPE,
                                 env=os.environ | {"DATABASE_URL": self.stack.database})
        self.stack.processes["proxy"] = proxy
        await_true("proxy", lambda: answers(f"{self.stack.admin_url}/ready"))
        with Load(self.stack, threads=16, period=0, path="/nothing-is-here" + "/x" * 1000):
            self.await_alerts("AccessLogDropped")
        self.follow("AccessLogDropped")
        proxy.stdout.close()

    def test_9_every_runbook_was_followed(self):
        names = {p.stem for p in pathlib.Path(RUNBOOKS).glob("*.md")} - {"README"}
        self.assertEqual(self.followed, names)


if __name__ == "__main__":
    if subprocess.run(["which", "prometheus"], stdout=subprocess.DEVNULL, check=False).returncode:
        sys.exit("prometheus is missing: run it by make test-deploy")
    unittest.main()
