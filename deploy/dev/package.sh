#!/usr/bin/env bash
# Debian packages of both programs, checked by lintian: build/release/packages/*.deb
set -euo pipefail

cd "$(dirname "$0")/../.."
bin=${SPILLWAY_BIN_DIR:-build/release}
rm -rf "$bin/packages"
cmake --build "$bin" --target spillway scholarship-api spillway-pages scholarship-api-pages >/dev/null
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cpack --config "$bin/CPackConfig.cmake" -B "$bin/packages" >"$log" 2>&1 || { cat "$log" >&2 && exit 1; }
rm -rf "$bin/packages/_CPack_Packages"
lintian --allow-root --fail-on error --profile debian "$bin"/packages/*.deb
ls "$bin"/packages/*.deb
