"""The commands that documents may use, each with what makes it right. See documents_test.py."""
import functools
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import shell
import yaml
from stack import BIN, ROOT, answers, await_true, free_ports, get

COMPOSE_FILE = "deploy/compose.yaml"
COMPOSE = yaml.safe_load((ROOT / COMPOSE_FILE).read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))
ADMIN, TRAFFIC, TRAFFIC_TLS, API = "9901", "8080", "8443", "8081"
OTHER_PORTS = set(re.findall(r'"127\.0\.0\.1:(\d+):', (ROOT / COMPOSE_FILE).read_text())) - {ADMIN}  # only with compose
OPENAPI = json.loads((ROOT / "api/endpoints/openapi.json").read_text())
UNITS = {p.name for p in (ROOT / "deploy/systemd").iterdir()} | {"systemd-journald.service", "postgresql.service"}
NAMESPACE = yaml.safe_load((ROOT / "deploy/kubernetes/overlays/production/kustomization.yaml").read_text())["namespace"]
INSTALLED = {"/etc/spillway/proxy.yaml": "config/proxy.yaml", "/etc/scholarship-api/api.yaml": "config/api.yaml"}
# Commands of the system that need no more than to be spelled right.
PLAIN = {"cat", "chmod", "cp", "df", "echo", "export", "head", "kill", "ls", "openssl", "printf", "sleep", "sort", "tail",
         "test", "touch", "uniq", "cd", "mkdir", "install", "wc"}


class Wrong(Exception):
    """What is wrong with a command."""


def need(condition, text):
    if not condition:
        raise Wrong(text)


def placeholder(word):
    return bool(re.fullmatch(r"[A-Z_]{2,}|.*….*|.*(SUBSTITUTED|\$).*", word))


def split_options(words, with_value):
    """Options as (name, value) and the other words; `with_value` names the options that take the next word."""
    options, rest, i = [], [], 0
    while i < len(words):
        name, _, value = words[i].partition("=")
        if not words[i].startswith("-") or words[i] == "-":
            rest.append(words[i])
        elif words[i] == "--":
            return options, rest + words[i:]
        elif name in with_value and not value:
            i += 1
            need(i < len(words), f"{name} lacks its value")
            options.append((name, words[i]))
        else:
            options.append((name, value))
        i += 1
    return options, rest


@functools.cache
def documents_objects():
    """Names of Kubernetes objects by kind, containers and labels of pods, as the files of deploy/kubernetes write them."""
    found, containers, labels = {}, set(), set()
    for path in (ROOT / "deploy/kubernetes").rglob("*.yaml"):
        for o in yaml.safe_load_all(path.read_text()):
            if not o or "kind" not in o:
                continue
            name = o.get("metadata", {}).get("name")
            found.setdefault(o["kind"].lower(), set()).add(name)
            for generated, kind in (("configMapGenerator", "configmap"), ("secretGenerator", "secret")):
                found.setdefault(kind, set()).update(g["name"] for g in o.get(generated, []))
            for pair in o.get("labels", []):
                labels.update(f"{k}={v}" for k, v in pair["pairs"].items())
            pod = o.get("spec", {}).get("template", {}).get("spec", {}) if isinstance(o.get("spec"), dict) else {}
            containers.update(c["name"] for c in pod.get("containers", []) + pod.get("initContainers", []))
    return found, containers, labels


@functools.cache
def help_of(*program):
    return subprocess.run([*map(str, program), "--help"], capture_output=True, text=True, check=True).stdout


