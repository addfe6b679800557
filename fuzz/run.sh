#!/bin/sh
# Runs every fuzzer for a while: fuzz/run.sh SECONDS [BUILD_DIR]
# Starts from the seeds in fuzz/corpus/NAME; what is found goes on growing in BUILD_DIR/fuzz/corpus/NAME, so a
# later run starts where this one stopped. Fails if any fuzzer finds something, and names the input.
set -u

if [ $# -lt 1 ]; then
  echo "usage: $0 SECONDS [BUILD_DIR]" >&2
  exit 2
fi
seconds=$1
here=$(cd "$(dirname "$0")" && pwd)
build=${2:-$here/../build/fuzz}
mkdir -p "$build/fuzz/findings" || exit 1

failed=0
ran=0
for fuzzer in "$build"/fuzz/*_fuzz; do
  [ -x "$fuzzer" ] || continue
  name=$(basename "$fuzzer")
  corpus=$build/fuzz/corpus/$name
  log=$build/fuzz/$name.log
  mkdir -p "$corpus"
  seeds=$here/corpus/$name
  [ -d "$seeds" ] || seeds=
  options=
  [ -f "$here/$name.dict" ] && options=-dict=$here/$name.dict
  ran=$((ran + 1))
  if "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$build/fuzz/findings/$name-" $options "$corpus" $seeds >"$log" 2>&1; then
    echo "ok    $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
  else
    failed=$((failed + 1))
    echo "FAIL  $name: see $log" >&2
    tail -n 30 "$log" >&2
  fi
done
if [ "$ran" -eq 0 ]; then
  echo "no fuzzer in $build/fuzz: build the preset \"fuzz\" first" >&2
  exit 1
fi
[ "$failed" -eq 0 ]
