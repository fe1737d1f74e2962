#!/usr/bin/env bash
# Usage: run.sh [SECONDS] [TARGET…]: replays the stored inputs of each fuzz target, then tries fresh ones for SECONDS
# (default 60, 0 to replay only), as many targets at a time as there are processors. What is found is kept under
# build/fuzz/: inputs that reach new code in corpus/, findings in findings/.
set -euo pipefail

duration=${1:-60}
shift $(($# > 0 ? 1 : 0))
cd "$(dirname "$0")/../.."
readonly build=build/fuzz stored=tests/fuzz/corpus
export duration build stored

cmake --preset fuzz --log-level=WARNING >/dev/null
cmake --build --preset fuzz

if (($# == 0)); then
  for folder in "$stored"/*/; do
    set -- "$@" "$(basename "$folder")"
  done
fi

# Replays and fuzzes one target; its output in one piece, since others run beside it.
run() {
  local target=$1 program=$build/tests/fuzz/fuzz_$1 log=$build/$1.log
  local dictionary=tests/fuzz/$target.dict
  [[ -e $dictionary ]] || dictionary=tests/fuzz/http.dict
  mkdir -p "$build/corpus/$target"
  local -a options=(-artifact_prefix="$build/findings/$target-" -timeout=60 -verbosity=0)
  if ! "$program" "${options[@]}" -runs=0 "$stored/$target" >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
  local report
  report="$target: $(find "$stored/$target" -type f | wc -l) stored inputs"
  if ((duration > 0)); then
    if ! "$program" "${options[@]}" -max_total_time="$duration" -max_len=4096 -dict="$dictionary" \
      -report_slow_units=60 -print_final_stats=1 "$build/corpus/$target" "$stored/$target" >"$log" 2>&1; then
      cat "$log" >&2
      return 1
    fi
    report+=", $(awk '/number_of_executed_units/ { print $2 }' "$log") fresh ones in $duration s"
  fi
  echo "$report"
}
export -f run

mkdir -p "$build/findings"
status=0
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -euo pipefail -c 'run {}' || status=1

findings=$(find "$build/findings" -type f)
if [[ $findings ]]; then
  printf 'findings, perhaps of an earlier run:\n%s\n' "$findings" >&2
  exit 1
fi
((status == 0)) || exit 1
echo "fuzz: no findings"
