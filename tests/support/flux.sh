#!/bin/bash
# A Flux of this host for tests: called as `flux` it prints what flux-core 0.88 prints and ends with its exit
# statuses; as `job` it is a job. Messages and JSON keys are those of its source (src/cmd/flux-jobs.py,
# flux-cancel.py, src/bindings/python/flux/job/{info,list}.py, src/broker/runat.c); none was seen from an instance.
# Its state lies in the folder above that of its names. It has as many slots as `slots` says. Files there that
# change it: `down`: no instance answers. `lose`: the next submission is taken in, and its answer lost.
root=$(cd "$(dirname "$0")/.." && pwd)
name=$(basename "$0")
say() { printf '%s' "$2" >"$root/jobs/$1/.new" && mv "$root/jobs/$1/.new" "$root/jobs/$1/$3"; }
get() { cat "$root/jobs/$1/$2" 2>/dev/null; }
now() { date +%s.%6N; }
digits=123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz

# F58 of a number.
f58() {
  local n=$1 text=
  while [ "$n" -gt 0 ] || [ -z "$text" ]; do
    text=${digits:$((n % 58)):1}$text
    n=$((n / 58))
  done
  printf 'f%s' "$text"
}

# The number of an id in F58 or decimal.
number() {
  case $1 in
  f*)
    local n=0 text=${1#f} before
    while [ -n "$text" ]; do
      before=${digits%%"${text:0:1}"*}
      n=$((n * 58 + ${#before}))
      text=${text:1}
    done
    echo $n
    ;;
  *) echo "$1" ;;
  esac
}

# A job as an object of JSON: keys without a value are left out.
json() {
  local id=$1 state
  state=$(get "$id" state)
  printf '{"t_depend": %s, "duration": 300.0, "name": "%s", "cwd": "/", "ntasks": 1, "ncores": 1' \
    "$(get "$id" t_submit)" "$(get "$id" name)"
  [ "$state" = SCHED ] || printf ', "nnodes": 1, "ranks": "0", "nodelist": "%s"' "$(hostname)"
  printf ', "id": %s, "t_submit": %s, "state": "%s"' "$id" "$(get "$id" t_submit)" "$state"
  [ "$state" != INACTIVE ] || printf ', "result": "%s"' "$(get "$id" result)"
  printf ', "username": "root", "userid": 0, "urgency": 16, "status": "%s"' \
    "$(get "$id" result || echo "$state")"
  [ "$state" != INACTIVE ] || printf ', "returncode": %s' "$(get "$id" code)"
  printf ', "dependencies": [], "jobid": "\\u0192%s", "annotations": {}' "$(f58 "$id" | cut -c2-)"
  if [ "$(get "$id" result)" = CANCELED ]; then
    printf ', "exception": {"occurred": true, "severity": 0, "type": "cancel", "note": ""}}'
  else
    printf ', "exception": {"occurred": false}}'
  fi
}

if [ "$name" = job ]; then
  exec 9>"$root/slot$(($1 % $(cat "$root/slots")))"
  flock 9
  [ "$(get "$1" state)" = SCHED ] || exit 0
  env -i HOME="$root" PATH="$root/bin:/usr/bin:/bin" FLUX_URI=local:///none FLUX_ENCLOSING_ID="ƒ$(f58 "$1" | cut -c2-)" \
    setsid sh -c 'echo $$ >"$0/pid"; exec bash "$1"' "$root/jobs/$1" "$2" 9>&- &
  say "$1" RUN state
  wait $!
  status=$?
  say "$1" CLEANUP state
  say "$1" $status code
  if [ -e "$root/jobs/$1/cancelled" ]; then
    say "$1" CANCELED result
  elif [ $status = 0 ]; then
    say "$1" COMPLETED result
  else
    say "$1" FAILED result
  fi
  say "$1" INACTIVE state
  exit
fi

echo "flux $*" >>"$root/asked"
command=$1
shift
# Inside a job.
if [ "$command $1 $2" = "getattr hostlist " ]; then
  hostname
  exit
fi
if [ -e "$root/down" ]; then
  echo "flux-$command: ERROR: Unable to connect to Flux: broker socket /run/flux/local was not found" >&2
  exit 1
fi

case $command in
batch)
  script=${*: -1}
  if grep -q '^# flux: --queue=no-such-queue' "$script"; then
    echo "flux-batch: ERROR: Invalid queue 'no-such-queue' specified" >&2
    exit 1
  fi
  id=$(flock "$root/jobs" sh -c 'n=$(($(cat "$0/next" 2>/dev/null || echo 9997000554801) + 1)); echo $n >"$0/next"; echo $n' "$root")
  mkdir "$root/jobs/$id"
  say "$id" "$(sed -n 's/^# flux: --job-name=//p' "$script")" name
  say "$id" "$(now)" t_submit
  echo SCHED >"$root/jobs/$id/state"
  get "$id" name >>"$root/submitted"
  echo >>"$root/submitted"
  # What lives now, of each token: two jobs of one token must never be seen.
  (cd "$root/jobs" && for job in */; do
    [ "$(get "${job%/}" state)" = INACTIVE ] || get "${job%/}" name
    echo
  done) | grep . | sort | uniq -d >>"$root/doubled"
  # The script is copied at the time of submission.
  cp "$script" "$root/jobs/$id/script"
  setsid "$root/bin/job" "$id" "$root/jobs/$id/script" >/dev/null 2>&1 </dev/null &
  if rm "$root/lose" 2>/dev/null; then
    echo "flux-batch: ERROR: Connection reset by peer" >&2
    exit 1
  fi
  f58 "$id"
  echo
  ;;
jobs)
  [ "$1" = --json ] || exit 2
  shift
  if [ "$1 $2 $3" = "-a --count=0 --since=-1h" ]; then
    printf '{"jobs": ['
    comma=
    for dir in "$root"/jobs/*/; do
      [ -d "$dir" ] || continue
      printf '%s' "$comma" && json "$(basename "$dir")"
      comma=', '
    done
    echo ']}'
    exit 0
  fi
  known=
  for id; do
    n=$(number "$id")
    if [ -e "$root/jobs/$n/state" ]; then
      known="$known $n"
    else
      echo "JobID $id unknown" >&2
    fi
  done
  [ -n "$known" ] || exit 1
  # A single job that was asked for is no list.
  [ $# = 1 ] || printf '{"jobs": ['
  comma=
  for n in $known; do
    printf '%s' "$comma" && json "$n"
    comma=', '
  done
  [ $# = 1 ] || printf ']}'
  echo
  ;;
cancel)
  code=0
  for id; do
    n=$(number "$id")
    case $(get "$n" state) in
    SCHED)
      say "$n" -128 code
      say "$n" CANCELED result
      say "$n" INACTIVE state
      ;;
    # The broker of the job sends SIGHUP to the script.
    RUN) say "$n" yes cancelled && kill -HUP "-$(get "$n" pid)" ;;
    "")
      echo "flux-cancel: ERROR: $id: unknown job id" >&2
      code=1
      ;;
    *)
      echo "flux-cancel: ERROR: $id: job is inactive" >&2
      code=1
      ;;
    esac
  done
  exit $code
  ;;
queue)
  # An instance without named queues.
  echo
  ;;
*) exit 2 ;;
esac
