#!/usr/bin/env bash
# Installs into an empty folder and runs the programs from there; LibTorch must be the installed one.
#   install_test.sh CMAKE BUILD_DIR
set -euo pipefail
cmake=$1 build=$2
prefix=$(mktemp -d "$build/install-XXXXXX")
trap 'rm -rf "$prefix"' EXIT
"$cmake" --install "$build" --prefix "$prefix" >/dev/null
for program in btc_pipeline btc; do
  libraries=$(ldd "$prefix/bin/$program")
  if grep -q 'not found' <<<"$libraries"; then
    echo "$program: a library is not found:" && grep 'not found' <<<"$libraries"
    exit 1
  fi
  torch=$(awk '/libtorch_cpu.so/ {print $3}' <<<"$libraries")
  # The library comes from the prefix, not from the place it was built with.
  if [[ -n $torch && $(realpath "$torch") != "$(realpath "$prefix")"/lib/btc/* ]]; then
    echo "$program loads $torch" && exit 1
  fi
  "$prefix/bin/$program" --help >/dev/null
done
# Presets are found by name without the source tree.
(cd / && "$prefix/bin/btc_pipeline" --config /dev/null --set run.dir=x --set model.path=x --set preset=no_such --plan 2>&1 || true) |
  grep -q 'expected the path of a file or one of .*stored_2.4'
echo "installed programs run; size $(du -sm "$prefix" | cut -f1) MB"
