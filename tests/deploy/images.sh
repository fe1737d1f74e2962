#!/usr/bin/env bash
# Builds both images on a base made with debootstrap, runs them as the compose files and the pod of the base do, and
# checks their rights. Needs root, podman and the apt sources of this machine; no registry of images.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$root/build/deploy-images
base=localhost/spillway-base
kReadySeconds=60

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
  rm "$work/rootfs/etc/apt/sources.list" # this machine's, not debootstrap's
  cp -a /etc/apt/sources.list* /etc/apt/apt.conf.d "$work/rootfs/etc/apt/" 2>/dev/null || true
  # And its authorities, or npm inside would not trust a mirror that this machine trusts.
  install -d "$work/rootfs/usr/local/share/ca-certificates"
  cp -a /usr/local/share/ca-certificates/. "$work/rootfs/usr/local/share/ca-certificates/" 2>/dev/null || true
  tar -C "$work/rootfs" -c . | podman import --quiet - "$base" >/dev/null
  rm -rf "$work/rootfs"
}

# ccache, one of the packages of the build, compiles what both images share once, also over several runs.
build() {
  install -d "$work/ccache"
  podman build --quiet --format docker --network host --build-arg "BASE=$base" --pull=never \
    --volume "$work/ccache:/root/.cache/ccache" -f "$root/deploy/docker/$1.Dockerfile" \
    -t "localhost/$2" "$root" >"$work/$1.log" 2>&1 || fail "$1 does not build: $(tail -n 3 "$work/$1.log")"
}

# The container alone, with the restrictions of the compose file.
check_container() {
  local id
  id=$(podman run --detach --network none --read-only --cap-drop ALL --security-opt no-new-privileges localhost/spillway)
  local pid
  pid=$(podman inspect --format '{{.State.Pid}}' "$id")
  [[ $(stat -c %u "/proc/$pid") == 10001 ]] || fail "the proxy does not run as user 10001"
  ! podman exec "$id" sh -c true 2>/dev/null || fail "the image has a shell"
  [[ $(podman image inspect --format '{{index .Labels "org.opencontainers.image.version"}}' localhost/spillway) == [0-9]* ]] ||
    fail "the image has no version"
  [[ $(podman image inspect --format '{{.Config.Healthcheck.Test}}' localhost/spillway) == *"spillway healthcheck"* ]] ||
    fail "the image has no HEALTHCHECK"
  ! podman exec "$id" spillway healthcheck || fail "ready without an API"
  local begin=$SECONDS
  podman stop --time 30 "$id" >/dev/null
  [[ $(podman inspect --format '{{.State.ExitCode}}' "$id") == 0 ]] || fail "the proxy does not end with status 0"
  ((SECONDS - begin < 20)) || fail "the proxy took $((SECONDS - begin)) s to end"
  podman rm "$id" >/dev/null
}

# The proxy as compose.tls.yaml runs it, with a certificate as its comment makes one, which is then renewed.
check_tls() {
  local command id i in_container
  install -d "$work/tls"
  make_certificate
  # The words of the command, each ended by NUL.
  mapfile -d '' -t command < <(python3 -c "
import sys, yaml
proxy = yaml.safe_load(open(sys.argv[1]))['services']['proxy']
assert proxy['ports'] == ['8443:8443'] and proxy['volumes'] == ['./docker/tls:/etc/spillway-tls:ro'], proxy
print(*proxy['command'], sep='\\0', end='\\0')" "$root/deploy/compose.tls.yaml")
  id=$(podman run --detach --network none --read-only --cap-drop ALL --security-opt no-new-privileges \
    --user 10001:10001 --volume "$root/deploy/docker/config:/etc/spillway:ro" \
    --volume "$work/tls:/etc/spillway-tls:ro" localhost/spillway "${command[@]}")
  in_container=(nsenter --net --target "$(podman inspect --format '{{.State.Pid}}' "$id")" curl -s -m 5 -o /dev/null
    --write-out '%{http_version} %{http_code}')
  # There is no API: the answer is the proxy's.
  for ((i = 0; ; i++)); do
    [[ $("${in_container[@]}" --cacert "$work/tls/tls.crt" https://localhost:8443/) != "2 503" ]] || break
    ((i < kReadySeconds)) || fail "no answer over TLS: $(podman logs --tail 3 "$id" 2>&1)"
    sleep 1
  done
  [[ $("${in_container[@]}" http://localhost:8080/) == "1.1 503" ]] || fail "no answer without TLS"
  make_certificate
  for ((i = 0; ; i++)); do
    [[ $("${in_container[@]}" --cacert "$work/tls/tls.crt" https://localhost:8443/) != "2 503" ]] || break
    ((i < kReadySeconds)) || fail "the renewed certificate is not used: $(podman logs --tail 3 "$id" 2>&1)"
    sleep 1
  done
  podman stop --time 30 "$id" >/dev/null
  podman rm "$id" >/dev/null
}

make_certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout "$work/tls/tls.key" -out "$work/tls/tls.crt" 2>/dev/null
  chmod a+r "$work/tls/tls.key"
}

# The pod of the base: kustomize renders it, the database is reached over a socket of this machine.
check_pod() {
  local pod=$work/pod.yaml i
  install -d -m 0777 "$work/pg"
  SPILLWAY_POSTGRES_SETTINGS=$'unix_socket_permissions = 0777\nunix_socket_directories = '"'$work/postgres/socket, $work/pg'" \
    "$root/deploy/dev/postgres.sh" start "$work/postgres"
  "$root/tests/deploy/pod.py" "$work/pg" "$work/secret.json" >"$pod"
  podman secret rm scholarship >/dev/null 2>&1 || true
  podman secret create scholarship "$work/secret.json" >/dev/null
  podman kube play --network none "$pod" >"$work/pod.log" 2>&1 || fail "kube play: $(tail -n 2 "$work/pod.log")"
  for ((i = 0; ; i++)); do
    ! podman exec scholarship-spillway spillway healthcheck 2>/dev/null || break
    ((i < kReadySeconds)) || fail "the pod is not ready: $(podman logs --tail 3 scholarship-api 2>&1)"
    sleep 1
  done
  # The images have no shell and no curl: this machine's, in the network of the pod.
  in_pod=(nsenter --net --target "$(podman inspect --format '{{.State.Pid}}' scholarship-spillway)" curl -s -m 5)
  "${in_pod[@]}" -i http://127.0.0.1:8080/api/v1/scholarships | head -n 1 | grep -q ' 401 ' ||
    fail "no answer of the API through the proxy"
  ! "${in_pod[@]}" http://127.0.0.1:8081/ >/dev/null || fail "the API has a port: a way past the proxy"
  # The switch that the runbooks use under compose.
  podman kill --signal HUP scholarship-api >/dev/null
  for ((i = 0; ; i++)); do
    [[ $(podman logs scholarship-api 2>&1) != *"reloaded: pool_size"* ]] || break
    ((i < kReadySeconds)) || fail "SIGHUP does not reach the API"
    sleep 1
  done
}

clean_up() {
  [[ ! -e $work/pod.yaml ]] || podman kube down "$work/pod.yaml" >/dev/null 2>&1 || true
  "$root/deploy/dev/postgres.sh" remove "$work/postgres"
}

make_base
build proxy spillway
build api scholarship-api
podman images --format '{{.Repository}} {{.Size}}' | grep -E '/(spillway|scholarship-api) ' | sed 's/^/images: /'
check_container
check_tls
trap clean_up EXIT
check_pod
echo "images: built, run, also with TLS, and the pod of the base serves"
