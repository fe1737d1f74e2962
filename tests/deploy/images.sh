#!/usr/bin/env bash
# Builds both images on a base made with debootstrap, runs them as the compose file and the pod of the base do, and
# looks at what they may and may not. Needs root, podman and the apt sources of this machine; no registry of images.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$root/build/deploy-images
base=localhost/spillway-base

fail() {
  echo "images: $*" >&2
  exit 1
}

# Limits may not be raised everywhere, and crun wants cgroup v2.
mkdir -p "$work"
cat >"$work/containers.conf" <<'END'
[containers]
default_ulimits = []
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
END
export CONTAINERS_CONF=$work/containers.conf

make_base() {
  podman image exists "$base" && return
  local mirror
  # shellcheck disable=SC2016 # apt's own variable
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1)
  rm -rf "$work/rootfs"
  debootstrap --variant=minbase bookworm "$work/rootfs" "$mirror" >"$work/debootstrap.log" 2>&1 ||
    fail "debootstrap: $(tail -n 1 "$work/debootstrap.log")"
  cp -a /etc/apt/sources.list* /etc/apt/apt.conf.d "$work/rootfs/etc/apt/" 2>/dev/null || true
  tar -C "$work/rootfs" -c . | podman import --quiet - "$base" >/dev/null
  rm -rf "$work/rootfs"
}

build() {
  podman build --quiet --network host --build-arg "BASE=$base" --pull=never -f "$root/deploy/docker/$1.Dockerfile" \
    -t "localhost/$2" "$root" >"$work/$1.log" 2>&1 || fail "$1 does not build: $(tail -n 3 "$work/$1.log")"
}

make_base
build proxy spillway
build api scholarship-api
echo "images: $(podman images --format '{{.Repository}} {{.Size}}' | grep -E 'spillway$|scholarship-api$' | xargs)"
