#!/usr/bin/env bash
# A real Slurm (munged, slurmctld and several slurmd) on one machine: no systemd, no cgroups, no
# change in /etc except the hosts files of --netns, which `stop` removes.
#
#   minislurm.sh start [--nodes N] [--cpus C] [--mem MB] [--gpus G] [--netns] [--extra FILE]
#   minislurm.sh stop                     ends daemons, jobs, namespaces; the folder with logs stays
#   eval "$(minislurm.sh env)"            exports SLURM_CONF and what Open MPI needs
#   minislurm.sh node-kill n2             crash: kills slurmd of a node and all that runs under it
#   minislurm.sh node-start n2            boots it again
#   minislurm.sh node-exec n2 COMMAND     runs inside a node          (--netns only)
#   minislurm.sh node-down|node-up n2     cuts and restores its link  (--netns only)
#
# Every command takes --dir DIR (default $MINISLURM_DIR, else /tmp/minislurm). Nodes may claim more
# CPUs, memory and GPUs than the machine has, so that production scripts run unmodified. Ports,
# bridge and addresses are fixed: one instance per machine.
# Needs the packages slurm-wlm munge iproute2 procps; --netns and --gpus need root.
set -euo pipefail

readonly kBridge=mslbr kNetwork=10.77.0 kControlPort=16817 kNodePort=16818 kLocalPortBase=17000
command=${1:?start, stop, env, node-kill, node-start, node-exec, node-down or node-up}
shift
dir=${MINISLURM_DIR:-/tmp/minislurm}
nodes=2 cpus=2 memory=4000 gpus=0 netns=0 extra=/dev/null
arguments=()
while (($# > 0)); do
  case $1 in
    --dir) dir=$2 && shift 2 ;;
    --nodes) nodes=$2 && shift 2 ;;
    --cpus) cpus=$2 && shift 2 ;;
    --mem) memory=$2 && shift 2 ;;
    --gpus) gpus=$2 && shift 2 ;;
    --netns) netns=1 && shift ;;
    --extra) extra=$2 && shift 2 ;;
    *) arguments+=("$1") && shift ;;
  esac
done
host=$(hostname -s)
export SLURM_CONF=$dir/slurm.conf

# ---- processes

# A zombie is not alive: nobody may reap the daemons where PID 1 is no init.
is_alive() {
  local state
  state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c 1) && [[ -n $state && $state != Z ]]
}

end_daemon() { # PID_FILE: TERM, then KILL after 10 s
  [[ -s $1 ]] || return 0
  local pid try
  pid=$(<"$1")
  kill "$pid" 2>/dev/null || true
  for ((try = 0; try < 100; try++)); do
    is_alive "$pid" || break
    sleep 0.1
  done
  if is_alive "$pid"; then kill -9 "$pid" 2>/dev/null || true; fi
  rm -f "$1"
}

descendants() {
  local child
  for child in $(pgrep -P "$1"); do
    descendants "$child"
    echo "$child"
  done
}

kill_trees() {
  local root pid
  for root in "$@"; do
    for pid in $(descendants "$root") "$root"; do kill -9 "$pid" 2>/dev/null || true; done
  done
}

# Step daemons of one node, or of all of ours: those that hold a log file of this folder open.
step_daemons() {
  local pid
  for pid in $(pgrep -x slurmstepd || true); do
    if find "/proc/$pid/fd" -lname "$dir/log/slurmd.${1:-}*" 2>/dev/null | grep -q .; then
      echo "$pid"
    fi
  done
}

# ---- nodes

namespace_of() { echo "msl-$1"; }

run_in_node() { # NODE COMMAND...
  local node=$1
  shift
  if [[ -e $dir/netns ]]; then
    # Own hostname and /dev/shm as on a machine of its own.
    # shellcheck disable=SC2016
    ip netns exec "$(namespace_of "$node")" unshare --uts --mount --propagation private -- \
      bash -c 'hostname "$0"; mount -t tmpfs -o mode=1777 shm /dev/shm; exec "$@"' "$node" "$@"
  else
    "$@"
  fi
}

