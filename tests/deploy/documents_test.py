#!/usr/bin/python3
"""Every command of every document is run, or held against what exists: targets, files, options, units, services, objects
of Kubernetes, metrics, paths, fields of the log. A command that this test does not know is a failure: teach it here.

Needs both binaries, and for the SQL PostgreSQL below tests/with_postgres.sh. A word in CAPITALS, or with an ellipsis,
stands for something of the reader's.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import shell
import yaml
from commands import COMPOSE_FILE, NAMESPACE, Commands, Running, Wrong, help_of
from stack import BIN, ROOT

DOCUMENTS = [ROOT / name for name in subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
                                                    cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
             if name != "CHANGELOG.md"]  # it tells what was
BOARDS = [json.loads(p.read_text()) for p in (ROOT / "dashboards").glob("*.json")]
ALERTS = set(re.findall(r"- alert: (\w+)", "".join(p.read_text() for p in (ROOT / "deploy/prometheus/rules").glob("*"))))


def blocks(document):
    """(line, language, text) of each fenced block."""
    text = document.read_text()
    for match in re.finditer(r"^( *)```(\S*)\n(.*?)^ *```$", text, re.M | re.S):
        yield text[:match.start()].count("\n") + 1, match[2], match[3]


def inline(document):
    """(line, code) of each `code` outside of blocks."""
    text = re.sub(r"^( *)```.*?^ *```$", lambda m: "\n" * m[0].count("\n"), document.read_text(), flags=re.M | re.S)
    for match in re.finditer(r"`([^`]+)`", text):
        yield text[:match.start()].count("\n") + 1, " ".join(match[1].split())


PROGRAMS = {"make", "docker", "kubectl", "systemctl", "journalctl", "spillway", "scholarship-api", "curl", "git", "psql", "for",
            "helm", "systemd-run", "jq"}


def looks_like_command(code):
    words = code.split()
    return len(words) > 1 and words[0] in PROGRAMS and not re.match(r"\S+ (…|[|=])", code)


class Documents(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.running = Running()
        cls.addClassCleanup(cls.running.stop)
        cls.commands = Commands(cls.running)

    def faults(self, found):
        """`found` yields (document, line, text): what is wrong with them."""
        wrong = []
        for document, line, text in found:
            try:
                self.commands.check(text)
            except Wrong as fault:
                wrong.append(f"{document.relative_to(ROOT)}:{line}: {fault}")
        return wrong

    def test_every_block_says_what_it_is(self):
        for document in DOCUMENTS:
            for line, language, text in blocks(document):
                self.assertIn(language, {"", "text", "yaml"}, f"{document}:{line}")
                if language == "yaml" and "services" in (written := yaml.safe_load(text)):
                    subprocess.run(["docker-compose", "-f", "-", "config", "-q"], input=text, text=True, check=True)
                    for service in written["services"].values():
                        if service["image"] == "spillway":
                            self.commands.command(["spillway", *service["command"]])

    def test_commands_of_blocks(self):
        found = [(d, line, text) for d in DOCUMENTS for line, language, text in blocks(d) if not language]
        self.assertGreater(len(found), 20)
        for document, line, text in found:
            done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, f"{document}:{line}: {done.stderr}")
        self.assertEqual(self.faults(found), [])

    def test_commands_in_sentences_and_tables(self):
        found = [(d, line, code) for d in DOCUMENTS for line, code in inline(d) if looks_like_command(code)]
        self.assertGreater(len(found), 20)
        self.assertEqual(self.faults(found), [])

    def test_commands_in_comments_of_what_is_shipped(self):
        files = [p for p in (ROOT / "deploy").rglob("*") if p.suffix in (".yaml", ".yml", ".Dockerfile", ".service")
                 and "node_modules" not in p.parts] + [ROOT / "config/proxy.yaml", ROOT / "config/api.yaml"]
        found = []
        for path in files:
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if match := re.search(r"#.*?((?:docker compose|docker build|kubectl|spillway --|helm) .*)", line):
                    command = re.split(r"  +|(?<=\S)[,;.)](?= |$)", match[1])[0]
                    if looks_like_command(command):
                        found.append((path, number, re.sub(r"(?<! )\.$", "", command)))
        self.assertGreater(len(found), 3)
        self.assertEqual(self.faults(found), [])

    def test_manual_pages_and_completion_know_every_option(self):
        completion = (ROOT / "deploy/debian/spillway.bash").read_text()
        for binary, subcommands in (("proxy/spillway", ("healthcheck", "advise")), ("api/scholarship-api", ("migrate", "seed-demo", "user"))):
            name = binary.split("/")[1]
            listed = "".join(help_of(BIN / binary, *sub) for sub in ((), *((s,) for s in subcommands)))
            page = (ROOT / f"deploy/man/{name}.1").read_text().replace("\\-", "-")
            options = set(re.findall(r"(?<![\w-])--[a-z-]+", listed))
            self.assertGreater(len(options), 5)
            self.assertEqual({o for o in options if not re.search(rf"{o}(?![\w-])", page)}, set(), f"not in {name}.1")
            self.assertEqual({o for o in options if not re.search(rf"{o}(?![\w-])", completion)}, set(), f"{name}: not completed")
            invented = set(re.findall(r"(?<![\w-])--[a-z-]+", page)) - options
            self.assertEqual(invented, set(), f"{name}.1 has options that do not exist")

    def test_compose_needs_no_more_than_the_file_that_is_documented(self):
        """Every command of compose reads all variables, also `logs`."""
        line = re.search(r"^echo .* >deploy/\.env$", (ROOT / "deploy/README.md").read_text(), re.M)[0]
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f"{folder}/deploy")
            shutil.copy(ROOT / COMPOSE_FILE, f"{folder}/deploy")
            environment = {k: v for k, v in os.environ.items() if k != "API_AUTH_SECRET"}
            subprocess.run(["bash", "-c", f"{line} && docker-compose -f {COMPOSE_FILE} config -q"], cwd=folder, check=True,
                           env=environment)

    def test_files_that_are_named_exist(self):
        wrong = []
        for document in DOCUMENTS:
            for line, code in inline(document):
                if re.fullmatch(r"(\.\./)*[\w.-]+/[\w./*-]*", code) and not re.match("(build|text|application)/", code):
                    places = [document.parent, ROOT, ROOT / "proxy", ROOT / "api", ROOT / "tests"]
                    if not any((p / code).exists() or (".." not in code and any(list(p.glob(code.rstrip("/") + end)) for end in ("", ".*"))) for p in places):
                        wrong.append(f"{document.relative_to(ROOT)}:{line}: no {code}")
            wrong += [f"{document}: no {target}" for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text())
                      if not (document.parent / target).exists()]
        self.assertEqual(wrong, [])

    def test_keys_that_are_named_exist(self):
        schemas = [json.loads((ROOT / f"config/{name}.schema.json").read_text()) for name in ("proxy", "api")]

        def known(schema, path):
            for key in path:
                while "$ref" in schema or "items" in schema:
                    schema = schema.get("items", schema)
                schema = schema.get("properties", {}).get(key)
                if schema is None:
                    return False
            return True

        wrong = []
        sections = set().union(*(s["properties"] for s in schemas))
        for document in DOCUMENTS:
            for line, code in inline(document):
                match = re.fullmatch(r"([a-z_]+(?:\.[a-z_]+)+)(?:: (\S+))?", code)
                if not match or match[1].split(".")[0] not in sections or match[1].endswith((".yaml", ".cpp", ".hpp")):
                    continue
                path = match[1].split(".")
                if not any(known(s, path) for s in schemas):
                    wrong.append(f"{document.relative_to(ROOT)}:{line}: no key {match[1]}")
                elif match[2] and known(schemas[0], path):
                    line_of_it = f"spillway --upstream localhost:3000 --set '{match[1]}={match[2]}'"
                    wrong += self.faults([(document, line, line_of_it)])
        self.assertEqual(wrong, [])

    def test_dashboards_and_alerts_that_are_named_exist(self):
        titles = {b["title"] for b in BOARDS}
        panels = {p["title"] for b in BOARDS for p in b["panels"]}
        for document in DOCUMENTS:
            text = document.read_text()
            for title in re.findall(r"\*(Spillway / [^*]+)\*", text):
                self.assertIn(title, titles, document)
            for title in re.findall(r"[Dd]ashboards? \*([^*]+)\*", text):
                self.assertIn(title, titles, document)
            for title in re.findall(r"[Pp]anel \*([^*]+)\*", text):
                self.assertIn(title, panels, document)
            if document.parent.name == "runbooks":
                for name in re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z0-9]+)+)`", text):
                    self.assertIn(name, ALERTS, document)

    def test_metrics_that_are_named_exist(self):
        lines = subprocess.run([BIN / "proxy/spillway", "--print-metrics"], capture_output=True, text=True, check=True).stdout
        metrics = {line.split("\t")[0] for line in lines.splitlines()}
        rules = "".join(p.read_text() for p in (ROOT / "deploy/prometheus/rules").glob("*.yml"))
        for document in DOCUMENTS:
            for line, code in inline(document):
                name = code.partition("{")[0]
                if re.fullmatch(r"(spillway|database|load_shedding)_[a-z_]+", name):
                    self.assertIn(re.sub("_(bucket|sum|count)$", "", name), metrics, f"{document}:{line}")
                if re.fullmatch(r"(instance|job):[a-z_:0-9]+", name):
                    self.assertIn(f"record: {name}\n", rules, f"{document}:{line}")


class TheCheckItself(unittest.TestCase):
    """Commands that were documented once and did not work, or nearly the documented ones: each must be seen."""

    def test_wrong_commands_are_seen(self):
        commands = Commands(None)
        for text in ("docker compose logs proxy", f"docker compose -f {COMPOSE_FILE} logs proxi",
                     f"docker compose -f {COMPOSE_FILE} exec proxy nonsense", "kubectl get pods",
                     f"kubectl -n {NAMESPACE} logs deploy/scholarship -c proxy", f"kubectl -n {NAMESPACE} logs deploy/spillway",
                     f"kubectl -n {NAMESPACE} get pods -l app=spillway", "kubectl apply -k deploy/kubernetes/overlays/prod",
                     "kubectl apply -n monitoring -f deploy/none.yaml", "git checkout HEAD~1 -- proxy.yaml", "make tests", "make bench ROUND=3", "systemctl reload spilway",
                     "curl -s localhost:8080/metrics", "curl -s localhost:9999/", "spillway --confg config/proxy.yaml",
                     "spillway --upstream localhost:3000 --set admission.shed_at=7", "tests/nothing.sh", "frobnicate",
                     "true && X=$(make nothing)", "for p in a b; do make nothing; done", "bats tests/nothing.bats",
                     "helm upgrade --install x deploy/helm/spillway --set api.imag=x", "jq '.a |'", "scholarship-api --config config/api.yaml migrate --now",
                     "scholarship-api user add", "scholarship-api user remove NAME", "scholarship-api user add eve secret",
                     "scholarship-api secret"):
            with self.subTest(text), self.assertRaises(Wrong):
                commands.check(text)

    def test_the_parser_sees_every_command(self):
        text = ('a 1 | b \'x | y\' && c "$(d "$(e)")" >f 2>&1; X=1 g # no command\n'
                "for i in $(h); do k; done; (n && o >f)\ncat >file <<END\nnot a command\nEND\nl \\\n  m\n")
        words = {command[0] for pipeline in shell.pipelines(text) for command in pipeline}
        self.assertEqual(words, {"a", "b", "c", "d", "e", "g", "h", "k", "cat", "l", "n", "o"})


if __name__ == "__main__":
    unittest.main()
