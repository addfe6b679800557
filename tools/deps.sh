#!/usr/bin/env bash
# Installs the Debian packages of tools/packages.txt that are missing. Quick when none is.
#
# usage: tools/deps.sh [GROUP...]     build (the default), test, bench
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=$(for group in build "$@"; do
  awk -v group="[$group]" '/^\[/ { inside = $0 == group; next } inside && NF && !/^#/' tools/packages.txt
done | sort -u)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "deps: no apt here; you need what these Debian 12 packages hold:" $wanted >&2
  exit 0
fi

# shellcheck disable=SC2086  # one word a package
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null | awk '$2 == "installed" { print $1 }' | sort -u || true)
missing=$(comm -23 <(echo "$wanted") <(echo "$installed"))
[ -n "$missing" ] || exit 0
echo "deps: installing" $missing >&2

if [ "$(id -u)" = 0 ]; then
  root=()
elif command -v sudo >/dev/null; then
  root=(sudo)
else
  echo "deps: run as root or install sudo, then: apt-get install" $missing >&2
  exit 1
fi

# A package that brings a server must not start it on this machine.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
  "${root[@]}" chmod 755 "$policy"
  trap '"${root[@]}" rm -f "$policy"' EXIT
fi

apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0)
log=$(mktemp)
# shellcheck disable=SC2086
if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends $missing; } >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  echo "deps: apt-get failed, the whole of it is in $log" >&2
  exit 1
fi
rm -f "$log"
