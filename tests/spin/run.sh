#!/usr/bin/env bash
# Checks the models beside src/ring exhaustively with spin, and that each of their mutations (-DBROKEN=n) is found
# faulty: a check that cannot fail shows nothing.
#
# Usage: tests/spin/run.sh [folder of the models]
# Exit:  0 when every model holds and every mutation is found; 1 otherwise; 77 when spin or a compiler is missing.
set -euo pipefail

models=$(realpath "${1:-"$(dirname "$0")/../../src/ring"}")
compiler=${CC:-cc}
command -v spin >/dev/null && command -v "$compiler" >/dev/null || {
  echo "spin or $compiler is not installed" >&2
  exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# search MODEL DEFINE...: leaves what the search says in ./report.
search() {
  local model=$1
  shift
  rm -f pan pan.* ./*.trail
  spin -a "$@" "$models/$model.pml" >report 2>&1 || { cat report; echo "spin rejects $model.pml" >&2; exit 1; }
  # SAFETY: assertions and deadlocks. COLLAPSE: states are compressed without loss, so the search is complete.
  "$compiler" -O1 -w -DSAFETY -DCOLLAPSE -o pan pan.c
  ./pan -m1000000 >report 2>&1 || true
}

# holds MODEL DEFINE...: the search was complete and found nothing.
holds() {
  search "$@"
  if ! grep -q 'errors: 0$' report || grep -qiE 'not completed|search depth too small|out of memory' report; then
    cat report
    [[ ! -f $1.pml.trail ]] || ./pan -r "$1.pml.trail" | tail -60
    echo "FAILED: $*" >&2
    exit 1
  fi
  echo "holds:  $* ($(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' report) states)"
}

# broken MODEL N...: mutation N violates an assertion or deadlocks.
broken() {
  local model=$1 mutation
  shift
  for mutation in "$@"; do
    search "$model" "-DBROKEN=$mutation"
    if ! grep -qE '^pan:[0-9]+: (assertion violated|invalid end state)' report; then
      cat report
      echo "FAILED: mutation $mutation of $model was not found" >&2
      exit 1
    fi
    echo "found:  $model -DBROKEN=$mutation ($(sed -nE 's/^pan:[0-9]+: //p' report | head -1))"
  done
}

for capacity in 1 2 4; do holds spsc_ring "-DCAPACITY=$capacity"; done
broken spsc_ring 1 2 3 4

holds mpmc_ring
holds mpmc_ring -DPRODUCERS=2 -DCONSUMERS=1 -DITEMS=3 -DSTALE
holds mpmc_ring -DPRODUCERS=1 -DCONSUMERS=2 -DITEMS=5 -DSTALE
holds mpmc_ring -DPRODUCERS=2 -DCONSUMERS=1 -DITEMS=3 -DBATCH=3 -DCAPACITY=4
broken mpmc_ring 1 2 3 4 5

holds parker -DITEMS=3
broken parker 1 2 3 4
