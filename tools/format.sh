#!/usr/bin/env bash
# Formats the C++ sources; with --check names those that are not formatted and changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(find src bench fuzz tests -name '*.cc' -o -name '*.h' | sort)
if [ "${1:-}" = --check ]; then
  wrong=$(clang-format-16 --dry-run "${files[@]}" 2>&1 | sed -n 's/^\([^:]*\):[0-9]*:.*clang-format.*/\1/p' | sort -u)
  [ -n "$wrong" ] || exit 0
  printf 'error: not formatted, see make format: %s\n' $wrong
  exit 1
fi
exec clang-format-16 -i "${files[@]}"
