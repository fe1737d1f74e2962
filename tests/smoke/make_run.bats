#!/usr/bin/env bats
# shellcheck disable=SC2154 # stderr and stderr_lines are set by run, root by stack.bash
# `make run`: starts everything, says what goes wrong in one line, leaves nothing behind, keeps the data.
# The tests share one folder and build on each other's data.

setup_file() {
  bats_require_minimum_version 1.5.0
  load stack.bash
  prepare_stack
}

setup() {
  load stack.bash
}

teardown() {
  # A failed test must not leave its stack to the next one.
  [[ ! -e $STACK_DIR/pid ]] || kill -TERM -- "-$(<"$STACK_DIR/pid")" 2>/dev/null || return 0
  await_end
}

teardown_file() {
  load stack.bash
  remove_stack
}

sql() {
  psql -XAt "$("$root/deploy/dev/postgres.sh" url "$SPILLWAY_RUN_DIR/postgres")" -c "$1"
}

pid_of() {
  local file
  for file in /proc/[0-9]*/cmdline; do
    if grep -qs "^$SPILLWAY_BIN_DIR/$1" "$file" && grep -qF "$STACK_DIR/" "$file"; then
      cut -d / -f 3 <<<"$file"
    fi
  done
}

# The run prints one line on standard error and starts nothing.
refuses() {
  run --separate-stderr "$root/deploy/dev/run.sh" 3>&-
  [[ $status == 1 ]]
  [[ ${#stderr_lines[@]} == 1 ]] || { echo "$stderr" && return 1; }
  [[ $stderr == *"$1"* ]] || { echo "expected: $1; got: $stderr" && return 1; }
}

@test "make run starts the whole stack, and the commands that it prints work" {
  start_stack make -s -C "$root" run
  run -0 bash -c "$(grep -A 3 '^Try it' "$STACK_DIR/out" | tail -n +2)"
  [[ $output == *'"items":[{'* ]]
  [[ $output == *database_pool_size* && $output == *load_shedding_rejections* && $output == *request_concurrency* ]]
  [[ $(stat -c %a "$SPILLWAY_RUN_DIR/auth-secret") == 600 ]]
  [[ $(sql 'SHOW max_connections') == 200 && $(sql 'SHOW listen_addresses') == '' ]]

  sql 'CREATE TABLE kept AS SELECT 42 AS answer'
  kill -INT -- "-$(<"$STACK_DIR/pid")" # as Ctrl-C does: to make and everything in its process group
  await_end
  [[ $(tail -n 1 "$STACK_DIR/out") != *rror* ]] || grep -q '^make: .*Interrupt' "$STACK_DIR/out"
}

@test "a second run keeps the data; SIGTERM to make's child ends it with success" {
  start_stack make -s -C "$root" run
  [[ $(sql 'SELECT answer FROM kept') == 42 ]]
  local make
  make=$(<"$STACK_DIR/pid")
  kill -TERM "$(cut -d ' ' -f 1 "/proc/$make/task/$make/children")"
  await_end
  grep -qx 'make run: stopped' "$STACK_DIR/out"
  run ! grep -i 'error' "$STACK_DIR/out"
}

@test "a busy port is reported with the process that has it" {
  start_stack "$root/deploy/dev/run.sh"
  SPILLWAY_RUN_DIR=$STACK_DIR/other refuses "port ${URL##*:} (the proxy) is taken by spillway (pid "
}

@test "one folder serves one stack at a time" {
  start_stack "$root/deploy/dev/run.sh"
  refuses "another make run uses $SPILLWAY_RUN_DIR"
}

@test "when the API dies the rest is stopped, and the message names the API" {
  start_stack "$root/deploy/dev/run.sh"
  kill -KILL "$(pid_of api/)"
  await_end
  grep -q '^make run: the API ended (status 137), stopping the rest' "$STACK_DIR/out"
}

@test "when the proxy dies the rest is stopped, and the message names the proxy" {
  start_stack "$root/deploy/dev/run.sh"
  kill -KILL "$(pid_of proxy/)"
  await_end
  grep -q '^make run: the proxy ended (status 137), stopping the rest' "$STACK_DIR/out"
}

@test "after kill -9 of all processes the next run works and has the data" {
  start_stack "$root/deploy/dev/run.sh"
  local postgres
  postgres=$("$root/deploy/dev/postgres.sh" pid "$SPILLWAY_RUN_DIR/postgres")
  kill -KILL "$(<"$STACK_DIR/pid")" "$(pid_of api/)" "$(pid_of proxy/)" "$postgres"
  await_end
  start_stack "$root/deploy/dev/run.sh"
  [[ $(sql 'SELECT answer FROM kept') == 42 ]]
}

@test "when only the script is killed, the programs end by themselves and the next run takes PostgreSQL over" {
  start_stack "$root/deploy/dev/run.sh"
  local api
  api=$(pid_of api/)
  kill -KILL "$(<"$STACK_DIR/pid")"
  for ((i = 0; i < 100; i++)); do
    [[ -d /proc/$api || $(pid_of proxy/) ]] || break
    sleep 0.1
  done
  start_stack "$root/deploy/dev/run.sh"
}

@test "a PostgreSQL that was stopped is reported and may come back" {
  start_stack "$root/deploy/dev/run.sh"
  "$root/deploy/dev/postgres.sh" stop "$SPILLWAY_RUN_DIR/postgres"
  for ((i = 0; i < 50; i++)); do
    ! grep -q '^make run: PostgreSQL ended' "$STACK_DIR/out" || break
    sleep 0.1
  done
  grep -q '^make run: PostgreSQL ended' "$STACK_DIR/out"
  "$root/deploy/dev/postgres.sh" start "$SPILLWAY_RUN_DIR/postgres"
  run -0 curl -fsS --retry 20 --retry-delay 1 --retry-all-errors "$URL/api/v1/auth/login" -d username=admin -d password=admin123
}

@test "a broken configuration starts nothing and shows every error" {
  printf 'listen: nowhere\nworkers: many\n' >"$STACK_DIR/broken.yaml"
  SPILLWAY_PROXY_CONFIG=$STACK_DIR/broken.yaml run --separate-stderr "$root/deploy/dev/run.sh" 3>&-
  [[ $status == 1 ]]
  [[ $stderr == *broken.yaml:1:*broken.yaml:2:* ]]
  [[ -z $(stack_processes) ]]
}

@test "a missing program or tool is reported in one line" {
  SPILLWAY_BIN_DIR=$STACK_DIR refuses "proxy/spillway is missing: run make build"
  mkdir "$STACK_DIR/tools"
  ln -s /usr/bin/* "$STACK_DIR/tools/"
  rm "$STACK_DIR/tools/jq"
  PATH=$STACK_DIR/tools refuses "jq is missing: run make deps"
}
