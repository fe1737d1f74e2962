#!/usr/bin/env bash
# Installs what packages.txt lists for the given commands and dpkg does not have yet.
# Does nothing, and asks for no password, when all of it is there.
#
#   deps.sh TAG...           install
#   deps.sh --list TAG...    only print the names
set -euo pipefail

fail() {
  echo "make deps: $*" >&2
  exit 1
}

only_list=
[[ ${1:-} != --list ]] || { only_list=1 && shift; }
mapfile -t wanted < <(awk -v tags="$*" '
  BEGIN { count = split(tags, tag, " ") }
  NF && $1 !~ /^#/ { for (i = 1; i <= count; i++) if (index("," $2 ",", "," tag[i] ",")) { print $1; next } }
' "$(dirname "${BASH_SOURCE[0]}")/packages.txt")
((${#wanted[@]})) || fail "packages.txt lists nothing for: $*"
[[ ! $only_list ]] || { printf '%s\n' "${wanted[@]}" && exit; }

command -v dpkg-query >/dev/null || fail "needs Debian 12 or a derivative (dpkg-query is not there)"

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
