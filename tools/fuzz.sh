#!/usr/bin/env bash
# Fuzzes every reader of foreign files under AddressSanitizer and UBSan.
#   tools/fuzz.sh [SECONDS [NAME...]]      default: 15 seconds each, all of tests/fuzz
# What is found goes to build/fuzz/findings; inputs that reach new code to build/fuzz/corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/steps.sh
seconds=${1:-15}
names=("${@:2}")
if ((${#names[@]} == 0)); then
  mapfile -t names < <(basename -s .cpp tests/fuzz/*_fuzz.cpp)
fi

step "set-up" tools/setup.sh --checks
step "build of the fuzz targets" build fuzz fuzzers
mkdir -p build/fuzz/findings
failed=()
for name in "${names[@]}"; do
  mkdir -p "build/fuzz/corpus/$name"
  step "$name, $seconds s" "build/fuzz/bin/$name" -max_total_time="$seconds" -timeout=10 \
    -max_len=65536 -dict=tests/fuzz/tokens.dict -rss_limit_mb=3000 -verbosity=0 -print_final_stats=1 -artifact_prefix="build/fuzz/findings/$name-" \
    "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" || failed+=("$name")
done
((${#failed[@]} == 0)) || { echo "findings in build/fuzz/findings: ${failed[*]}" >&2; exit 1; }
