#!/usr/bin/env bash
# Runs README's job array on a real Slurm: munged, slurmctld and slurmd of this user, on this machine, in a temporary
# folder. One task is requeued while it trains, one is killed and then requeued; tasks that are submitted again, not all
# of them, train the parts they had. The merged study must be the one that a single process trains.
# Usage: slurm.sh PROGRAM README; needs slurmctld, slurmd and munged (Debian: slurm-wlm).
set -euo pipefail
program=$(realpath "$1")
readme=$(realpath "$2")
PATH=$(dirname "$program"):$PATH:/usr/sbin:/sbin
work=$(mktemp -d)
pids=()
finish() {
  status=$?
  if ((status)); then
    tail -n 20 "$work"/*.log "$work"/slurm-*.out 2>/dev/null || true
  fi
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
cd "$work"

# Two ports that nothing listens on now.
port() { while :; do local p=$((20000 + RANDOM)); (: >"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo $p; return; }; done; }
user=$(id -un)
host=$(hostname -s)
mkdir state spool munge
chmod 700 munge
dd if=/dev/urandom of=munge/key bs=1024 count=1 status=none
chmod 600 munge/key
# Munge insists on a socket folder that others may enter.
chmod 755 "$work"
munged --foreground --force --key-file="$work/munge/key" --socket="$work/munge.socket" --pid-file="$work/munge/pid" \
  --log-file="$work/munge/log" --seed-file="$work/munge/seed" >munged.log 2>&1 &
pids+=($!)

cat >slurm.conf <<CONF
ClusterName=alrnn
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPort=$(port)
SlurmdPort=$(port)
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,batch_sched_delay=1
KillWait=5
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$work/slurm.conf
# Waits some minutes for a command to succeed: where much else runs, training takes most of them.
await() {
  for ((i = 0; i < 3000; i++)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "never came true: $*" >&2
  return 1
}
await test -S munge.socket
slurmctld -D >slurmctld.log 2>&1 &
pids+=($!)
slurmd -D -N "$host" >slurmd.log 2>&1 &
pids+=($!)
node_is_idle() { [[ $(sinfo -h -o %T) == idle ]]; }
await node_is_idle
echo "slurm $(sinfo --version | cut -d' ' -f2): one node, idle"

# README's script with a study that takes seconds.
study="--data $work/data.npy --backend cpu --threads 1 --M 6 --T 50 --tau 5 --P 0..3 --seeds 2 --bins 5 \
--epochs 200 --batches-per-epoch 20 --eval-every 5"
sed -n '/^#!\/bin\/sh$/,/^```$/p' "$readme" | sed -e '/^```$/d' -e "s|--data .* --out|$study --out|" >job.sh
grep -q -- "--eval-every 5 --out study/part-" job.sh || { echo "README has no job array script" >&2; exit 1; }
alrnn-gpu simulate lorenz63 --steps 1000 --out data.npy
job=$(sbatch --parsable job.sh)

# Task 2 is requeued by the administrator while it trains; task 3 is killed, fails, and is requeued.
await test -f study/part-2/checkpoint.bin
scontrol requeue "${job}_2"
await test -f study/part-3/checkpoint.bin
scancel --signal=KILL --full "${job}_3"
task_3_failed() { scontrol show job "${job}_3" | grep -qE 'JobState=(FAILED|CANCELLED)'; }
await task_3_failed
scontrol requeue "${job}_3"
for part in 2 3; do
  if grep -q '^finished' study/part-$part/config.toml; then
    echo "part $part was finished before it was struck" >&2
    exit 1
  fi
done
echo "job $job: task 2 requeued while it trained, task 3 killed and requeued"

nothing_queued() { [[ -z $(squeue -h) ]]; }
await nothing_queued
for part in 1 2 3 4; do
  grep -q "^finished" study/part-$part/config.toml || { echo "part $part did not finish" >&2; exit 1; }
done
for part in 2 3; do
  grep -q "^continuing after epoch" slurm-"$job"_$part.out || { echo "part $part began anew" >&2; exit 1; }
done

# The folders of parts 2 and 4 are lost; their tasks are submitted again, and that of part 3, which is there.
rm -r study/part-2 study/part-4
alrnn-gpu merge study/part-* --out study/some 2>merge.log && { echo "merge misses no part" >&2; exit 1; }
grep -q "part 2/4 is not among the runs" merge.log
grep -q "part 4/4 is not among the runs" merge.log
sbatch --array=2,4 job.sh
sbatch --array=3 job.sh
await nothing_queued
echo "the lost parts were trained again as what they are"
alrnn-gpu merge study/part-* --out study/all
# shellcheck disable=SC2086
alrnn-gpu train $study --out whole >whole.log 2>&1
for name in members.csv log.csv best last; do
  diff -r whole/$name study/all/$name
done
echo "the merged study is the single process's, byte for byte"
