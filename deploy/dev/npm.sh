#!/usr/bin/env bash
# Installs what npm/package-lock.json pins, by version and checksum, into npm/node_modules: what the build needs, and
# with `test` what the tests need as well. Does nothing when it is there.
#
#   npm.sh [test]
set -euo pipefail

cd "$(dirname "$0")/npm"
parts=(.dependencies) omit=(--omit=dev)
[[ ${1:-} != test ]] || { parts+=(.devDependencies) && omit=(); }
for part in "${parts[@]}"; do
  cmp -s package-lock.json "node_modules/.installed$part" || missing=1
done
[[ ${missing:-} ]] || exit 0

command -v npm >/dev/null || ../deps.sh npm
names=$(IFS=, && jq -r "[${parts[*]} | to_entries[] | \"\(.key) \(.value)\"] | join(\", \")" package.json)
echo "make deps: installing $names"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
npm ci "${omit[@]}" >"$log" 2>&1 || {
  echo "make deps: npm failed: $(grep -m1 'npm error\|ERR!' "$log" || tail -n 1 "$log")" >&2
  exit 1
}
for part in "${parts[@]}"; do cp package-lock.json "node_modules/.installed$part"; done
