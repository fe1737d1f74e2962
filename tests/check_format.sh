#!/usr/bin/env bash
# Fails when a source file is not as clang-format 14 writes it.
set -euo pipefail

cd "$(dirname "$0")/.."
find config proxy api tests -name '*.[ch]pp' -print0 | xargs -0 clang-format --dry-run --Werror
