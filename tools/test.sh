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

# Skipped cases of a ctest log as `test: case: reason`; colours come from mpiexec's terminal.
list_skipped() {
  sed -e 's/\x1b\[[0-9;]*[a-zA-Z]//g' -e 's/\r$//' "$1" | awk '
    /^[0-9]+\/[0-9]+ Test: / { test = $3 }
    /: Skipped$/ { getline reason }
    /^\[  SKIPPED \] .* \([0-9]+ ms\)$/ { print test ": " $4 ": " reason }
    /^skipped: / { print test ": " substr($0, 10) }' | sort -u
}

# run_tests PRESET [ARGUMENTS OF ctest]: the summary is held back until the skipped tests are listed.
run_tests() {
  local preset=$1 log=build/$1/Testing/Temporary rc=0
  shift
  mkdir -p "$log"
  ctest --preset "$preset" -j "$(nproc)" "$@" 2>&1 | tee "$log/run.txt" |
    sed -u '/% tests passed,/,$d' || rc=$?
  list_skipped "$log/LastTest.log" >"$log/skipped.txt"
  echo "Skipped tests (a skip is not a pass): $(wc -l <"$log/skipped.txt"), listed in $log/skipped.txt"
  sed -E 's/^([^:]*): [^ ]+: /\1: /' "$log/skipped.txt" | sort | uniq -c
  echo
  sed -n '/% tests passed,/,$p' "$log/run.txt"
  return "$rc"
}

rc=0
# The device's code compiles and links wherever the compiler is; its tests skip without a device.
if command -v nvcc >/dev/null || [[ -x /usr/local/cuda/bin/nvcc ]]; then
  step "build of the cuda-dev preset" build cuda-dev gpu-tests btc_pipeline btc
  run_tests cuda-dev || rc=$?
else
  echo "==> no nvcc on this machine: the CUDA backend is not built"
fi
run_tests dev "$@" || rc=$?
exit "$rc"
