"""What a run of the overload lab needs: an API of finite capacity, one proxy in front of it (or none), the load, and what
the run gave. The proxy has core 0, load and API share core 1."""

import json
import math
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request


ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build/release"))
PROXY_CORE, LOAD_CORE = {0}, {1}

SLOTS, SERVICE_MS = 10, 10  # of the API
CAPACITY = SLOTS / (SERVICE_MS / 1000)
# HAProxy with a short queue, and with one as long as the clients' patience.
HAPROXY_QUEUE = {"haproxy": "50ms", "haproxy-1s": "1s"}


def free_port():
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


class Lab:
    """One API, one proxy in front of it (or none), and what is to happen meanwhile."""

    def __init__(self, target, admission="", backend=(), slots=SLOTS, service_ms=SERVICE_MS, limit=None, share=None,
                 shed_at=None):
        self.directory = tempfile.TemporaryDirectory()
        self.backend_port = free_port()
        self.backend_command = [BUILD / "tests/bench/overload_backend", self.backend_port, slots, service_ms, *backend]
        self.processes, self.clients = [], []
        self.start_backend()
        self.port = self.backend_port
        if target != "none":
            self.port, self.admin = free_port(), free_port()
            # As the sizing guide says: shed_at of 0.80 leaves the API's slots to ordinary requests.
            shed_at = shed_at or 0.8
            limit = limit or math.ceil(slots / shed_at)
            self.start_proxy(target, {
                "DIR": self.directory.name, "PORT": self.port, "ADMIN": self.admin, "UPSTREAM": self.backend_port,
                "SLOTS": slots, "SHARE": share or 60000, "QUEUE": HAPROXY_QUEUE.get(target, ""),
                "ADMISSION": f"max_concurrent: {limit}, shed_at: {shed_at}" + (", " + admission if admission else "")})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.close()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
        self.directory.cleanup()

    def start(self, command, core):
        log = open(pathlib.Path(self.directory.name) / "log", "ab")
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log,
                                   preexec_fn=lambda: os.sched_setaffinity(0, core))
        self.processes.append(process)
        return process

    def start_backend(self):
        self.backend = self.start(self.backend_command, LOAD_CORE)
        self.await_answer(self.backend_port)

    def start_proxy(self, target, values):
        target = target.split("-")[0]
        name = {"nginx": "overload_nginx.conf", "haproxy": "overload_haproxy.cfg",
                "spillway": "overload_spillway.yaml"}[target]
        text = (ROOT / "tests/bench" / name).read_text()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        path = pathlib.Path(self.directory.name) / name
        path.write_text(text)
        self.start({"nginx": ["/usr/sbin/nginx", "-c", path, "-e", f"{self.directory.name}/log"],
                    "haproxy": ["/usr/sbin/haproxy", "-db", "-f", path],
                    "spillway": [BUILD / "proxy/spillway", "--config", path]}[target], PROXY_CORE)
        self.await_answer(self.port)

    def await_answer(self, port):
        for _ in range(100):
            try:
                return self.get(port, "/health")
            except OSError:
                time.sleep(0.1)
        log = (pathlib.Path(self.directory.name) / "log").read_text()
        self.__exit__()  # what has been started is not left behind
        sys.exit(f"no answer on port {port}: {log[-500:]}")

    @staticmethod
    def get(port, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.read()

    def open(self, count, request):
        """Sends the same bytes on `count` connections, which stay open."""
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            client.sendall(request)
            self.clients.append(client)

    def trickle(self):
        """Sends one more byte on each of them."""
        for client in self.clients:
            try:
                client.send(b"x")
            except OSError:
                pass  # closed by the proxy

    def command(self, path):
        return json.loads(self.get(self.backend_port, path))

    def restart_backend(self, after):
        self.backend.kill()
        self.backend.wait()
        time.sleep(after)
        self.start_backend()

    def run(self, seconds, streams, begin=2.0, end=None, events=(), seed=7):
        """Loads it; `events` are (time, action). Counts what is due from `begin` to `end`: not the last second, whose
        requests wait on when nobody overtakes them any more, and are answered as under no load at all."""
        end = end or seconds - 1
        self.command("/_stats")
        timers = [threading.Timer(at, action) for at, action in events]
        command = [BUILD / "tests/bench/overload_load", self.port, seconds, begin, end, f"seed={seed}", *streams]
        for timer in timers:
            timer.start()
        load = subprocess.run([str(part) for part in command], capture_output=True, check=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, LOAD_CORE))
        for timer in timers:
            timer.join()
        return Result(json.loads(load.stdout), self.command("/_stats"), end - begin)


class Result:
    """What a run gave: of all streams together, of one, and over time."""

    def __init__(self, load, backend, seconds):
        self.load, self.backend, self.seconds = load, backend, seconds
        self.streams = {stream["name"]: stream for stream in load["streams"]}

    def of(self, *names):
        return [self.streams[name] for name in names] if names else list(self.streams.values())

    @staticmethod
    def good(stream):
        return stream["ok_ms"]["count"]

    def goodput(self, *names):
        return sum(map(self.good, self.of(*names))) / self.seconds

    def success(self, *names):
        return sum(map(self.good, self.of(*names))) / max(1, sum(s["sent"] for s in self.of(*names)))

    def p99(self, kind="ok_ms", *names):
        return max(stream[kind]["p99"] for stream in self.of(*names))

    def status(self, status):
        return sum(stream["statuses"].get(str(status), 0) for stream in self.of())

    def bins(self, what, begin, end, *names):
        width = self.load["bin"]
        return sum(sum(s["bin_" + what][round(begin / width):round(end / width)]) for s in self.of(*names))

    def success_between(self, begin, end):
        return self.bins("ok", begin, end) / max(1, self.bins("sent", begin, end))

    def wasted(self):
        return self.backend["wasted"] / max(1, self.backend["wasted"] + self.backend["served"])

    def summary(self):
        reasons = {}
        for stream in self.of():
            for reason, count in stream["reasons"].items():
                reasons[reason] = reasons.get(reason, 0) + count
        return {"goodput": round(self.goodput(), 1), "success": round(self.success(), 4), "p99_ok_ms": self.p99(),
                "p99_refused_ms": self.p99("refused_ms"), "502": self.status(502), "504": self.status(504),
                "lost": self.status(0), "reasons": reasons, "most_inside": self.backend["most_inside"],
                "wasted": round(self.wasted(), 4), "pool_timeouts": self.backend["pool_timeouts"], "send_lag_p99_ms": self.load["send_lag_ms"]["p99"]}
