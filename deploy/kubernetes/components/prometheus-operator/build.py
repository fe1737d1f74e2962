#!/usr/bin/env python3
"""Writes prometheus-rule.yaml from deploy/prometheus/rules. Run it after a change there; a test says when they differ.

  build.py        alerts name the file of their runbook in the repository
  build.py URL    they link to URL/NAME.md, where those on call can read deploy/runbooks
"""
import pathlib
import sys
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
HEAD = """# Written by build.py from deploy/prometheus/rules.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: scholarship
  labels: {release: kube-prometheus-stack} # what the operator's Prometheus selects by: the release's name of its chart
spec:
  groups:
"""


def rule(url=None):
    body = ""
    for path in sorted((HERE.parents[2] / "prometheus/rules").glob("*.yml")):
        body += textwrap.indent(path.read_text().split("groups:\n", 1)[1], "  ")
    runbook = f'runbook_url: "{url}/' if url else 'runbook: "deploy/runbooks/'
    return HEAD + body.replace('runbook_url: "{{ $externalURL }}/user/', runbook)


if __name__ == "__main__":
    (HERE / "prometheus-rule.yaml").write_text(rule(*sys.argv[1:2]))
