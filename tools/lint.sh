#!/usr/bin/env bash
# clang-tidy over all sources, or over those that are named.
set -euo pipefail
cd "$(dirname "$0")/.."
# A compilation database for clang, without precompiled headers: clang-tidy reads neither GCC's nor stale ones.
cmake --preset debug -B build/lint -DCMAKE_C_COMPILER=clang-16 -DCMAKE_CXX_COMPILER=clang++-16 \
  -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null
exec run-clang-tidy-16 -clang-tidy-binary clang-tidy-16 -quiet -p build/lint "${@:-$PWD/src/}"
