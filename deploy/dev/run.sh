#!/usr/bin/env bash
# The whole stack in the foreground: PostgreSQL, API, proxy. Ctrl-C or SIGTERM ends all of it and keeps the data.
#
# The configuration files alone say what runs and where. To run a second stack, or another build, set
#   SPILLWAY_RUN_DIR        folder of logs, secret and database       build/run
#   SPILLWAY_BIN_DIR        folder of the built programs              build/release
#   SPILLWAY_PROXY_CONFIG   configuration of the proxy                config/proxy.yaml
#   SPILLWAY_API_CONFIG     configuration of the API                  config/api.yaml
#   SPILLWAY_DATABASE_URL   use this database, start no PostgreSQL
set -euo pipefail

readonly kReadySeconds=30 # until a part must answer
readonly kStopSeconds=35  # until a part is killed; more than the default `timeouts.drain` of 25 s

cd "$(dirname "$0")/../.."
run=${SPILLWAY_RUN_DIR:-build/run}
bin=${SPILLWAY_BIN_DIR:-build/release}
proxy_config=${SPILLWAY_PROXY_CONFIG:-config/proxy.yaml}
api_config=${SPILLWAY_API_CONFIG:-config/api.yaml}
proxy_program=$bin/proxy/spillway
api_program=$bin/api/scholarship-api

say() {
  printf 'make run: %s\n' "$*" || true # the terminal may be gone
}

fail() {
  say "$*" >&2
  exit 1
}

# --- What the configuration says -------------------------------------------------------------------------------------

# The value of a dotted key in block-style YAML on stdin; of a list its first item.
yaml_value() {
  awk -v want="$1" '
    { indent = match($0, /[^ ]/) - 1 }
    listed && /^ *- / { sub(/^ *- */, ""); print; exit }
    /^ *[a-z_]+:/ {
      key = $1; sub(/:$/, "", key)
      depth = indent / 2; path[depth] = key
      name = path[0]; for (i = 1; i <= depth; i++) name = name "." path[i]
      if (name == want && NF > 1) { sub(/^[^:]*: */, ""); gsub(/^\[|[],].*|"/, ""); print; exit }
      listed = name == want
    }'
}

# curl at an address of the configuration: ask ADDRESS PATH
ask() {
  case $1 in
    unix:*) curl -fsS -m 2 -o /dev/null --unix-socket "${1#unix:}" "http://localhost$2" ;;
    *) curl -fsS -m 2 -o /dev/null "$(url_of "$1")$2" ;;
  esac
}

url_of() {
  local host=${1%:*} port=${1##*:}
  case $host in
    0.0.0.0 | '[::]' | 127.0.0.1) host=localhost ;;
    unix) echo "$1" && return ;;
  esac
  echo "http://$host:$port"
}

# Who listens on a TCP port, as "name (pid N)"; fails when nobody does.
listener() {
  local inode pid
  inode=$(awk -v port="$(printf ':%04X' "$1")" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10; exit }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null || true)
  [[ $inode ]] || return 1
  pid=$({ find /proc/[0-9]*/fd -lname "socket:\[$inode\]" 2>/dev/null || true; } | cut -d / -f 3 | head -n 1)
  echo "${pid:+$(<"/proc/$pid/comm") (pid $pid)}"
}

