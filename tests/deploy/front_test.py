#!/usr/bin/python3
"""What puts Spillway before an API of somebody else on Kubernetes: the kustomize component `sidecar` by its example, and the
Helm chart. Both are rendered by the real tools, type-checked, and their configuration is read by the proxy."""
import json
import re
import subprocess
import sys
import unittest

import types_test
import yaml
from stack import BIN, ROOT

CHART = ROOT / "deploy/helm/spillway"
EXAMPLE = ROOT / "deploy/kubernetes/examples/front"
FULL = {  # a value for every name of values.yaml
    "replicas": 3,
    "api": {"image": "shop:1", "port": 3001, "command": ["node"], "args": ["shop.js"], "env": [{"name": "A", "value": "1"}],
            "envFrom": [{"secretRef": {"name": "shop"}}], "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
            "resources": {"requests": {"cpu": "1"}}, "securityContext": {"runAsUser": 1000}},
    "spillway": {"image": "registry/spillway:1", "resources": {"limits": {"memory": "1Gi"}},
                 "config": {"admission": {"max_concurrent": 20}, "upstream": {"health": {"path": "/"}, "idle_timeout": "4s"}}},
    "service": {"type": "NodePort", "port": 8000, "annotations": {"a": "b"}},
    "volumes": [{"name": "tmp", "emptyDir": {}}], "podAnnotations": {"c": "d"}, "podLabels": {"e": "f"},
    "imagePullSecrets": [{"name": "pull"}], "terminationGracePeriodSeconds": 90, "disruptionBudget": {"maxUnavailable": "25%"},
    "networkPolicy": {"enabled": True, "monitoring": "observability"},
    "podMonitor": {"enabled": True, "interval": "30s", "labels": {"release": "prometheus"}},
    "dashboards": {"enabled": True, "labels": {"sidecar": "yes"}, "annotations": {"folder": "Proxies"}},
}
LEAST = {"api": {"image": "shop:1"}}


def documents(values, release="shop"):
    done = subprocess.run([types_test.helm(), "template", release, CHART, "-f", "-"], input=json.dumps(values),
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr)
    return [o for o in yaml.safe_load_all(done.stdout) if o]


def is_dashboard(document):
    return document["kind"] == "ConfigMap" and "proxy.yaml" not in document["data"]


def template(values, release="shop"):
    """The objects by their kind; dashboards are left out."""
    return {o["kind"]: o for o in documents(values, release) if not is_dashboard(o)}


def pod(objects):
    return objects["Deployment"]["spec"]["template"]["spec"]


def labels_of(name, monitor):
    """Of a target, as the operator and then the monitor's relabelings give them. All services are in one namespace."""
    labels = {"namespace": "apps", "pod": f"{name}-0", "container": "spillway", "job": f"apps/{monitor['metadata']['name']}"}
    meta = {"__meta_kubernetes_pod_name": labels["pod"]}
    for rule in monitor["spec"]["podMetricsEndpoints"][0]["relabelings"]:
        labels[rule["targetLabel"]] = rule.get("replacement") or "".join(meta[s] for s in rule["sourceLabels"])
    return labels


def text_of(labels):
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


def leaves(values, path=()):
    """Every name of values.yaml, those in free-form maps excepted."""
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict) and key not in ("resources", "config", "labels", "annotations"):
            yield from leaves(value, (*path, key))


