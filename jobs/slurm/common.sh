# shellcheck shell=bash
# The life of one job, shared by the scripts beside this file; sourced from a batch script.
#
#   BTC_CONFIG        configuration; the script's own by default. Another one, e.g. of a small
#                     model, makes the same script run it.
#   BTC_RUN_DIR       run directory instead of the configuration's `run.dir`
#   BTC_BIN           folder of btc_pipeline; default build/release/bin
#   BTC_SITE_ENV      file to source first: modules, scratch folders, network settings. The only
#                     place for what differs from site to site.
#   BTC_LAUNCH        mpirun (default) or srun;  BTC_LAUNCH_ARGS: instead of the binding chosen here
#   BTC_MAX_RESTARTS  failed tries in a row before the job gives up; default 5
#
# Exit code of the program  0 finished | 85 stopped between units | 2 the user must act | else failed.
# The job is requeued after 85 without limit, after a failure BTC_MAX_RESTARTS times in a row, never
# after 0 or 2, and never while the stop file exists. The program resumes from its run directory.
set -uo pipefail

btc_cores() { lscpu --parse=CORE,SOCKET | grep -v '^#' | sort -u | wc -l; }

# `run.dir` of a configuration, in block or flow style: no other key is called `dir`.
btc_run_dir_of() {
  sed -nE 's/^([^#]*[{, ])?dir:[[:space:]]*["'\'']?([^]"'\'',}#[:space:]]+).*/\2/p' "$1" | head -n 1
}

# Fills the array `launch` for the allocation of this job.
btc_choose_launch() {
  local threads=${SLURM_CPUS_PER_TASK:-1} per_node=${SLURM_NTASKS_PER_NODE:-1} fits=1
  local tasks=${SLURM_NTASKS:-$((per_node * SLURM_JOB_NUM_NODES))}
  if ((threads * per_node > $(btc_cores))); then
    fits=0
    echo "job: $per_node tasks of $threads threads on $(btc_cores) cores: no binding, ranks yield"
    export OMPI_MCA_mpi_yield_when_idle=1
  fi
  case ${BTC_LAUNCH:-mpirun} in
    mpirun)
      # A lost node is noticed after 30 s instead of never.
      export OMPI_MCA_oob_tcp_keepalive_time=15 OMPI_MCA_oob_tcp_keepalive_intvl=5
      export OMPI_MCA_oob_tcp_keepalive_probes=3
      launch=(mpirun -n "$tasks" --map-by "slot:PE=$threads" --bind-to core)
      ((fits)) || launch=(mpirun -n "$tasks" --bind-to none)
      ;;
    srun)
      # Without --kill-on-bad-exit the ranks that are left wait for a dead one for ever. A task
      # count of its own step is burnt first: after a node crash the socket of step 0 may be stale.
      srun true || return
      launch=(srun --kill-on-bad-exit=1 --mpi=pmix -n "$tasks" "--cpus-per-task=$threads")
      ((fits)) && launch+=(--cpu-bind=cores)
      ;;
    *)
      echo "job: BTC_LAUNCH is '$BTC_LAUNCH', expected mpirun or srun" >&2
      return 2
      ;;
  esac
  if [[ -n ${BTC_LAUNCH_ARGS:-} ]]; then
    local -a words
    read -ra words <<<"$BTC_LAUNCH_ARGS"
    launch=("${BTC_LAUNCH:-mpirun}" "${words[@]}")
  fi
}

# What a reader of the run directory wants to know about the job that made it.
btc_keep_record() {
  mkdir -p "$run_dir/job"
  cp "$0" "$run_dir/job/script.sh"
  env | grep -E '^(SLURM|OMPI|HDF5|OMP|MKL|BTC)_' | sort >"$run_dir/job/environment.txt"
  if command -v module >/dev/null; then module list >"$run_dir/job/modules.txt" 2>&1; fi
}

# Runs COMMAND and returns its exit code. USR1 (the time limit comes near) and TERM (preemption) both
# become USR1 for the launcher, which hands it to every rank; TERM would make srun kill them.
btc_supervise() {
  local pid rc interrupted
  "$@" &
  pid=$!
  trap 'interrupted=1; kill -USR1 "$pid" 2>/dev/null' USR1 TERM
  while :; do
    interrupted=0
    wait "$pid"
    rc=$?
    ((interrupted)) || break  # else `wait` came back for the trap, not for the program
  done
  trap - USR1 TERM
  return "$rc"
}

# Counts failures in a row and says whether exit code $1 calls for another try.
btc_wants_retry() {
  local rc=$1 counter=$run_dir/job/failures count=0
  case $rc in
    0 | 2 | 85) rm -f "$counter" ;;
    *)
      [[ -r $counter ]] && count=$(<"$counter")
      count=$((count + 1))
      echo "$count" >"$counter"
      ;;
  esac
  if [[ $rc == 85 && -e $run_dir/STOP ]]; then
    echo "job: stopped by $run_dir/STOP; remove it and submit again to go on"
    return 1
  fi
  [[ $rc == 85 ]] || ((count > 0 && count <= ${BTC_MAX_RESTARTS:-5}))
}

# btc_job CONFIGURATION HOURS: runs the pipeline in this allocation; does not return.
btc_job() {
  # shellcheck disable=SC1090
  if [[ -n ${BTC_SITE_ENV:-} ]]; then source "$BTC_SITE_ENV" || exit 2; fi
  local config=${BTC_CONFIG:-$1} hours=$2 rc=0
  run_dir=${BTC_RUN_DIR:-$(btc_run_dir_of "$config")}
  if [[ -z $run_dir ]]; then
    echo "job: no run.dir in $config; set BTC_RUN_DIR" >&2
    exit 2
  fi
  export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}
  export HDF5_USE_FILE_LOCKING=${HDF5_USE_FILE_LOCKING:-FALSE}  # many file systems have no locks
  local -a launch
  btc_choose_launch || exit
  btc_keep_record || exit
  local -a command=("${launch[@]}" "${BTC_BIN:-build/release/bin}/btc_pipeline"
    --config "$config" --max-hours "$hours")
  [[ -z ${BTC_RUN_DIR:-} ]] || command+=(--set "run.dir='$run_dir'")
  echo "job $SLURM_JOB_ID, start $((${SLURM_RESTART_COUNT:-0} + 1)): ${command[*]}"
  btc_supervise "${command[@]}" || rc=$?
  echo "job $SLURM_JOB_ID: exit code $rc"
  if btc_wants_retry "$rc" && scontrol requeue "$SLURM_JOB_ID"; then
    sleep 120 &  # Slurm ends this script; an exit before that would count as the end of the job
    wait
  fi
  exit "$rc"
}
