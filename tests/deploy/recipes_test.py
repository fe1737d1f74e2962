#!/usr/bin/python3
"""The lines of deploy/README.md that put Spillway before other servers, each run with the real server behind it.

The lines are taken from the document. For each: it serves, it finds the server healthy, under overload it refuses with
Retry-After, and it follows the server to another address. All on loopback addresses; needs no rights.
"""
import collections
import concurrent.futures
import http.client
import os
import pathlib
import re
import shlex
import signal
import subprocess
import tempfile
import unittest

from stack import BIN, ROOT, answers, await_true, free_ports

BACKENDS = ROOT / "tests/deploy/backends"
NAMES = BIN / "tests/support/libpreloaded_names.so"  # what `localhost` means to the proxy
LINES = dict(re.findall(r"^\| ([^|]+?) \| `(spillway --upstream [^`]+)` \|", (ROOT / "deploy/README.md").read_text(), re.M))
USERS = 30  # at a time: many times what any of the lines admits
PATIENCE = 30  # seconds, on a busy machine
FIRST, SECOND = "127.0.0.2", "127.0.0.3"  # where the server is at first, and after its restart

GUNICORN = ["gunicorn", "--workers", "2", "--bind", "ADDRESS:PORT"]
NGINX = ["nginx", "-p", "FOLDER", "-e", "stderr", "-c", "FOLDER/nginx.conf"]
# What each name of the table starts; the words in capitals are filled in.
SERVERS = {
    "Node, Express": ["node", "express.js", "ADDRESS", "PORT"],
    "FastAPI on uvicorn": ["uvicorn", "fastapi_app:app", "--host", "ADDRESS", "--port", "PORT"],
    "WSGI on gunicorn": [*GUNICORN, "wsgi_app"],
    "Django with `ALLOWED_HOSTS`": [*GUNICORN, "django_app"],
    "nginx with static files": [*NGINX, "nginx_static.conf"],
    "nginx with several hosts": [*NGINX, "nginx_hosts.conf"],
    "a server without threads": ["/usr/bin/python3", "single.py", "ADDRESS", "PORT"],
    "a server of one connection": ["/usr/bin/python3", "single.py", "ADDRESS", "PORT", "keep"],
}
HOSTS = {"Django with `ALLOWED_HOSTS`": "shop.example", "nginx with several hosts": "two.example"}  # of their clients


