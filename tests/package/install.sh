#!/usr/bin/env bash
# Installs the packages into a fresh Debian 12 and starts both programs there. Needs root, and a Debian mirror.
#
#   install.sh PACKAGE...
set -euo pipefail

readonly kPatience=30    # seconds
readonly kExposureMax=20 # tenths, as systemd-analyze counts them
cd "$(dirname "$0")/../.."
# shellcheck source=tests/smoke/stack.bash
source tests/smoke/stack.bash

fail() {
  echo "package test: $*" >&2
  tail -n 3 "$new"/{api,proxy}.log >&2 2>/dev/null || true
  exit 1
}
new=$(mktemp -d)
chmod 0755 "$new" # the programs run as nobody
pids=()
finish() {
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
  rm -rf --one-file-system "$new"
}
trap finish EXIT
((EUID == 0)) || fail "needs root"

await() {
  for ((i = 0; i < kPatience * 10; i++)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  fail "not within $kPatience s: $*"
}

echo "package test: a fresh system"
debootstrap --variant=minbase bookworm "$new" >"$new.log" 2>&1 || fail "debootstrap: $(tail -n 1 "$new.log")"
rm -f "$new.log"
# The new system reaches the mirror with the settings of this one.
cp /etc/resolv.conf "$new/etc/resolv.conf"
cp -r /etc/apt/apt.conf.d/. "$new/etc/apt/apt.conf.d/"
mkdir "$new/packages"
cp "$@" "$new/packages/"
echo "package test: apt install"
# Adds what the units need: minbase has neither init system nor kill(1).
chroot "$new" sh -c 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
  systemd procps /packages/*.deb' >"$new/log" 2>&1 || fail "apt-get install: $(tail -n 3 "$new/log")"

for page in man1/spillway.1.gz man5/spillway.yaml.5.gz man1/scholarship-api.1.gz man5/scholarship-api.yaml.5.gz; do
  # dpkg leaves manual pages out of minimal systems that say so; this one does not.
  warnings=$(man --warnings -l -E UTF-8 -Tutf8 "$new/usr/share/man/$page" 2>&1 >/dev/null) || fail "$page: $warnings"
  [[ -z $warnings ]] || fail "$page: $warnings"
done
for unit in spillway.service spillway.socket scholarship-api.service; do
  # The manual pages that a unit names were checked above; man(1) finds none below another root.
  warnings=$(systemd-analyze --root="$new" --man=no verify "$unit" 2>&1) || fail "$unit: $warnings"
  [[ -z $warnings ]] || fail "$unit: $warnings"
  [[ $unit == *.socket ]] && continue
  systemd-analyze --root="$new" --offline=true --threshold=$kExposureMax --no-pager security "$unit" >"$new/log" 2>&1 ||
    fail "$unit is exposed: $(tail -n 1 "$new/log")"
done
for file in /etc/spillway/proxy.yaml /etc/scholarship-api/api.yaml; do
  # shellcheck disable=SC2016 # dpkg-query expands it
  chroot "$new" dpkg-query -W -f '${Conffiles}\n' spillway scholarship-api | grep " $file " >/dev/null || fail "$file is no conffile"
done

find_port && traffic=$port
find_port && admin=$port
find_port && api=$port
sed -i "s/:8080/:$traffic/; s/:9901/:$admin/; s/:8081/:$api/" "$new/etc/spillway/proxy.yaml" "$new/etc/scholarship-api/api.yaml"

# The programs run as a user without rights. There is no database: the API reports that and stays up.
echo "package test: both programs"
DATABASE_URL='postgresql:///none?host=/nowhere' API_AUTH_SECRET=for-tests-only-for-tests-only-0123456789 \
  chroot --userspec=nobody:nogroup "$new" scholarship-api --config /etc/scholarship-api/api.yaml >"$new/api.log" 2>&1 &
pids+=($!)
await curl -fsS -m 2 "http://127.0.0.1:$api/health"
chroot --userspec=nobody:nogroup "$new" spillway --config /etc/spillway/proxy.yaml >"$new/proxy.log" 2>&1 &
pids+=($!)
await chroot "$new" spillway healthcheck --admin "127.0.0.1:$admin"
curl -fsS -m 2 "http://127.0.0.1:$traffic/health" | jq -e .status >/dev/null || fail "the proxy does not reach the API"
curl -fsS -m 2 "http://127.0.0.1:$admin/" | grep uPlot >/dev/null || fail "no status page"
for pid in "${pids[@]}"; do
  kill -TERM "$pid"
  wait "$pid" || fail "a program ended with status $?"
done
pids=()

echo "package test: apt purge"
chroot "$new" apt-get -q -y purge spillway scholarship-api >"$new/log" 2>&1 || fail "purge: $(tail -n 3 "$new/log")"
[[ ! -e $new/etc/spillway/proxy.yaml ]] || fail "the configuration outlives a purge"
echo "package test: fine"
