#!/bin/sh
# A PBS Pro of this host for tests: called as qsub, qselect, qstat, qdel it speaks as those do; as `job` it is a job.
# Its state lies in the folder above that of its names. It has as many slots as `slots` says.
# `down`: no server answers. `lose`: the next submission is taken in, and its answer lost.
root=$(cd "$(dirname "$0")/.." && pwd)
name=$(basename "$0")
say() { printf '%s' "$2" >"$root/jobs/$1/.new" && mv "$root/jobs/$1/.new" "$root/jobs/$1/$3"; }
get() { cat "$root/jobs/$1/$2" 2>/dev/null; }

if [ "$name" != job ] && [ -e "$root/down" ]; then
  echo "Connection refused" >&2
  echo "$name: cannot connect to server pbs01 (errno=111)" >&2
  exit 111
fi

case $name in
qsub)
  id=$(flock "$root/jobs" sh -c 'n=$(($(cat "$0/next" 2>/dev/null || echo 0) + 1)); echo $n >"$0/next"; echo $n' "$root")
  mkdir "$root/jobs/$id"
  say "$id" "$(sed -n 's/^#PBS -N //p' "$1")" name
  say "$id" "$(sed -n 's/^#PBS -v MOLDFLOW_TOKEN=//p' "$1")" token
  say "$id" "$(LC_ALL=C date '+%a %b %e %H:%M:%S %Y')" ctime
  say "$id" Q state
  echo "$(get "$id" token)" >>"$root/submitted"
  setsid "$root/bin/job" "$id" "$1" >/dev/null 2>&1 </dev/null &
  if rm "$root/lose" 2>/dev/null; then
    echo "qsub: Communication failure." >&2
    exit 15
  fi
  echo "$id.pbs01"
  ;;
job)
  exec 9>"$root/slot$(($1 % $(cat "$root/slots")))"
  flock 9
  [ "$(get "$1" state)" = Q ] || exit 0
  echo "$(hostname)" >"$root/jobs/$1/nodes"
  env -i HOME="$HOME" PATH=/usr/bin:/bin PBS_JOBID="$1.pbs01" PBS_NODEFILE="$root/jobs/$1/nodes" \
    setsid sh -c 'echo $$ >"$0/pid"; exec bash "$1"' "$root/jobs/$1" "$2" 9>&- &
  say "$1" R state
  wait $!
  status=$?
  [ $status -le 128 ] || status=$((status + 128))
  say "$1" E state
  say "$1" $status exit
  [ -e "$root/jobs/$1/substate" ] || say "$1" 92 substate
  say "$1" F state
  ;;
qselect)
  [ "$1 $2" = "-x -N" ] || exit 2
  for dir in "$root"/jobs/*/; do
    id=$(basename "$dir")
    [ "$(get "$id" name)" != "$3" ] || echo "$id.pbs01"
  done
  ;;
qstat)
  [ "$1 $2 $3 $4" = "-x -f -F json" ] || exit 2
  shift 4
  code=0
  jobs=
  for id; do
    id=${id%.pbs01}
    if [ ! -e "$root/jobs/$id/state" ]; then
      echo "qstat: Unknown Job Id $id.pbs01" >&2
      code=153
      continue
    fi
    state=$(get "$id" state)
    more=
    [ "$state" != F ] || [ ! -e "$root/jobs/$id/exit" ] || more="\"Exit_status\":$(get "$id" exit),"
    jobs="$jobs${jobs:+,}
        \"$id.pbs01\":{
            \"Job_Name\":\"$(get "$id" name)\",
            \"job_state\":\"$state\",
            \"substate\":$(get "$id" substate || echo 10),
            $more
            \"ctime\":\"$(get "$id" ctime)\",
            \"Variable_List\":{\"MOLDFLOW_TOKEN\":\"$(get "$id" token)\",\"PBS_O_QUEUE\":\"workq\",\"PBS_NCPUS\":1},
            \"Resource_List\":{\"ncpus\":1,\"walltime\":\"00:05:00\"}
        }"
  done
  printf '{\n    "timestamp":1664911414,\n    "pbs_version":"2022.1.5",\n    "pbs_server":"pbs01"'
  [ -z "$jobs" ] || printf ',\n    "Jobs":{%s\n    }' "$jobs"
  printf '\n}\n'
  exit $code
  ;;
qdel)
  code=0
  for id; do
    id=${id%.pbs01}
    case $(get "$id" state) in
    Q) say "$id" 91 substate && say "$id" F state ;;
    R) say "$id" 91 substate && kill -TERM "-$(get "$id" pid)" ;;
    *)
      echo "qdel: Job has finished $id.pbs01" >&2
      code=35
      ;;
    esac
  done
  exit $code
  ;;
esac
