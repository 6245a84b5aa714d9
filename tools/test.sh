#!/usr/bin/env bash
# Set-up, build and every test of the default run (benchmarks have a preset of their own).
#   tools/test.sh [ARGUMENTS OF ctest, e.g. -L unit or -R config]
# Ends with the summary of ctest; before it stand the tests that were skipped, and how many.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/steps.sh

step "set-up: packages and LibTorch" tools/setup.sh --tests --slurm
step "build of the dev preset" build dev
allow_mpi_as_root

log=build/dev/Testing/Temporary
mkdir -p "$log"
rc=0
# The summary is held back until the skipped tests are listed.
ctest --preset dev "$@" 2>&1 | tee "$log/run.txt" | sed -u '/% tests passed,/,$d' || rc=$?
# GoogleTest prints a skipped case with its time; a script test is skipped as a whole.
{
  sed -n 's/^\(\[rank [0-9]*\] \)\?\[  SKIPPED \] \([^ ]*\) (.*/\2/p' "$log/LastTest.log"
  sed -n 's/^ *[0-9]*\/[0-9]* Test *#[0-9]*: \([^ ]*\) .*\*\*\*Skipped.*/\1/p' "$log/run.txt"
} | sort -u >"$log/skipped.txt"
echo
echo "Skipped tests (a skip is not a pass): $(wc -l <"$log/skipped.txt")"
sed 's/^/  /' "$log/skipped.txt"
sed -n '/% tests passed,/,$p' "$log/run.txt"
exit "$rc"
