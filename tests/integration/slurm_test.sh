#!/usr/bin/env bash
# A production job script under a real Slurm: it is sent USR1 (exit code 85, requeued), one of its
# ranks is killed (failure, requeued), and it finishes with the bytes of an undisturbed run.
#   slurm_test.sh SOURCE_DIR BIN_DIR
# Exit code 77 with a reason where Slurm is not installed or cannot run.
set -euo pipefail
source_dir=$1 bin=$2
for program in slurmctld slurmd munged sbatch; do
  if ! command -v "$program" >/dev/null && [[ ! -x /usr/sbin/$program ]]; then
    echo "skipped: $program is not installed (packages slurm-wlm and munge)"
    exit 77
  fi
done
PATH=$PATH:/usr/sbin

work=$(mktemp -d "${TMPDIR:-/tmp}/btc-slurm-XXXXXX")
chmod 755 "$work"  # munged insists that everybody may reach its socket
export MINISLURM_DIR=$work/slurm
minislurm=$source_dir/tests/support/minislurm.sh
finish() {
  local rc=$?
  if [[ $rc != 0 && $rc != 77 ]]; then
    tail -n 40 "$work"/*.log "$MINISLURM_DIR"/log/*.log 2>/dev/null || true
  fi
  timeout -k 5 30 "$minislurm" stop >/dev/null 2>&1 || true
  rm -rf "$work"
  exit "$rc"
}
trap finish EXIT
if ! "$minislurm" start --nodes 2 --cpus 64 --mem 64000 >"$work/start.log" 2>&1; then
  echo "skipped: Slurm does not start on this machine: $(head -n 1 "$work/start.log")"
  exit 77
fi
eval "$("$minislurm" env)"

cat >"$work/small.yaml" <<CONFIG
run: {dir: $work/run, seed: 3}
model: {path: $source_dir/examples/wiki-llama-7m}
calibration: {source: self, samples: 8, window: 64}
binarize: {iterations: 4, split_points: 1}
codebook: {vector_length: 16, target_bits: 0.8, scope: model}
CONFIG

say() { echo "$SECONDS s: $*"; }
field() { timeout 10 scontrol show job "$job" | grep -oE "\b$1=[^ ]+" | head -n 1 | cut -d= -f2; }
records() { find "$work/run/state" -name '*.json' 2>/dev/null | wc -l; }
ranks() { pgrep -f "^[^ ]*/btc_pipeline .*$work/small.yaml" || true; }

# wait_for WHAT COMMAND...: until COMMAND succeeds; 100 s at most, and not after the job's end.
wait_for() {
  local what=$1 limit=$((SECONDS + 100))
  shift
  until "$@"; do
    if ((SECONDS > limit)) || job_is_over; then
      "$@" && break
      echo "FAILED: this did not happen: $what" >&2
      exit 1
    fi
    sleep 0.1
  done
  say "$what"
}
has_more_records_than() { (($(records) > $1)); }
log_says() { grep -q "$1" "$work/job.log" 2>/dev/null; }
job_is_over() { [[ $(field JobState) =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)$ ]]; }

# One variable makes the script of LLaMA-2-7B run the small model: 2 nodes, 8 ranks.
cd "$source_dir"
job=$(BTC_CONFIG=$work/small.yaml BTC_BIN=$bin BTC_MAX_RESTARTS=2 \
  sbatch --parsable --output="$work/job.log" jobs/slurm/llama2_7b_0.8bit.sh)
wait_for "first unit finished" has_more_records_than 0
timeout 10 scancel --batch --signal=USR1 "$job"
wait_for "stopped between units" log_says '^job [0-9]*: exit code 85$'
done_before=$(records)
wait_for "second start goes on" has_more_records_than "$done_before"
mapfile -t pids < <(ranks)
kill -9 "${pids[-1]}"
wait_for "failed for a killed rank" log_says '^job [0-9]*: exit code 1[0-9]*$'
wait_for "finished" job_is_over
[[ $(field JobState) == COMPLETED && $(field Restarts) == 2 ]] ||
  { echo "FAILED: $(field JobState) after $(field Restarts) restarts" >&2 && exit 1; }

mpirun -n 1 "$bin/btc_pipeline" --config "$work/small.yaml" --set "run.dir=$work/undisturbed" \
  >"$work/undisturbed.log" 2>&1
say "undisturbed run with one rank"
(cd "$work/undisturbed/model" && sha256sum -- *) >"$work/expected.sha256"
(cd "$work/run/model" && sha256sum --check --quiet "$work/expected.sha256")
[[ $(find "$work/run/model" -type f | wc -l) == $(wc -l <"$work/expected.sha256") ]]
say "same bytes in $(wc -l <"$work/expected.sha256") files"
