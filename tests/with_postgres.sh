#!/usr/bin/env bash
# Runs a command with SPILLWAY_TEST_DATABASE_URL naming a fresh PostgreSQL that holds the API's tables and demo data.
# Removes the server and its files when the command has ended.
#
#   with_postgres.sh COMMAND...
#
# SPILLWAY_BIN_DIR   folder of the built programs   build/release
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
bin=${SPILLWAY_BIN_DIR:-$root/build/release}

dir=$(mktemp -d)
chmod 0711 "$dir" # user postgres passes through when root calls
trap '"$root/deploy/dev/postgres.sh" remove "$dir/postgres"; rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# These files need not survive a power failure.
SPILLWAY_POSTGRES_SETTINGS=$'fsync = off\nsynchronous_commit = off\nfull_page_writes = off' \
  setsid -w "$root/deploy/dev/postgres.sh" start "$dir/postgres"
SPILLWAY_TEST_DATABASE_URL=$("$root/deploy/dev/postgres.sh" url "$dir/postgres")
export SPILLWAY_TEST_DATABASE_URL

for step in migrate seed-demo; do
  DATABASE_URL=$SPILLWAY_TEST_DATABASE_URL API_AUTH_SECRET=for-tests-only-for-tests-only-0123456789 \
    "$bin/api/scholarship-api" --config "$root/config/api.yaml" $step >"$dir/$step.log" 2>&1 || {
    echo "with_postgres: $step failed:" >&2
    cat "$dir/$step.log" >&2
    exit 1
  }
done

"$@"
