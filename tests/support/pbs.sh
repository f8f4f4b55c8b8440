#!/bin/bash
# An OpenPBS of this host for tests: called as qsub, qselect, qstat, qdel it prints what those of OpenPBS 23.06 print and
# ends with their exit statuses; as `job` it is a job. Messages, formats and codes are those of its source (src/cmds,
# src/lib/Liblog/pbs_messages.c: an error ends a command with the low byte of its number) and were seen from a server.
# Its state lies in the folder above that of its names. It has as many slots as `slots` says. Files there that change it:
# `history`: the server keeps a history (job_history_enable), which by default it does not.
# `down`: no server answers. `lose`: the next submission is taken in, and its answer lost.
# `limit`: jobs in state Q that a user may have. `forgetful`: qstat leaves out every second of the ids it is asked for.
root=$(cd "$(dirname "$0")/.." && pwd)
name=$(basename "$0")
say() { printf '%s' "$2" >"$root/jobs/$1/.new" && mv "$root/jobs/$1/.new" "$root/jobs/$1/$3"; }
get() { cat "$root/jobs/$1/$2" 2>/dev/null; }
is_finished() { [ "$(get "$1" state)" = F ]; }
echo "$name $*" >>"$root/asked"

if [ "$name" != job ] && [ -e "$root/down" ]; then
  echo "Connection refused" >&2
  echo "$name: cannot connect to server pbs01 (errno=111)" >&2
  exit 111
fi

# PBSE_JOBHISTNOTSET: said, and yet the command succeeds.
without_history() {
  echo "$name: PBS is not configured to maintain job history" >&2
  exit 0
}

