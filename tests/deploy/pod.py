#!/usr/bin/python3
"""Prints the base's Deployment as one Pod and its ConfigMap for `podman kube play`, with the database behind a socket.

  pod.py SOCKET_FOLDER SECRET_FILE     the Secret goes to the file, as `podman secret create` wants it
"""
import base64
import json
import pathlib
import sys

import types_test
import yaml

KEPT = ("initContainers", "containers", "volumes", "terminationGracePeriodSeconds")


def main():
    socket, secret = sys.argv[1], pathlib.Path(sys.argv[2])
    objects = {o["kind"]: o for o in types_test.render(types_test.KUBERNETES / "base")}
    template = objects["Deployment"]["spec"]["template"]
    spec = {k: v for k, v in template["spec"].items() if k in KEPT} | {"restartPolicy": "Never"}
    spec["volumes"].append({"name": "pg", "hostPath": {"path": socket}})
    sidecars = [c for c in spec["initContainers"] if c.pop("restartPolicy", None)]  # podman knows none
    spec["initContainers"] = [c for c in spec["initContainers"] if c not in sidecars]
    spec["containers"] = sidecars + spec["containers"]
    for container in spec["initContainers"] + spec["containers"]:
        container["image"] = f"localhost/{container['image']}:latest"
        container["imagePullPolicy"] = "Never"
        for key in ("readinessProbe", "resources", "ports"):  # podman has no use for them without a network
            container.pop(key, None)
        if "env" in container:
            container["volumeMounts"].append({"name": "pg", "mountPath": "/pg"})
    values = {"database-url": "postgresql://spillway@/spillway?host=/pg", "auth-secret": "for-tests-only-" * 3}
    data = {k: base64.b64encode(v.encode()).decode() for k, v in values.items()}
    secret.write_text(json.dumps(data))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "scholarship", "labels": template["metadata"]["labels"]},
           "spec": spec}
    config = objects["ConfigMap"]
    print(yaml.safe_dump_all([config, pod]))


main()
