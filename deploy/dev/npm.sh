#!/usr/bin/env bash
# Installs what npm/package-lock.json pins, by version and checksum, into npm/node_modules.
# Does nothing when all of it is there.
set -euo pipefail

cd "$(dirname "$0")/npm"
stamp=node_modules/.installed
! cmp -s package-lock.json "$stamp" || exit 0

command -v npm >/dev/null || ../deps.sh ../packages-npm.txt
echo "make deps: installing $(jq -r '[.dependencies, .devDependencies | to_entries[] | "\(.key) \(.value)"] | join(", ")' package.json)"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
npm ci >"$log" 2>&1 || {
  echo "make deps: npm failed: $(grep -m1 'npm error\|ERR!' "$log" || tail -n 1 "$log")" >&2
  exit 1
}
cp package-lock.json "$stamp"