case $name in
qsub)
  if [ -e "$root/limit" ]; then
    waiting=$(grep -lx Q "$root"/jobs/*/state 2>/dev/null | wc -l)
    if [ "$waiting" -ge "$(cat "$root/limit")" ]; then
      echo "qsub: would exceed queue workq's per-user limit of jobs in 'Q' state" >&2
      exit 188
    fi
  fi
  if grep -q '^#PBS -q no-such-queue' "$1"; then
    echo "qsub: Unknown queue" >&2
    exit 170
  fi
  id=$(flock "$root/jobs" sh -c 'n=$(($(cat "$0/next" 2>/dev/null || echo 0) + 1)); echo $n >"$0/next"; echo $n' "$root")
  mkdir "$root/jobs/$id"
  say "$id" "$(sed -n 's/^#PBS -N //p' "$1")" name
  say "$id" "$(sed -n 's/^#PBS -v MOLDFLOW_TOKEN=//p' "$1")" token
  say "$id" "$(LC_ALL=C date '+%a %b %e %H:%M:%S %Y')" ctime
  echo Q >"$root/jobs/$id/state"
  echo "$(get "$id" token)" >>"$root/submitted"
  # What lives now, of each token: two jobs of one token must never be seen.
  (cd "$root/jobs" && for job in */; do
    is_finished "${job%/}" || get "${job%/}" token
    echo
  done) | grep . | sort | uniq -d >>"$root/doubled"
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
  history=
  if [ "$1" = -x ]; then
    [ -e "$root/history" ] || without_history
    history=yes
    shift
  fi
  [ "$1" = -N ] || exit 2
  for dir in "$root"/jobs/*/; do
    id=$(basename "$dir")
    [ "$(get "$id" name)" = "$2" ] || continue
    [ -z "$history" ] && is_finished "$id" || echo "$id.pbs01"
  done
  exit 0
  ;;
qstat)
  if [ "$*" = "-Q" ]; then
    echo 'Queue              Max   Tot Ena Str   Que   Run   Hld   Wat   Trn   Ext Type'
    echo '---------------- ----- ----- --- --- ----- ----- ----- ----- ----- ----- ----'
    echo 'workq                0     0 yes yes     0     0     0     0     0     0 Exec'
    exit 0
  fi
  if [ "$*" = "-B -f" ]; then
    printf 'Server: pbs01\n    server_state = Active\n    server_host = pbs01\n    scheduling = True\n'
    # Printed once it was set.
    [ ! -e "$root/history" ] || printf '    job_history_enable = True\n'
    printf '    pbs_version = 23.06.06\n\n'
    exit 0
  fi
  history=
  if [ "$1" = -x ]; then
    history=yes
    shift
  fi
  case "$1 $2 $3" in
  "-f -F json" | "-f -F dsv") format=$3 && shift 3 ;;
  *) exit 2 ;;
  esac
  code=0
  first=yes
  count=0
  [ $format = dsv ] ||
    printf '{\n    "timestamp":1664911414,\n    "pbs_version":"23.06.06",\n    "pbs_server":"pbs01"'
  for id; do
    id=${id%.pbs01}
    count=$((count + 1))
    if [ -n "$history" ] && [ ! -e "$root/history" ]; then
      echo "qstat: PBS is not configured to maintain job history" >&2
      code=0
      continue
    fi
    [ ! -e "$root/forgetful" ] || [ $((count % 2)) = 1 ] || continue
    state=$(get "$id" state)
    if [ -z "$state" ] || [ "$state" = F ] && [ ! -e "$root/history" ]; then
      echo "qstat: Unknown Job Id $id.pbs01" >&2
      code=153
      continue
    fi
    if [ "$state" = F ] && [ -z "$history" ]; then
      echo "qstat: $id.pbs01 Job has finished, use -x or -H to obtain historical job information" >&2
      code=35
      continue
    fi
    substate=$(get "$id" substate || echo 10)
    ctime=$(get "$id" ctime)
    token=$(get "$id" token)
    exit=
    [ "$state" != F ] || exit=$(get "$id" exit)
    if [ $format = dsv ]; then
      printf 'Job Id: %s|Job_Name=%s|Job_Owner=root@pbs01|job_state=%s|queue=workq|server=pbs01|Checkpoint=u|ctime=%s' \
        "$id.pbs01" "$(get "$id" name)" "$state" "$ctime"
      printf '|Resource_List.ncpus=1|Resource_List.walltime=00:05:00|substate=%s' "$substate"
      printf '|Variable_List=PBS_O_HOME=/root,MOLDFLOW_TOKEN=%s,PBS_O_QUEUE=workq' "$token"
      [ -z "$exit" ] || printf '|Exit_status=%s' "$exit"
      printf '|project=_pbs_project_default\n'
    elif [ -n "$first" ]; then
      # Only the first of several: OpenPBS issue 2672.
      first=
      printf ',\n    "Jobs":{\n        "%s":{\n            "Job_Name":"%s",\n            "job_state":"%s",\n' \
        "$id.pbs01" "$(get "$id" name)" "$state"
      printf '            "substate":%s,\n            "ctime":"%s",\n' "$substate" "$ctime"
      [ -z "$exit" ] || printf '            "Exit_status":%s,\n' "$exit"
      printf '            "Variable_List":{"MOLDFLOW_TOKEN":"%s","PBS_O_QUEUE":"workq"}\n        }\n    }' "$token"
    fi
  done
  [ $format = dsv ] || printf '\n}\n'
  exit $code
  ;;
qdel)
  code=0
  for id; do
    id=${id%.pbs01}
    case $(get "$id" state) in
    Q) say "$id" 91 substate && say "$id" F state ;;
    R) say "$id" 91 substate && kill -TERM "-$(get "$id" pid)" ;;
    F)
      if [ -e "$root/history" ]; then
        echo "qdel: Job has finished $id.pbs01" >&2
        code=35
      else
        echo "qdel: Unknown Job Id $id.pbs01" >&2
        code=153
      fi
      ;;
    *)
      echo "qdel: Unknown Job Id $id.pbs01" >&2
      code=153
      ;;
    esac
  done
  exit $code
  ;;
esac
