#!/usr/bin/env bash
# Runs the tests that are too heavy for `make test`. Prints those not run, and counts.
#
#   run.sh [types|front|tls|dashboards|runbooks|images]...
set -uo pipefail

cd "$(dirname "$0")/../.." || exit
all=(types front tls dashboards runbooks images)
wanted=("$@")
((${#wanted[@]})) || wanted=("${all[@]}")
passed=0 failed=0 skipped=0

run() {
  case $1 in
    types) tests/deploy/types_test.py ;;
    front) tests/deploy/front_test.py ;;
    tls) tests/deploy/tls_scan.sh ;;
    dashboards) tests/with_postgres.sh tests/deploy/dashboards_test.py ;;
    runbooks) tests/with_postgres.sh tests/deploy/runbooks_test.py ;;
    images) tests/deploy/images.sh ;;
    *) echo "no such test: $1 (there are ${all[*]})" >&2 && return 2 ;;
  esac
}

for name in "${all[@]}"; do
  if [[ " ${wanted[*]} " != *" $name "* ]]; then
    echo "not run: $name was not asked for"
    ((++skipped))
  elif [[ $name == images && $EUID != 0 ]]; then
    echo "not run: images needs root for debootstrap"
    ((++skipped))
  elif run "$name"; then
    ((++passed))
  else
    echo "FAILED: $name"
    ((++failed))
  fi
done
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0 && passed > 0))
