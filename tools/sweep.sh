#!/usr/bin/env bash
# Runs a sweep and makes its tables: expands FILE, runs every configuration that is not finished, and
# writes results/tables/NAME.{md,csv,svg}, NAME_small where the model is small. Start it again after
# any stop; it goes on.
#   tools/sweep.sh FILE [RANKS [ARGUMENTS OF btc_pipeline]]
# BTC_BIN, RUNS, TABLES: directories of the programs, of the runs and of the tables; default
# build/release/bin, runs and results/tables.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/steps.sh
file=${1:?a sweep file, e.g. configs/ablations/pareto.yaml}
ranks=${2:-2}
name=$(basename "$file" .yaml)
bin=${BTC_BIN:-build/release/bin}
sweep=${RUNS:-runs}/$name
allow_mpi_as_root
export OMPI_MCA_mpi_yield_when_idle=1

"$bin/btc" sweep "$file" --out "$sweep"
failed=()
for config in "$sweep"/[0-9]*.yaml; do
  echo "==> $config"
  rc=0
  mpirun -n "$ranks" --oversubscribe --bind-to none "$bin/btc_pipeline" --config "$config" "${@:3}" || rc=$?
  if [[ $rc == 85 ]]; then
    echo "==> stopped; the same command goes on from here" && exit 85
  elif [[ $rc != 0 ]]; then
    failed+=("$config (exit code $rc)")
  fi
done
"$bin/btc" tables "$sweep" --out "${TABLES:-results/tables}/$name" --shapes configs/shapes/LLaMA-2-7B
if ((${#failed[@]})); then
  printf '==> failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
