#!/usr/bin/env bash
# Installs what the given lists name (first word of each line) and dpkg does not have yet.
# Does nothing, and asks for no password, when all of it is there.
#
#   deps.sh LIST...
set -euo pipefail

fail() {
  echo "make deps: $*" >&2
  exit 1
}

command -v dpkg-query >/dev/null || fail "needs Debian 12 or a derivative (dpkg-query is not there)"

mapfile -t wanted < <(awk 'NF && $1 !~ /^#/ { print $1 }' "$@")
((${#wanted[@]})) || fail "no package named in $*"

# dpkg-query fails when it does not know a name; such a name is simply missing.
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
  grep -qx "installed $package" <<<"$installed" || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null || fail "run it as root or install sudo; missing: ${missing[*]}"
  as_root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1
}

echo "make deps: installing ${missing[*]}"
# The lists may be old or absent, and an install from the ones at hand may still do: its verdict is the one that counts.
apt update || true
apt install --no-install-recommends "${missing[@]}" ||
  fail "apt-get failed: $(grep -m1 '^E: ' "$log" || tail -n 1 "$log")"
