"""API, proxy and Debian's Prometheus on free ports, for the tests of this folder and of tests/load.

Run below tests/with_postgres.sh, which says where the database is. The end of the `with` stops all processes.
"""
import http.client
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("SPILLWAY_BIN_DIR", ROOT / "build/release"))
READY_SECONDS = 60
SECRET = "for-tests-only-for-tests-only-0123456789"


def free_ports(count):
    """Ports that nobody listens on, below the range that the kernel hands out to tests beside this one."""
    found = []
    while len(found) < count:
        port = random.randrange(20000, 30000)
        with socket.socket() as s:
            if port not in found and s.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found


def await_true(what, condition, seconds=READY_SECONDS):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.1)


def get(url, timeout=30):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def answers(url):
    try:
        get(url, timeout=2)
        return True
    except (OSError, http.client.HTTPException):
        return False


class Stack:
    """`capacity` replaces admission.max_concurrent; `slow_ms` lets every look-up of the API take that much longer."""

    def __init__(self, capacity=None, slow_ms=0, scrape="1s"):
        self.capacity, self.slow_ms, self.scrape = capacity, slow_ms, scrape
        self.processes = {}
        self.database = os.environ["SPILLWAY_TEST_DATABASE_URL"]

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.dir = pathlib.Path(self.folder.name)
        self.traffic, self.admin, self.api, self.api_admin, self.prometheus = free_ports(5)
        self.url = f"http://127.0.0.1:{self.traffic}"
        self.api_url = f"http://127.0.0.1:{self.api}"
        self.admin_url = f"http://127.0.0.1:{self.admin}"
        self.prometheus_url = f"http://127.0.0.1:{self.prometheus}"
        try:
            self._slow_down()
            self._write_configuration()
            self.start_api()
            self.start("proxy", BIN / "proxy/spillway", "--config", self.dir / "proxy.yaml")
            self.start("prometheus", "prometheus", f"--config.file={self.dir}/prometheus.yml",
                       f"--storage.tsdb.path={self.dir}/data", f"--web.listen-address=127.0.0.1:{self.prometheus}",
                       "--enable-feature=exemplar-storage", f"--web.user-assets={ROOT}/deploy/runbooks")
            await_true("proxy", lambda: answers(f"{self.admin_url}/ready"))
            await_true("prometheus", lambda: answers(f"{self.prometheus_url}/-/ready"))
            await_true("first scrape", lambda: self.value('up{job="spillway"}') == 1)
        except BaseException:
            for log in self.dir.glob("*.log"):
                print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-5:], sep="\n", file=sys.stderr)
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in list(self.processes):
            self.stop(name)
        if self.slow_ms:
            self.sql("DROP VIEW scholarships; ALTER TABLE scholarships_kept RENAME TO scholarships")
        self.folder.cleanup()

    def start(self, name, *command):
        with open(self.dir / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(c) for c in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=os.environ | {"DATABASE_URL": self.database, "API_AUTH_SECRET": SECRET})

    def start_api(self):
        self.start("api", BIN / "api/scholarship-api", "--config", self.dir / "api.yaml")
        await_true("API", lambda: answers(f"{self.api_url}/ready"))

    def stop(self, name):
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def sql(self, text):
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", self.database, "-c", text], check=True)

    def resident(self, name):
        """Memory of a process in bytes."""
        status = pathlib.Path(f"/proc/{self.processes[name].pid}/status").read_text()
        return 1024 * int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    # Queries of Prometheus.

    def _api(self, path, **arguments):
        url = f"{self.prometheus_url}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        return json.loads(get(url))["data"]

    def query(self, expression, at=None):
        return self._api("query", query=expression, **({"time": at} if at else {}))["result"]

    def query_range(self, expression, start, end, step):
        return self._api("query_range", query=expression, start=start, end=end, step=step)["result"]

    def label_values(self, label, match):
        return self._api(f"label/{label}/values", **{"match[]": match})

    def exemplars(self, expression, start, end):
        return self._api("query_exemplars", query=expression, start=start, end=end)

    def value(self, expression, at=None):
        """The single value of an expression; None when there is none."""
        result = self.query(expression, at)
        return float(result[0]["value"][1]) if result else None

    def _slow_down(self):
        if self.slow_ms:
            self.sql("ALTER TABLE scholarships RENAME TO scholarships_kept;"
                     "CREATE VIEW scholarships AS WITH pause AS MATERIALIZED"
                     f" (SELECT pg_sleep({self.slow_ms / 1000})) SELECT k.* FROM pause, scholarships_kept k")

    def _write_configuration(self):
        proxy = (ROOT / "config/proxy.yaml").read_text()
        for shipped, ours in ((":8080", self.traffic), (":9901", self.admin), (":8081", self.api)):
            proxy = proxy.replace(shipped, f":{ours}")
        if self.capacity:
            proxy = re.sub(r"max_concurrent: \d+", f"max_concurrent: {self.capacity}", proxy)
        (self.dir / "proxy.yaml").write_text(proxy)
        api = (ROOT / "config/api.yaml").read_text().replace(":8081", f":{self.api}")
        api = api.replace('admin:\n  listen: ""', f'admin:\n  listen: "127.0.0.1:{self.api_admin}"')
        (self.dir / "api.yaml").write_text(api)
        prometheus = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
        prometheus = prometheus.replace("proxy:9901", f"127.0.0.1:{self.admin}").replace(": 15s", f": {self.scrape}")
        prometheus += "        labels: {namespace: shop, pod: shop-0}\n"  # as on Kubernetes
        # As api/README.md says: the pool is there already, from the proxy.
        prometheus += (f"  - job_name: scholarship-api\n    static_configs:\n      - targets: ['127.0.0.1:{self.api_admin}']\n"
                       "        labels: {namespace: shop, pod: shop-0}\n"
                       "    metric_relabel_configs: [{source_labels: [__name__], regex: database_.*, action: drop}]\n")
        prometheus = prometheus.replace("rules/", f"{ROOT}/deploy/prometheus/rules/")
        (self.dir / "prometheus.yml").write_text(prometheus)
