#!/usr/bin/env bash
# From a fresh Debian 12 or Ubuntu 24.04 to a packed model and its table of results.
# Run again it goes straight to the job, which does only what is not done yet.
#   tools/quickstart.sh [ARGUMENTS OF btc_pipeline, e.g. --set run.dir=runs/other]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/steps.sh

echo "On 2 cores the first run takes about 10 minutes, most of them to compile; later ones 2 at most."
step "set-up: packages and LibTorch" tools/setup.sh
step "build of the release preset" build release
allow_mpi_as_root
# Two ranks whatever the machine; not bound, so that they do not fight for one core.
export OMPI_MCA_mpi_yield_when_idle=1
job=(mpirun -n 2 --oversubscribe --bind-to none
  build/release/bin/btc_pipeline --config configs/quickstart.yaml "$@")
echo "==> job: ${job[*]}"
"${job[@]}"
