# shellcheck shell=bash
# A whole stack for a test: the shipped configuration on free ports, everything it writes in a folder of its own.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
kStartSeconds=60
kStopSeconds=20

# shellcheck source=tests/find_port.bash
source "$root/tests/find_port.bash"

# Makes $STACK_DIR with both configurations, and exports what deploy/dev/run.sh and the smoke tests read.
prepare_stack() {
  local traffic admin api
  find_port && traffic=$port
  find_port && admin=$port
  find_port && api=$port
  STACK_DIR=$(mktemp -d)
  chmod 0711 "$STACK_DIR" # user postgres passes through when root runs the tests
  # The added class makes a refusal that a test can ask for.
  sed -e "s/:8080/:$traffic/; s/:9901/:$admin/; s/:8081/:$api/" \
    -e 's|^classes:.*|&\n  - name: refused\n    shed_at: 0\n    match: [{path: /refused}]|' \
    "$root/config/proxy.yaml" >"$STACK_DIR/proxy.yaml"
  sed "s/:8081/:$api/" "$root/config/api.yaml" >"$STACK_DIR/api.yaml"
  export STACK_DIR URL=http://localhost:$traffic ADMIN=http://localhost:$admin REFUSED_PATH=/refused
  export SPILLWAY_RUN_DIR=$STACK_DIR/run SPILLWAY_PROXY_CONFIG=$STACK_DIR/proxy.yaml
  export SPILLWAY_API_CONFIG=$STACK_DIR/api.yaml SPILLWAY_BIN_DIR=${SPILLWAY_BIN_DIR:-$root/build/release}
}

# Runs a command that starts the stack in a process group of its own, as a terminal would, and waits until it says that
# the stack runs. Its id is in $STACK_DIR/pid, its output in $STACK_DIR/out.
start_stack() {
  rm -f "$STACK_DIR/out" # or the line of the previous run would be found
  set -m
  env -u MAKEFLAGS -u MAKELEVEL "$@" >"$STACK_DIR/out" 2>&1 </dev/null 3>&- &
  set +m
  echo $! >"$STACK_DIR/pid"
  for ((i = 0; i < kStartSeconds * 10; i++)); do
    ! grep -qs '^Spillway runs' "$STACK_DIR/out" || return 0
    kill -0 "$(<"$STACK_DIR/pid")" 2>/dev/null || break
    sleep 0.1
  done
  echo "not up after $kStartSeconds s:" >&2
  cat "$STACK_DIR/out" >&2
  return 1
}

# Processes that have the stack's folder on their command line: every program of it, and PostgreSQL.
stack_processes() {
  local file
  for file in /proc/[0-9]*/cmdline; do
    ! grep -qsF "$STACK_DIR/" "$file" || tr '\0' ' ' <"$file" 2>/dev/null
  done
}

# Waits until no process of the stack is left. If one stays, shows it and fails.
await_end() {
  local pid
  pid=$(<"$STACK_DIR/pid")
  for ((i = 0; i < kStopSeconds * 10; i++)); do
    if ! kill -0 "$pid" 2>/dev/null && [[ -z $(stack_processes) ]]; then return 0; fi
    sleep 0.1
  done
  echo "still running: $(stack_processes)" >&2
  cat "$STACK_DIR/out" >&2
  return 1
}

# For the end of a test file: ends what still runs, and removes the folder.
remove_stack() {
  if [[ -e $STACK_DIR/pid ]]; then
    kill -TERM "$(<"$STACK_DIR/pid")" 2>/dev/null || true
    await_end || true
  fi
  "$root/deploy/dev/postgres.sh" remove "$STACK_DIR/run/postgres"
  rm -rf "$STACK_DIR"
}