start_node() {
  mkdir -p "$dir/spool/$1" "$dir/tmp/$1"
  chmod 1777 "$dir/tmp/$1"
  run_in_node "$1" slurmd -N "$1"
}

make_namespaces() {
  local i name
  touch "$dir/netns"
  ip link add $kBridge type bridge
  ip addr add $kNetwork.1/24 dev $kBridge
  ip link set $kBridge up
  {
    echo "127.0.0.1 localhost"
    echo "$kNetwork.1 $host"
    for ((i = 1; i <= nodes; i++)); do echo "$kNetwork.$((10 + i)) n$i"; done
  } >"$dir/hosts"
  for ((i = 1; i <= nodes; i++)); do
    name=$(namespace_of "n$i")
    ip netns add "$name"
    ip link add "mslv$i" type veth peer name eth0 netns "$name"
    ip link set "mslv$i" master $kBridge up
    ip -n "$name" addr add "$kNetwork.$((10 + i))/24" dev eth0
    ip -n "$name" link set eth0 up
    ip -n "$name" link set lo up
    ip -n "$name" route add default via $kNetwork.1
    mkdir -p "/etc/netns/$name"
    cp "$dir/hosts" "/etc/netns/$name/hosts"
  done
}

remove_namespaces() {
  local name pid
  for name in $(ip netns list | awk '/^msl-/ {print $1}'); do
    for pid in $(ip netns pids "$name"); do kill -9 "$pid" 2>/dev/null || true; done
    # The link first: a namespace is torn down asynchronously.
    ip link del "mslv${name#msl-n}" 2>/dev/null || true
    ip netns del "$name"
    rm -rf "/etc/netns/$name"
  done
  ip link del $kBridge 2>/dev/null || true
}

# ---- configuration

