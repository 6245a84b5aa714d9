#!/usr/bin/env bash
# The logits that transformers computes from a dense export, and from the packed model itself by
# python/btc_llm, against those of our forward pass. Nothing but Python packages is fetched.
#   tests/parity/logits/run.sh [FOLDER OF btc [packed_logits [MODEL...]]]
# Defaults: those of the dev build. The first run makes build/parity-venv (5 GB); BTC_PARITY_PYTHON
# names a Python that has the packages of tests/parity/requirements.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
bin=${1:-build/dev/bin}
packed_logits=${2:-$bin/packed_logits}
python=${BTC_PARITY_PYTHON:-build/parity-venv/bin/python}
if [[ ! -x $python ]]; then
  [[ -z ${BTC_PARITY_PYTHON:-} ]] || { echo "BTC_PARITY_PYTHON: no program $python" >&2; exit 2; }
  python3 -m venv build/parity-venv
  "$python" -m pip install --quiet --no-compile -r tests/parity/requirements.txt
fi
BTC_BIN=$bin PYTHONPATH=python:python/tests exec "$python" -B tests/parity/logits/compare_logits.py \
  "$packed_logits" "${@:3}"
