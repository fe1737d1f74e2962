#!/usr/bin/env bash
# Usage: run.sh [SECONDS] [TARGET…]: replays the stored inputs of each fuzz target, then tries fresh ones for SECONDS
# (default 60, 0 to replay only). What is found is kept under build/fuzz/, findings first of all in findings/.
set -euo pipefail

duration=${1:-60}
shift $(($# > 0 ? 1 : 0))
cd "$(dirname "$0")/../.."
readonly build=build/fuzz corpus=tests/fuzz/corpus

cmake --preset fuzz --log-level=WARNING >/dev/null
cmake --build --preset fuzz

if (($# == 0)); then
  for folder in "$corpus"/*/; do
    set -- "$@" "$(basename "$folder")"
  done
fi

mkdir -p "$build/findings"
for target; do
  program=$build/tests/fuzz/fuzz_$target
  grown=$build/corpus/$target
  mkdir -p "$grown"
  echo "$target: $(find "$corpus/$target" -type f | wc -l) stored inputs"
  if ! "$program" -runs=0 -artifact_prefix="$build/findings/$target-" "$corpus/$target" >"$build/$target.log" 2>&1; then
    cat "$build/$target.log" >&2
    exit 1
  fi
  ((duration > 0)) || continue
  "$program" -max_total_time="$duration" -max_len=4096 -dict=tests/fuzz/http.dict -timeout=60 -report_slow_units=60 -verbosity=0 \
    -print_final_stats=1 -artifact_prefix="$build/findings/$target-" "$grown" "$corpus/$target" 2>&1 |
    tee "$build/$target.log" | grep -E '^stat::(number_of_executed_units|new_units_added)|ERROR|SUMMARY|does not hold' || true
  # The pipe hides the fuzzer's own exit status, but a finding always leaves a file.
done

findings=$(find "$build/findings" -type f)
if [ -n "$findings" ]; then
  echo "findings:" >&2
  echo "$findings" >&2
  exit 1
fi
echo "fuzz: no findings"