class Running:
    """A proxy with a server behind it; what it shows on its admin pages and one line of its access log."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.traffic, self.admin, upstream = free_ports(3)
        with open(self.folder / "log", "wb") as log:
            self.processes = [
                subprocess.Popen(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", str(upstream)],
                                 cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL),
                subprocess.Popen([BIN / "proxy/spillway", "--upstream", f"127.0.0.1:{upstream}", "--set",
                                  "upstream.health.path=/", "--listen", f"127.0.0.1:{self.traffic}", "--set",
                                  f"admin.listen=127.0.0.1:{self.admin}"], cwd=self.folder, stdout=log, stderr=log)]
        await_true("proxy", lambda: answers(f"http://127.0.0.1:{self.admin}/ready"))
        get(f"http://127.0.0.1:{self.traffic}/")
        await_true("access log", lambda: self.access_fields())

    def access_fields(self):
        lines = [json.loads(line) for line in (self.folder / "log").read_text().splitlines() if line.startswith("{")]
        return next((set(line) for line in lines if "request_id" in line), set())

    @functools.cache
    def page(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        page = answer.status, answer.read().decode()
        connection.close()
        return page

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait(30)
        shutil.rmtree(self.folder)


class Commands:
    """One method for each command: `command_NAME(words, before)`, with the words behind the name and what its pipeline has
    before it. Raises Wrong."""

    def __init__(self, running):
        self.running = running

    def check(self, text):
        for pipeline in shell.pipelines(text):
            for i, words in enumerate(pipeline):
                self.command(words, pipeline[:i])

    def command(self, words, before=()):
        name, rest = words[0].rsplit("/", 1)[-1], words[1:]
        if name != "kubectl":  # its deploy/NAME is no file
            self.files(rest)
        if name in PLAIN or placeholder(words[0]):
            return
        method = getattr(self, f"command_{name.replace('-', '_')}", None)
        need(method, f"unknown command {name}")
        try:
            method(rest, list(before))
        except (IndexError, KeyError) as fault:
            raise Wrong(f"{name}: words are missing ({fault})") from fault

    def files(self, words):
        """Files of the repository that are named must be there; build/ is made."""
        for word in words:
            path = word.partition("=")[2] or word
            if re.match(r"(\./)?(deploy|tests|config|dashboards|proxy|api|cmake)/", path) and not placeholder(path):
                need((ROOT / path).exists(), f"no file {path}")

    # The project's own commands.

    def command_make(self, words, _):
        for word in words:
            name, equals, _ = word.partition("=")
            if equals:
                need(f"$({name})" in MAKEFILE or re.search(rf"\b{name}=", MAKEFILE), f"make knows no variable {name}")
            else:
                need(word in TARGETS or placeholder(word), f"no target {word}")

    def program(self, binary, words, subcommands):
        arguments = list(words)
        sub = [w for w in arguments[:1] + arguments[-1:] if w in subcommands][:1]
        listed = help_of(BIN / binary) + (help_of(BIN / binary, *sub) if sub else "")
        options, rest = split_options(arguments, {"--config", "--set", "--upstream", "--listen", "--max-concurrent", "--admin"})
        need(set(rest) <= set(sub), f"{binary} knows no {rest}")
        for name, value in options:
            need(re.search(rf"{re.escape(name)}\b", listed), f"{binary} knows no {name}")
            if name == "--config":
                need(value in INSTALLED or placeholder(value) or (ROOT / value).exists(), f"no file {value}")
        if sub or any(placeholder(w) for w in words) or "--help" in words:
            return
        arguments = [str(ROOT / INSTALLED[w]) if w in INSTALLED else w for w in arguments]
        if not any(w.startswith(("--check-config", "--print", "--version")) for w in arguments):
            arguments.append("--check-config")
        done = subprocess.run([BIN / binary, *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
                              env=os.environ | {"DATABASE_URL": "postgresql:///x", "API_AUTH_SECRET": "for-tests-" * 5})
        need(done.returncode == 0, f"exit {done.returncode}: {done.stderr.strip()}")

    def command_spillway(self, words, _):
        self.program("proxy/spillway", words, {"healthcheck", "advise"})

    def command_scholarship_api(self, words, _):
        for command, actions in {"user": ("list", "add", "password", "disable", "enable", "delete"), "secret": ("new",)}.items():
            if command in words:
                at = words.index(command)
                need(words[at + 1:at + 2] and words[at + 1] in actions, f"scholarship-api {command} {'|'.join(actions)}")
                need(len(words) - at - 2 == (command == "user" and words[at + 1] != "list"), f"one NAME: {words}")
                words = [*words[:at], command]
        self.program("api/scholarship-api", words, {"migrate", "seed-demo", "user", "secret"})

    def command_cmake(self, words, _):
        presets = {p["name"] for p in json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]}
        options, _rest = split_options(words, {"--preset", "--target"})
        need(dict(options).get("--preset") in presets, "no such preset")

    def command_git(self, words, _):
        need(words[0] in {"revert", "checkout", "log", "clone", "diff"}, f"git {words[0]}")
        for path in words[words.index("--") + 1:] if "--" in words else []:
            need(placeholder(path) or (ROOT / path).exists(), f"git knows no {path} in the root of the repository")

    # Containers.

    def command_docker(self, words, _):
        if words[0] == "build":
            options, rest = split_options(words[1:], {"-f", "-t", "--build-arg", "--tag", "--file"})
            need(dict(options).get("-f", "").endswith(".Dockerfile") and rest == ["."], f"docker build -f FILE -t NAME .: {words}")
            return
        need(words[0] == "compose" and words[1:3] == ["-f", COMPOSE_FILE], f"docker compose needs -f {COMPOSE_FILE}")
        after = words[3:]
        while after[:1] == ["-f"]:  # files beside it, which files() has looked for
            after = after[2:]
        if after[:1] == ["--profile"]:
            need(len(after) > 2, "--profile NAME COMMAND")
            need(any(after[1] in s.get("profiles", []) for s in COMPOSE["services"].values()), f"no profile {after[1]}")
            after = after[2:]
        sub, after = after[0], after[1:]
        listed = help_of("docker-compose", sub)
        options, rest = split_options(after, {"-s", "--tail", "-n"}) if sub != "exec" else split_options(after[:1], ())
        for name, _ in options:
            need(re.search(rf"(^|[ ,]){re.escape(name)}\b", listed, re.M), f"docker compose {sub} knows no {name}")
        for service in rest:
            need(service in COMPOSE["services"], f"no service {service}")
        if sub == "exec":
            self.command(after[1:])

    def command_kubectl(self, words, _):
        with_value = {"-n", "-c", "-l", "-o", "-k", "-f", "-p", "--tail", "--from-literal", "--type", "--from-file", "--since"}
        ours, inner = (words[:words.index("--")], words[words.index("--") + 1:]) if "--" in words else (words, [])
        options, rest = split_options(ours, with_value)
        sub, rest = rest[0], rest[1:]
        known = {"apply", "create", "get", "describe", "logs", "exec", "rollout", "port-forward", "kustomize", "edit", "scale",
                 "patch", "top", "diff", "delete"}
        need(sub in known, f"kubectl {sub}")
        names, containers, labels = documents_objects()
        flags = with_value | {"--previous", "--watch", "--dry-run", "--cert", "--key"}
        given = dict(options)
        for name in given:
            need(name in flags, f"kubectl {sub}: {name}")
        if "-k" in given or sub == "kustomize":
            folder = given.get("-k") or rest[0]
            need((ROOT / folder / "kustomization.yaml").exists(), f"{folder} has no kustomization.yaml")
        elif sub == "apply":
            need((ROOT / given.get("-f", "-f")).is_file(), f"kubectl apply of no file: {given.get('-f')}")
            need("-n" in given, "kubectl apply needs a namespace")
        elif [sub, *rest[:1]] != ["create", "namespace"]:
            need(given.get("-n") == NAMESPACE, f"kubectl {sub} needs -n {NAMESPACE}")
        if "-c" in given:
            need(given["-c"] in containers, f"no container {given['-c']}")
        if "-l" in given:
            need(given["-l"] in labels, f"no pods with {given['-l']}")
        kinds = {"deploy": "deployment", "pods": "pod", "pdb": "poddisruptionbudget", "hpa": "horizontalpodautoscaler"}
        for word in rest:
            kind, slash, name = word.partition("/")
            if slash and not placeholder(name):
                need(name in names.get(kinds.get(kind, kind), ()), f"no {kind} {name}")
        if inner:
            self.command(inner)

    def command_sh(self, words, _):
        need(words[0] == "-c" and len(words) == 2, "sh -c TEXT")
        self.check(words[1])

    def command_helm(self, words, _):
        need(words[0] in {"install", "upgrade", "template", "lint", "rollback"}, f"helm {words[0]}")
        options, rest = split_options(words[1:], {"-f", "--values", "--set", "-n", "--namespace"})
        charts = [w for w in rest if "/" in w]
        need(all((ROOT / c / "Chart.yaml").exists() for c in charts), "no chart")
        need({n for n, _ in options} <= {"-f", "--values", "--set", "-n", "--namespace", "--install", "--create-namespace"}, "helm")
        for name, value in options:
            if name == "--set":
                node = yaml.safe_load((ROOT / charts[0] / "values.yaml").read_text())
                for key in value.partition("=")[0].split("."):
                    need(node == {} or key in node, f"no value {value}")
                    node = node.get(key, {})

    # A plain machine.

    def unit(self, name):
        need({name, f"{name}.service"} & UNITS, f"no unit {name}")

    def command_systemctl(self, words, _):
        options, rest = split_options(words, ())
        need({n for n, _ in options} <= {"--now", "--signal", "--kill-whom"}, f"systemctl {options}")
        need(rest[0] in {"status", "reload", "restart", "start", "stop", "enable", "disable", "edit", "kill"},
             f"systemctl {rest[0]}")
        for name in rest[1:]:
            self.unit(name)

    def command_journalctl(self, words, _):
        options, rest = split_options(words, {"-u", "-n", "--since"})
        need(not rest and {n for n, _ in options} <= {"-u", "-n", "--since", "-f"}, "journalctl")
        self.unit(dict(options)["-u"])

    def command_systemd_run(self, words, _):
        while words[0].startswith("-"):
            need(words[0] in {"--pipe", "--wait", "-p"}, words[0])
            words = words[2:] if words[0] == "-p" else words[1:]
        self.command(words)

    def command_apt_get(self, words, _):
        need(words[0] in {"install", "purge", "update"}, "apt-get")
        for word in words[1:]:
            need(word.startswith(("./build/release/packages/", "-")) or word in (ROOT / "deploy/dev/packages.txt").read_text(),
                 f"no package {word}")

    def command_prometheus(self, words, _):
        listed = help_of("prometheus")
        for word in words:
            need(word.partition("=")[0] in listed, f"prometheus knows no {word}")

    def command_ctest(self, words, _):
        need(words, "ctest")

    def command_bats(self, words, _):
        need(words, "bats FILE")

    # What is asked, and what is looked for in the answer.

    def command_curl(self, words, _):
        options, rest = split_options(words, {"-H", "-d", "-m", "-X", "-o", "--unix-socket"})
        need(len(rest) == 1, f"one URL: {rest}")
        match = re.fullmatch(r"(?:https?://)?localhost:(\d+)(/[^?]*)?(\?.*)?", rest[0])
        need(match, f"what is {rest[0]}")
        port, path = match[1], match[2] or "/"
        if port == ADMIN:
            need(self.running.page(path)[0] == 200, f"the admin listener has no {path}")
        elif port in (TRAFFIC, TRAFFIC_TLS, API):
            method = "post" if any(n == "-d" for n, _ in options) else "get"
            need(method in OPENAPI["paths"].get(path, {}), f"the API has no {method} {path}")
        else:
            need(port in OTHER_PORTS, f"nothing listens on {port}")

    def admin_page(self, before):
        words = before[0] if before else []
        match = re.search(rf"localhost:{ADMIN}(/\S*)", " ".join(words))
        return self.running.page(match[1])[1] if match else None

    def command_grep(self, words, before):
        page = self.admin_page(before)
        if page is None or any(w.startswith("-v") for w in words):
            return
        found = subprocess.run(["grep", *words], input=page, capture_output=True, text=True, check=False)
        need(found.returncode == 0, f"grep finds nothing: {words}")

    def command_jq(self, words, before):
        options, rest = split_options(words, ())
        need(len(rest) == 1 and {n for n, _ in options} <= {"-r", "-c"}, f"jq {words}")
        page = self.admin_page(before)
        done = subprocess.run(["jq", *words], input=page or "{}", capture_output=True, text=True, check=False)
        need(done.returncode == 0, done.stderr)
        if before and "logs" in before[0]:
            fields = set(re.findall(r"\.([a-z_]+)", rest[0]))
            need(fields <= self.running.access_fields(), f"the log has no {fields - self.running.access_fields()}")

    def command_psql(self, words, _):
        if words[0] == "-U":  # compose
            need(words[1:4:2] == [COMPOSE["services"]["postgres"]["environment"]["POSTGRES_USER"], "spillway"], "psql -U … -d …")
            return
        need(words[0] == "$DATABASE_URL" and words[1:2] in ([], ["-c"]) and len(words) in (1, 3), 'psql "$DATABASE_URL" -c SQL')
        database = os.environ.get("SPILLWAY_TEST_DATABASE_URL")
        if database and len(words) == 3:
            done = subprocess.run(["psql", "-X", database, "-c", words[2]], capture_output=True, text=True, check=False)
            need(done.returncode == 0, done.stderr)