write_fixed_settings() { # ADDRESS of the controller
  # cred_expire: a requeued job waits that long. config_overrides: nodes may claim what they like.
  # TmpFS per node: else the second node's `srun --mpi=pmix` finds the files of the first.
  cat <<SETTINGS
ClusterName=mini
SlurmctldHost=$host($1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$dir/munge/sock,cred_expire=5
SlurmctldPort=$kControlPort
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
TmpFS=$dir/tmp/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/log/jobcomp.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldParameters=preempt_send_user_signal
SchedulerParameters=sched_interval=1,sched_min_interval=100000,bf_interval=1,batch_sched_delay=0
SlurmctldTimeout=10
SlurmdTimeout=10
InactiveLimit=0
KillWait=5
MinJobAge=300
CompleteWait=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
DependencyParameters=kill_invalid_depend
SETTINGS
}

write_nodes() {
  local i claims="CPUs=$cpus RealMemory=$memory"
  if ((gpus)); then
    echo "GresTypes=gpu"
    claims+=" Gres=gpu:$gpus"
  fi
  for ((i = 1; i <= nodes; i++)); do
    if ((netns)); then
      echo "NodeName=n$i NodeAddr=$kNetwork.$((10 + i)) Port=$kNodePort $claims"
    else
      echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((kLocalPortBase + i)) $claims"
    fi
  done
  cat <<PARTITIONS
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=10
PartitionName=low  Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=5
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=20 PreemptMode=OFF
PARTITIONS
}

# Character devices, because slurmd refuses regular files as GPUs.
make_gpu_files() {
  local g
  for ((g = 0; g < gpus; g++)); do
    [[ -c $dir/nvidia$g ]] || mknod -m 666 "$dir/nvidia$g" c 1 3
    echo "Name=gpu File=$dir/nvidia$g"
  done >"$dir/gres.conf"
}

wait_until_idle() {
  local pid start=$SECONDS
  while ((SECONDS - start < 30)); do
    # slurmctld forks first and dies later over a mistake in its configuration.
    pid=$(cat "$dir/slurmctld.pid" 2>/dev/null || true)
    if [[ -n $pid ]] && ! is_alive "$pid"; then break; fi
    [[ $(timeout 3 sinfo -h -N -p main -o %T 2>/dev/null | grep -cx idle) == "$nodes" ]] && return 0
    sleep 0.1
  done
  echo "minislurm: slurmctld died, or the nodes are not idle after $((SECONDS - start)) s" >&2
  timeout 3 sinfo -N -l >&2 || true
  tail -n 20 "$dir"/log/*.log >&2
  return 1
}

start() {
  local i address=127.0.0.1
  mkdir -p "$dir"/{munge,state,spool,log,tmp}
  chmod 755 "$dir" "$dir/munge"
  rm -f "$dir/netns"
  if ((netns)); then
    address=$kNetwork.1
    make_namespaces
  fi
  [[ -s $dir/munge/key ]] || (umask 077 && head -c 128 /dev/urandom >"$dir/munge/key")
  munged --key-file="$dir/munge/key" --socket="$dir/munge/sock" --pid-file="$dir/munge/pid" \
    --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
  if ((gpus)); then make_gpu_files; fi
  { write_fixed_settings $address && write_nodes && cat "$extra"; } >"$SLURM_CONF"
  # Stops slurmd from looking for a cgroup mount, whose absence is fatal.
  echo "CgroupPlugin=cgroup/v1" >"$dir/cgroup.conf"
  slurmctld -i
  for ((i = 1; i <= nodes; i++)); do start_node "n$i"; done
  wait_until_idle
}

stop() {
  local file
  timeout 5 scancel --full -u "$(id -un)" 2>/dev/null || true
  sleep 0.5
  # shellcheck disable=SC2046
  kill_trees $(step_daemons)  # jobs that ignore TERM outlive slurmd
  for file in "$dir"/slurmd.*.pid "$dir/slurmctld.pid" "$dir/munge/pid"; do end_daemon "$file"; done
  if [[ -e $dir/netns ]]; then remove_namespaces; fi
}

print_environment() {
  echo "export SLURM_CONF=$SLURM_CONF"
  echo "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
  echo "export OMPI_MCA_mpi_yield_when_idle=1"
  # Several nodes of one hostname would take each other's shared-memory files for their own.
  [[ -e $dir/netns ]] || echo "export OMPI_MCA_btl=tcp,self OMPI_MCA_btl_tcp_if_include=lo"
}

kill_node() {
  local pid
  if [[ -e $dir/netns ]]; then
    for pid in $(ip netns pids "$(namespace_of "$1")"); do kill -9 "$pid" 2>/dev/null || true; done
  else
    # shellcheck disable=SC2046
    kill_trees "$(<"$dir/slurmd.$1.pid")" $(step_daemons "$1.log")
  fi
  rm -f "$dir/slurmd.$1.pid"
}

# Sockets and folders left by a crash make every requeue of the same job step fail.
boot_node() {
  rm -rf "$dir/tmp/$1" "$dir/spool/$1"/{pmix.*,stepd.*}
  start_node "$1"
}

restore_link() {
  local name
  name=$(namespace_of "$1")
  ip -n "$name" link set eth0 up
  ip -n "$name" route add default via $kNetwork.1 2>/dev/null || true
  # Registers at once; else slurmctld may leave the node down for minutes.
  kill -HUP "$(<"$dir/slurmd.$1.pid")" 2>/dev/null || true
}

case $command in
  start) start ;;
  stop) stop ;;
  env) print_environment ;;
  node-kill) kill_node "${arguments[0]}" ;;
  node-start) boot_node "${arguments[0]}" ;;
  node-exec) run_in_node "${arguments[@]}" ;;
  node-down) ip -n "$(namespace_of "${arguments[0]}")" link set eth0 down ;;
  node-up) restore_link "${arguments[0]}" ;;
  *) echo "minislurm: unknown command $command" >&2 && exit 2 ;;
esac
