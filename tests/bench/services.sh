# shellcheck shell=bash disable=SC2154 # what they define
# Sourced by the benchmarks that start services. They define `fail`, $dir with the service's log, and kStartSeconds.

# shellcheck source=tests/find_port.bash
. tests/find_port.bash

# await_answer URL [CURL OPTION]
await_answer() {
  local i
  for ((i = 0; i < kStartSeconds * 10; i++)); do
    curl -s "${@:2}" -o /dev/null -m 1 "$1" && return
    sleep 0.1
  done
  fail "no answer at $1: $(tail -n 1 "$dir/log")"
}
