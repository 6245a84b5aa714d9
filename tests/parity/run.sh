#!/usr/bin/env bash
# Live parity: the same small model on the same local task files, scored by lm-evaluation-harness
# with transformers and by `btc evaluate`; every request is compared. Nothing but Python packages is
# fetched.
#   tests/parity/run.sh [--bin DIR] [--model DIR] [--tasks LIST] [--limit N] [--bos LIST] [--threads N]
#   tests/parity/run.sh --record    makes tests/golden/parity/wiki-llama-7m.json anew
# Defaults: build/dev/bin, examples/wiki-llama-7m, all tasks, the first 100 documents of each (0: all),
# all cores, and for BOS in front of each text "false auto": as in papers, and as the tokenizer says.
# Then a few documents of two made models, whose tokenizers are of other families.
# The first run makes build/parity-venv (5 GB); BTC_PARITY_PYTHON names a Python that has the packages
# of requirements.txt. What was compared stays in build/parity.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=tests/parity
bin=build/dev/bin
model=examples/wiki-llama-7m
tasks=all
limit=100
threads=$(nproc)
bos="false auto"
record=0
data=../shared/data
work=build/parity
while (($# > 0)); do
  case $1 in
    --bin) bin=$2; shift 2 ;;
    --model) model=$2; shift 2 ;;
    --tasks) tasks=$2; shift 2 ;;
    --limit) limit=$2; shift 2 ;;
    --bos) bos=$2; shift 2 ;;
    --threads) threads=$2; shift 2 ;;
    --record) record=1; shift ;;
    *) sed -n '2,/^set/{s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
done
if [[ ! -d $data/zeroshot ]]; then
  echo "skipped: $data/zeroshot is not there"
  exit 77
fi

python=${BTC_PARITY_PYTHON:-build/parity-venv/bin/python}
if [[ ! -x $python ]]; then
  [[ -z ${BTC_PARITY_PYTHON:-} ]] || { echo "BTC_PARITY_PYTHON: no program $python" >&2; exit 2; }
  python3 -m venv build/parity-venv
  "$python" -m pip install --quiet --no-compile -r $here/requirements.txt
fi
mkdir -p "$work"

# harness MODEL NAME [ARGUMENTS]: scores of the harness in $work/NAME.jsonl
harness() {
  local model=$1 name=$2
  shift 2
  "$python" $here/harness_scores.py --model "$model" --data "$data" --tasks "$tasks" \
    --work "$work" --threads "$threads" --out "$work/$name.jsonl" "$@" 2>"$work/$name.log" ||
    { tail -n 20 "$work/$name.log" >&2; return 1; }
}

rc=0
# compare MODEL NAME LIMIT BOS...
compare() {
  local model=$1 name=$2 limit=$3 add_bos options
  shift 3
  for add_bos in "$@"; do
    options=(--bos "$add_bos")
    ((limit == 0)) || options+=(--limit "$limit")
    echo "== $model, BOS in front of each text: $add_bos"
    harness "$model" "$name-harness-$add_bos" "${options[@]}"
    "$bin/btc" evaluate --model "$model" --tasks "$list" --data "$work/data" --add-bos "$add_bos" \
      --limit "$limit" --threads "$threads" --samples "$work/$name-ours-$add_bos.jsonl" \
      --json "$work/$name-ours-$add_bos.results.json" >"$work/$name-ours-$add_bos.log"
    "$python" $here/compare.py "$work/$name-harness-$add_bos.jsonl" \
      "$work/$name-ours-$add_bos.jsonl" || rc=1
  done
}

if [[ $record == 1 ]]; then
  harness "$model" record-false --spread 50 --bos false
  harness "$model" record-auto --spread 20 --bos auto
  "$python" $here/make_golden.py --model "$model" --out tests/golden/parity/wiki-llama-7m.json \
    "$work/record-false.jsonl" "$work/record-auto.jsonl"
  exit
fi

# One folder with the files of all tasks.
mkdir -p "$work/data"
ln -sfn "$PWD/$data"/zeroshot/*.jsonl "$PWD/$data/wikitext2/wiki.test.raw" "$work/data"

list=$("$python" $here/local_tasks.py "$tasks")
read -r -a conventions <<<"$bos"
compare "$model" model "$limit" "${conventions[@]}"
for tokenizer in gpt2_like llama3_like; do
  "$python" $here/make_model.py "$tokenizer" "$work/$tokenizer" 2>"$work/$tokenizer.log"
  compare "$work/$tokenizer" "$tokenizer" "$((limit == 0 || limit > 5 ? 5 : limit))" auto true false
done
exit "$rc"