class Front(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.rendered = {"least": template(LEAST), "full": template(FULL),
                         "example": {o["kind"]: o for o in types_test.render(EXAMPLE)}}

    def test_objects_have_the_published_types(self):
        modules = {f"{name}-{kind}": types_test.object_module(o)
                   for name, objects in self.rendered.items() for kind, o in objects.items()}
        self.assertEqual(types_test.compile_all(modules), {})
        self.assertEqual(set(self.rendered["full"]), {"Deployment", "Service", "ConfigMap", "PodDisruptionBudget",
                                                     "NetworkPolicy", "PodMonitor"})
        self.assertEqual(set(self.rendered["least"]), set(self.rendered["full"]) - {"PodMonitor"})

    def test_the_proxy_takes_the_configuration(self):
        for name, objects in self.rendered.items():
            text = objects["ConfigMap"]["data"]["proxy.yaml"]
            config = types_test.WORK / f"{name}.yaml"
            config.parent.mkdir(parents=True, exist_ok=True)
            config.write_text(text)
            done = subprocess.run([BIN / "proxy/spillway", "--config", config, "--check-config"], capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0, f"{name}: {done.stderr}")
        full = yaml.safe_load(self.rendered["full"]["ConfigMap"]["data"]["proxy.yaml"])
        self.assertEqual(full["upstream"], {"address": "127.0.0.1:3001", "health": {"path": "/"}, "idle_timeout": "4s"})

    def test_all_traffic_passes_the_proxy(self):
        for name, objects in self.rendered.items():
            proxy = next(c for c in pod(objects)["containers"] if c["name"] == "spillway")
            ports = {p["name"]: p["containerPort"] for p in proxy["ports"]}
            self.assertEqual([ports[p["targetPort"]] for p in objects["Service"]["spec"]["ports"]], [8080], name)
            mounted = {v["name"]: v for v in pod(objects)["volumes"]}[proxy["volumeMounts"][0]["name"]]
            self.assertEqual(mounted["configMap"]["name"], objects["ConfigMap"]["metadata"]["name"], name)
            self.assertLessEqual(objects["Service"]["spec"]["selector"].items(),
                                 objects["Deployment"]["spec"]["template"]["metadata"]["labels"].items(), name)

    def test_nobody_passes_the_proxy_by_and_only_monitoring_reaches_its_admin_port(self):
        policy = self.rendered["full"]["NetworkPolicy"]["spec"]
        self.assertEqual([([p["port"] for p in rule["ports"]], "from" in rule) for rule in policy["ingress"]],
                         [(["http"], False), (["admin"], True)])
        self.assertEqual(policy["podSelector"], self.rendered["full"]["PodDisruptionBudget"]["spec"]["selector"])
        self.assertNotIn("NetworkPolicy", template(LEAST | {"networkPolicy": {"enabled": False}}))

    def test_the_api_answers_until_the_proxy_has_drained(self):
        for name, objects in self.rendered.items():
            drain = yaml.safe_load(objects["ConfigMap"]["data"]["proxy.yaml"])["timeouts"]["drain"].rstrip("s")
            self.assertGreater(pod(objects)["terminationGracePeriodSeconds"], int(drain), name)
            sidecars = [c for c in pod(objects).get("initContainers", []) if c.get("restartPolicy") == "Always"]
            waits = [c["lifecycle"]["preStop"]["sleep"]["seconds"] for c in pod(objects)["containers"] if "lifecycle" in c]
            self.assertTrue(sidecars or waits and waits[0] > int(drain), name)

    def test_a_change_of_the_configuration_is_a_rollout(self):
        other = json.loads(json.dumps(FULL))
        other["spillway"]["config"]["admission"]["max_concurrent"] = 21
        self.assertNotEqual(template(other)["Deployment"], self.rendered["full"]["Deployment"])

    def test_the_dashboards_are_those_of_the_repository_and_wear_the_label_of_the_sidecar(self):
        self.assertEqual([o for o in documents(LEAST) if is_dashboard(o)], [])
        for values, label in ((LEAST | {"dashboards": {"enabled": True}}, ("grafana_dashboard", "1")), (FULL, ("sidecar", "yes"))):
            made = [o for o in documents(values) if is_dashboard(o)]
            self.assertEqual(len({o["metadata"]["name"] for o in made}), len(made))
            shipped = {p.name: p.read_text() for p in (ROOT / "dashboards").glob("*.json") if p.name != "api.json"}
            self.assertEqual({name: text for o in made for name, text in o["data"].items()}, shipped)
            for one in made:
                self.assertIn(label, one["metadata"]["labels"].items())
            self.assertEqual(types_test.compile_all({f"{o['metadata']['name']}": types_test.object_module(o) for o in made}), {})

    def test_the_rules_know_what_the_monitors_yield_and_keep_services_apart(self):
        production = {o["kind"]: o for o in types_test.render(types_test.KUBERNETES / "overlays/production")}
        monitors = {"scholarship": production["PodMonitor"], "shop": self.rendered["full"]["PodMonitor"],
                    "reports": template(FULL, "reports")["PodMonitor"]}
        services = [labels_of(name, monitor) for name, monitor in monitors.items()]
        rate = 'spillway_requests_total{%s,class="normal",outcome="ok",code="2xx"}'
        case = {
            "interval": "15s",
            "input_series": [series for i, labels in enumerate(services) for series in (
                {"series": "up{%s}" % text_of(labels), "values": "0x40"},
                {"series": rate % text_of(labels), "values": f"0+{15 * (i + 1)}x40"})],
            "alert_rule_test": [{"alertname": "SpillwayDown", "eval_time": "5m", "exp_alerts": [
                {"exp_labels": {"severity": "critical", **labels}, "exp_annotations": {
                    "summary": f"No metrics from {labels['instance']}",
                    "description": "Prometheus cannot scrape the admin listener: the proxy is gone, or cannot be reached.",
                    "runbook_url": "/user/SpillwayDown.md"}} for labels in services]}],
            "promql_expr_test": [{"expr": "job:spillway_requests:rate5m", "eval_time": "9m", "exp_samples": [
                {"labels": "job:spillway_requests:rate5m{%s}" % text_of({k: labels[k] for k in ("namespace", "job")}),
                 "value": i + 1} for i, labels in enumerate(services)]}]}
        rules = [str(p) for p in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))]
        file = types_test.WORK / "monitors.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"rule_files": rules, "evaluation_interval": "15s", "tests": [case]}))
        done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_value_is_explained_checked_and_used(self):
        text = (CHART / "values.yaml").read_text()
        schema = json.loads((CHART / "values.schema.json").read_text())
        names = list(leaves(yaml.safe_load(text)))
        for path in names:
            self.assertRegex(text, rf"(?m)^{'  ' * (len(path) - 1)}{path[-1]}:.* # \S", f"{path} has no comment")
            node = schema
            for key in path:
                node = node["properties"][key]
        self.assertEqual(set(names) - set(leaves(FULL)), set(), "FULL of this test leaves a value out")
        rendered = json.dumps(self.rendered["full"])
        for word in ("shop.js", "registry/spillway:1", "NodePort", "25%", "prometheus", '"e": "f"', '"c": "d"', "pull", '"a": "b"',
                     "/tmp", "1Gi", "secretRef", "observability", '"runAsUser": 1000', "90", "30s"):
            self.assertIn(word, rendered)
        dashboard = json.dumps([o["metadata"] for o in documents(FULL) if is_dashboard(o)])
        for word in ('"sidecar": "yes"', '"folder": "Proxies"'):
            self.assertIn(word, dashboard)

    def test_wrong_values_are_refused(self):
        for wrong in ({}, {"api": {"image": ""}}, LEAST | {"replica": 2}, LEAST | {"replicas": 0},
                      {"api": {"image": "x", "port": 8080}}, {"api": {"image": "x", "ports": [1]}},
                      LEAST | {"spillway": {"config": {"listen": ":80"}}}, LEAST | {"spillway": {"image": 3}},
                      LEAST | {"service": {"type": "Clusterip"}}, LEAST | {"terminationGracePeriodSeconds": 10},
                      LEAST | {"podMonitor": {"interval": 15}}, LEAST | {"dashboards": {"labels": {"a": 1}}}):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, "values don't meet the specifications"):
                template(wrong)

    def test_the_chart_has_the_version_of_the_project(self):
        version = re.search(r"project\([^)]*VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        self.assertEqual((chart["version"], chart["appVersion"]), (version, version))
        self.assertEqual(yaml.safe_load((CHART / "values.yaml").read_text())["spillway"]["image"], f"spillway:{version}")
        done = subprocess.run([types_test.helm(), "lint", "--strict", CHART, "--set", "api.image=x"], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    if not (types_test.TYPES / "node_modules/.bin/tsc").exists():
        subprocess.run(["npm", "ci", "--prefix", types_test.TYPES], check=True, stdout=sys.stderr)
    unittest.main()