# require_free ADDRESS PART FILE
require_free() {
  local who port=${1##*:}
  [[ $1 != unix:* && $1 != fd:* ]] || return 0
  ! who=$(listener "$port") ||
    fail "port $port ($2) is taken by ${who:-a process of another user}: end it, or change the address in $3"
}

# --- Starting and stopping -------------------------------------------------------------------------------------------

api_pid='' proxy_pid='' watch_pid=''
own_postgres=''

# Runs a part in a session of its own: the terminal's Ctrl-C reaches this script alone, which then stops the parts in
# order. The kernel ends the part if this script is killed.
launch() {
  local log=$1
  shift
  setsid setpriv --pdeathsig TERM -- "$@" >"$log" 2>&1 </dev/null 9<&- &
}

# await NAME PID ADDRESS LOG
await() {
  local i
  for ((i = 0; i < kReadySeconds * 10; i++)); do
    ask "$3" /ready 2>/dev/null && return
    kill -0 "$2" 2>/dev/null || fail "the $1 ended before it was ready: $(tail -n 1 "$4")"
    sleep 0.1
  done
  fail "the $1 is not ready after $kReadySeconds s, see $4"
}

# stop_part NAME PID
stop_part() {
  local i
  [[ $2 ]] && kill -TERM "$2" 2>/dev/null || return 0
  for ((i = 0; i < kStopSeconds * 10; i++)); do
    kill -0 "$2" 2>/dev/null || return 0
    sleep 0.1
  done
  say "the $1 did not end within $kStopSeconds s, killing it"
  kill -KILL "$2" 2>/dev/null || true
}

stop_all() {
  # At a second signal the proxy and the API end at once.
  trap 'kill -TERM $proxy_pid $api_pid 2>/dev/null || true' INT TERM HUP
  [[ -z $watch_pid ]] || kill "$watch_pid" 2>/dev/null || true
  stop_part proxy "$proxy_pid"
  stop_part API "$api_pid"
  [[ -z $own_postgres ]] || setsid -w deploy/dev/postgres.sh stop "$run/postgres" || true
  [[ -z $api_pid ]] || say "stopped"
}

# --- Check everything, then start ------------------------------------------------------------------------------------

for tool in curl jq setsid setpriv; do
  command -v "$tool" >/dev/null || fail "$tool is missing: run make deps"
done
for program in "$proxy_program" "$api_program"; do
  [[ -x $program ]] || fail "$program is missing: run make build"
done

mkdir -p "$run"
exec 9<"$run" # a lock that needs no file and ends with this process
flock -n 9 || fail "another make run uses $run"

secret=$run/auth-secret
[[ -s $secret ]] || (umask 077 && head -c 32 /dev/urandom | base64 >"$secret.new" && mv "$secret.new" "$secret")
API_AUTH_SECRET=$(<"$secret")
export API_AUTH_SECRET

proxy_settings=$("$proxy_program" --config "$proxy_config" --print-config=effective) || fail "$proxy_config is refused"
api_settings=$(DATABASE_URL=postgresql:/// "$api_program" --config "$api_config" --print-config=effective) ||
  fail "$api_config is refused"
traffic=$(yaml_value listen <<<"$proxy_settings")
admin=$(yaml_value admin.listen <<<"$proxy_settings")
api=$(yaml_value listen <<<"$api_settings")
require_free "$traffic" "the proxy" "$proxy_config"
require_free "$admin" "the proxy's admin server" "$proxy_config"
require_free "$api" "the API" "$api_config"

trap stop_all EXIT
trap 'say stopping; exit 0' INT TERM HUP

if [[ ${SPILLWAY_DATABASE_URL:-} ]]; then
  DATABASE_URL=$SPILLWAY_DATABASE_URL
else
  own_postgres=yes
  setsid -w deploy/dev/postgres.sh start "$run/postgres" 9<&-
  DATABASE_URL=$(deploy/dev/postgres.sh url "$run/postgres")
fi
export DATABASE_URL

"$api_program" --config "$api_config" migrate >"$run/migrate.log" 2>&1 9<&- ||
  fail "the tables could not be made: $(tail -n 1 "$run/migrate.log")"
"$api_program" --config "$api_config" seed-demo >"$run/migrate.log" 2>&1 9<&- ||
  fail "the demo data could not be written: $(tail -n 1 "$run/migrate.log")"

launch "$run/api.log" "$api_program" --config "$api_config"
api_pid=$!
await API "$api_pid" "$api" "$run/api.log"
launch "$run/proxy.log" "$proxy_program" --config "$proxy_config"
proxy_pid=$!
await proxy "$proxy_pid" "$admin" "$run/proxy.log"

cat <<END

Spillway runs.
  proxy       $(url_of "$traffic")   log in $run/proxy.log
  admin       $(url_of "$admin")   /metrics /ready /stats /config, status page at /
  API         $(url_of "$api")   log in $run/api.log
  PostgreSQL  ${own_postgres:+log in $(readlink -f "$run/postgres")/log   }psql '$DATABASE_URL'

Try it in a second terminal:
  T=\$(curl -s $(url_of "$traffic")/api/v1/auth/login -d username=admin -d password=admin123 | jq -r .access_token)
  curl -s -H "Authorization: Bearer \$T" '$(url_of "$traffic")/api/v1/search?q=engineering'
  curl -s $(url_of "$admin")/metrics | grep -E 'database_pool|load_shedding|request_concurrency'

Ctrl-C stops all of it; the data stays.
END

# --- Watch -----------------------------------------------------------------------------------------------------------

if [[ $own_postgres ]]; then
  tail --pid="$(deploy/dev/postgres.sh pid "$run/postgres")" -f /dev/null 9<&- &
  watch_pid=$!
fi
while true; do
  status=0
  # shellcheck disable=SC2086 # an empty watch_pid is no argument
  wait -n -p ended "$api_pid" "$proxy_pid" $watch_pid || status=$?
  case $ended in
    "$api_pid") api_pid='' && fail "the API ended (status $status), stopping the rest: $(tail -n 1 "$run/api.log")" ;;
    "$proxy_pid") proxy_pid='' && fail "the proxy ended (status $status), stopping the rest: $(tail -n 1 "$run/proxy.log")" ;;
    "$watch_pid")
      watch_pid=''
      say "PostgreSQL ended; the API answers 503 until it is back: deploy/dev/postgres.sh start $run/postgres"
      ;;
  esac
done
