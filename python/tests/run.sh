#!/usr/bin/env bash
# The tests of python/btc_llm, with the first Python that has what they need: BTC_PYTHON alone where
# that is set, else python3, else the system's. NumPy and pytest suffice; what needs PyTorch or
# transformers is skipped where they are not.
#   python/tests/run.sh [FOLDER OF btc AND btc_pipeline [ARGUMENTS OF pytest]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if (($# > 0)); then
  BTC_BIN=$(realpath "$1")
  export BTC_BIN
  shift
fi
candidates=(python3 /usr/bin/python3)
[[ -z ${BTC_PYTHON:-} ]] || candidates=("$BTC_PYTHON")
for python in "${candidates[@]}"; do
  if "$python" -c 'import numpy, pytest' 2>/dev/null; then
    exec "$python" -B -m pytest -q -p no:cacheprovider -ra tests "$@"
  fi
done
echo "skipped: no Python with numpy and pytest (looked at ${candidates[*]}; BTC_PYTHON names one)"
exit 77