class Recipe:
    """A line of the document, its server, and both their ends."""

    def __init__(self, name):
        self.name, self.host = name, HOSTS.get(name, "api.example")

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.dir = pathlib.Path(self.folder.name)
        self.dir.chmod(0o755)  # root's nginx serves as another user
        self.port, self.traffic, self.admin = free_ports(3)
        self.processes = []
        return self

    def __exit__(self, kind, *_):
        for process in reversed(self.processes):
            self.stop(process)
        if kind:
            for log in self.dir.glob("*.log"):
                print(f"--- {self.name}: {log.name}", *log.read_text(errors="replace").splitlines()[-8:], sep="\n")
        self.folder.cleanup()

    def start(self, name, command, **environment):
        with open(self.dir / f"{name}.log", "ab") as log:
            process = subprocess.Popen(command, cwd=BACKENDS if name == "server" else self.dir, stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL, start_new_session=True, env=os.environ | environment)
        self.processes.append(process)
        return process

    def stop(self, process):
        """With the processes that it has started."""
        self.processes.remove(process)
        for patience, number in ((10, signal.SIGTERM), (10, signal.SIGKILL)):
            if process.poll() is None:
                os.killpg(process.pid, number)
            try:
                return process.wait(patience)
            except subprocess.TimeoutExpired:
                pass

    def start_server(self, address):
        words = {"ADDRESS": address, "PORT": str(self.port), "FOLDER": str(self.dir), "SERVERS": str(self.dir / "servers.conf")}

        def fill(text):
            return re.sub("|".join(words), lambda match: words[match[0]], text)

        command = [fill(word) for word in SERVERS[self.name]]
        if command[0] == "nginx":
            (self.dir / "files").mkdir(exist_ok=True)
            (self.dir / "files/index.html").write_text("hello")
            (self.dir / "files/slow").write_bytes(bytes(96 * 1024))
            for source, target in (("nginx.conf", "nginx.conf"), (command.pop(), "servers.conf")):
                (self.dir / target).write_text(fill((BACKENDS / source).read_text()))
        return self.start("server", command, NODE_PATH="/usr/share/nodejs", PYTHONDONTWRITEBYTECODE="1")

    def start_proxy(self, without=()):
        """By the line of the document, without the settings named."""
        self.resolve(FIRST)
        words = shlex.split(LINES[self.name])
        for setting in without:
            at = next(i for i, word in enumerate(words) if word.startswith(f"{setting}="))
            del words[at - 1:at + 1]
        words[2] = re.sub(r":\d+$", f":{self.port}", words[2])
        if "--listen" in words:
            del words[words.index("--listen"):words.index("--listen") + 2]
        self.proxy = self.start("proxy", [BIN / "proxy/spillway", *words[1:], "--listen", f"127.0.0.1:{self.traffic}",
                                          "--set", f"admin.listen=127.0.0.1:{self.admin}"],
                                LD_PRELOAD=str(NAMES), PRELOADED_NAMES_FILE=str(self.dir / "names"))

    def resolve(self, address):
        (self.dir / "names.new").write_text(f"localhost {address}\n")
        (self.dir / "names.new").rename(self.dir / "names")

    def log(self):
        return (self.dir / "proxy.log").read_text()

    def ready(self):
        if self.proxy.poll() is not None:
            raise ChildProcessError(f"{self.name}: the proxy has ended")
        return answers(f"http://127.0.0.1:{self.admin}/ready")

    def ask(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.traffic, timeout=30)
        try:
            connection.request("GET", path, headers={"Host": self.host})
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.getheader("Retry-After")
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__, None
        finally:
            connection.close()


class Recipes(unittest.TestCase):
    def test_the_table_and_this_test_name_the_same_servers(self):
        self.assertEqual(list(LINES), list(SERVERS))

    def test_without_its_setting_the_poll_says_what_is_wrong(self):
        for name, setting, answer in (("Node, Express", "upstream.health.path", "GET /health: 404"),
                                      ("Django with `ALLOWED_HOSTS`", "upstream.health.host", "GET /: 400"),
                                      ("nginx with several hosts", "upstream.health.host", "GET /: closed without an answer")):
            with Recipe(name) as recipe:
                recipe.start_server(FIRST)
                recipe.start_proxy(without=[setting])
                await_true(f"{name}: {answer}", lambda: answer in recipe.log(), PATIENCE)

    def check(self, name):
        with Recipe(name) as recipe:
            server = recipe.start_server(FIRST)
            recipe.start_proxy()
            await_true(f"{name}: ready", recipe.ready, PATIENCE)
            self.assertEqual(recipe.ask("/"), (200, None), name)

            with concurrent.futures.ThreadPoolExecutor(USERS) as users:
                answers_given = collections.Counter(users.map(recipe.ask, ["/slow"] * USERS))
            statuses = {status for status, _ in answers_given}
            self.assertEqual(statuses, {200, 503}, f"{name}: {answers_given}")
            for status, retry_after in answers_given:
                self.assertEqual(retry_after is not None, status == 503, f"{name}: {answers_given}")
            await_true(f"{name}: serves after the overload", lambda: recipe.ask("/") == (200, None), PATIENCE)
            self.assertTrue(recipe.ready(), f"{name}: overload made it leave the load balancer")

            recipe.stop(server)
            recipe.start_server(SECOND)
            recipe.resolve(SECOND)
            await_true(f"{name}: follows the server", lambda: recipe.ask("/") == (200, None), PATIENCE)
            await_true(f"{name}: ready again", recipe.ready, PATIENCE)


def case(name):
    return lambda self: self.check(name)


for number, server_name in enumerate(SERVERS):
    method = re.sub(r"\W+", "_", server_name.lower()).strip("_")
    setattr(Recipes, f"test_{number}_{method}", case(server_name))


if __name__ == "__main__":
    unittest.main()
