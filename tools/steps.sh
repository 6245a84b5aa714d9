# shellcheck shell=bash
# Functions that the scripts share; sourced, never run. The caller has `set -euo pipefail`.

# step NAME COMMAND...: says what is done, does it, says how long it took.
step() {
  local name=$1 start=$SECONDS rc=0
  shift
  echo "==> $name"
  "$@" || rc=$?
  if [[ $rc != 0 ]]; then
    echo "==> $name: FAILED with exit code $rc after $((SECONDS - start)) s" >&2
    return "$rc"
  fi
  echo "==> $name: $((SECONDS - start)) s"
}

# Compile jobs: one per core, but not more than fit into memory (a file with LibTorch takes 1.2 GB).
build_jobs() {
  local cores memory_kb jobs
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  jobs=$((memory_kb / 1300000))
  ((jobs < cores)) || jobs=$cores
  echo $((jobs > 1 ? jobs : 1))
}

# build PRESET [TARGET...]: configures once and builds.
build() {
  local preset=$1
  shift
  # Presets with the same options share what ccache holds.
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  [[ -f build/$preset/build.ninja ]] || cmake --preset "$preset"
  cmake --build --preset "$preset" -j "$(build_jobs)" ${1:+--target "$@"}
}

# Open MPI refuses root unless told; in a container root is the normal user.
allow_mpi_as_root() {
  if [[ $(id -u) == 0 ]]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
}
