#!/bin/sh
# Runs every fuzzer for a while: fuzz/run.sh SECONDS [BUILD_DIR [JOBS]]
# Starts from the seeds in fuzz/corpus/NAME; what is found goes on growing in BUILD_DIR/fuzz/corpus/NAME, so a
# later run starts where this one stopped. JOBS (1) run side by side. Fails if any fuzzer finds something, and
# names the input.
set -u

if [ $# -lt 1 ]; then
  echo "usage: $0 SECONDS [BUILD_DIR [JOBS]]" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
export seconds="$1" here
export build="${2:-$here/../build/fuzz}"
mkdir -p "$build/fuzz/findings" || exit 1

jobs=${3:-1}
fuzzers=$(find "$build/fuzz" -maxdepth 1 -type f -name '*_fuzz' | sort)
if [ -z "$fuzzers" ]; then
  echo "no fuzzer in $build/fuzz: build the preset \"fuzz\" first" >&2
  exit 1
fi

# shellcheck disable=SC2016  # the shell that xargs starts has the variables
printf '%s\n' "$fuzzers" | xargs -P "$jobs" -I{} sh -c '
  fuzzer={}
  name=$(basename "$fuzzer")
  corpus=$build/fuzz/corpus/$name
  log=$build/fuzz/$name.log
  mkdir -p "$corpus"
  seeds=$here/corpus/$name
  [ -d "$seeds" ] || seeds=
  options=
  [ -f "$here/$name.dict" ] && options=-dict=$here/$name.dict
  if "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$build/fuzz/findings/$name-" $options "$corpus" $seeds >"$log" 2>&1; then
    echo "ok    $name: $(sed -n "s/^stat::number_of_executed_units: *//p" "$log") inputs"
  else
    printf "FAIL  %s: see %s\n%s\n" "$name" "$log" "$(tail -n 30 "$log")"
    exit 1
  fi'
