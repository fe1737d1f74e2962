#!/usr/bin/env python3
"""Writes prometheus-rule.yaml from deploy/prometheus/rules. Run it after a change there; a test says when they differ."""
import pathlib
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
HEAD = """# Written by build.py from deploy/prometheus/rules.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: scholarship
spec:
  groups:
"""
RUNBOOKS = "https://runbooks.example.com/spillway"  # where deploy/runbooks can be read by those on call


def rule():
    body = ""
    for path in sorted((HERE.parents[2] / "prometheus/rules").glob("*.yml")):
        body += textwrap.indent(path.read_text().split("groups:\n", 1)[1], "  ")
    return HEAD + body.replace("{{ $externalURL }}/user", RUNBOOKS)


if __name__ == "__main__":
    (HERE / "prometheus-rule.yaml").write_text(rule())
