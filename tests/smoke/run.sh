#!/usr/bin/env bash
# The smoke tests against a stack that is started for them on free ports.
set -euo pipefail

cd "$(dirname "$0")"
# shellcheck source=tests/smoke/stack.bash
source stack.bash
prepare_stack
trap remove_stack EXIT
start_stack "$root/deploy/dev/run.sh"
bats stack.bats
