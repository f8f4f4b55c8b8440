#!/bin/sh
# A Cobalt of this host for tests: called as qsub, qstat, qdel it speaks as those do; as `job` it is a job. What has ended
# it forgets. Its state lies in the folder above that of its names. It has as many slots as `slots` says.
# `down`: no queue manager answers. `lose`: the next submission is taken in, and its answer lost.
root=$(cd "$(dirname "$0")/.." && pwd)
name=$(basename "$0")
say() { printf '%s' "$2" >"$root/jobs/$1/.new" && mv "$root/jobs/$1/.new" "$root/jobs/$1/$3"; }
get() { cat "$root/jobs/$1/$2" 2>/dev/null; }

if [ "$name" != job ] && [ -e "$root/down" ]; then
  echo "Failed to connect to queue manager" >&2
  exit 2
fi

case $name in
qsub)
  [ -x "$1" ] || { echo "command $1 is not executable" >&2 && exit 1; }
  id=$(flock "$root/jobs" sh -c 'n=$(($(cat "$0/next" 2>/dev/null || echo 1000) + 1)); echo $n >"$0/next"; echo $n' "$root")
  mkdir "$root/jobs/$id"
  say "$id" "$(sed -n 's/^#COBALT --jobname //p' "$1")" name
  say "$id" queued state
  echo "$(get "$id" name)" >>"$root/submitted"
  setsid "$root/bin/job" "$id" "$1" >/dev/null 2>&1 </dev/null &
  if rm "$root/lose" 2>/dev/null; then
    echo "Failed to connect to queue manager" >&2
    exit 1
  fi
  echo "$id"
  ;;
job)
  exec 9>"$root/slot$(($1 % $(cat "$root/slots")))"
  flock 9
  [ "$(get "$1" state)" = queued ] || exit 0
  hostname >"$root/jobs/$1/nodes"
  env -i HOME="$HOME" PATH=/usr/bin:/bin COBALT_JOBID="$1" COBALT_NODEFILE="$root/jobs/$1/nodes" \
    setsid sh -c 'echo $$ >"$0/pid"; exec "$1"' "$root/jobs/$1" "$2" 9>&- &
  say "$1" running state
  wait $!
  say "$1" exiting state
  rm -r "$root/jobs/$1"
  ;;
qstat)
  [ "$1" != -Q ] || exit 0
  [ "$1 $2" = "-f -l" ] || exit 2
  shift 2
  ids=${*:-$(ls "$root/jobs")}
  found=
  for id in $ids; do
    state=$(get "$id" state) || continue
    found=yes
    printf 'JobID: %s\n    JobName       : %s\n    User          : %s\n    WallTime      : 00:05:00\n' \
      "$id" "$(get "$id" name)" root
    printf '    State         : %s\n    Location      : N/A\n    StartTime     : 11/24/26 16:00:00\n\n' "$state"
  done
  [ -n "$found" ] || [ $# = 0 ] || exit 1
  ;;
qdel)
  for id; do
    case $(get "$id" state) in
    queued) rm -r "$root/jobs/$id" ;;
    running) kill -TERM "-$(get "$id" pid)" ;;
    *) echo "qdel: Job $id not found" ;;
    esac
  done
  ;;
esac
