#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# setid.sh PROGRAM - a program that runs with another's rights reads no QUIRE_CONF: who
# may run it is not to have it write files.  Exits 77 where there can be none.
set -euo pipefail

program=$1

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

want="quire: heap: QUIRE_CONF: unknown key: nonsense"
out=$(QUIRE_CONF=nonsense:1 "$program" 2>&1)
[ "$out" = "$want"$'\n'ordinary ] || { echo "not set-user-ID: $out"; exit 1; }

if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
	echo "SKIP: only root, with setpriv, can make and try a set-user-ID program"
	exit 77
fi
chmod 755 "$dir"
install -m 4755 "$program" "$dir/setid"
out=$(QUIRE_CONF=nonsense:1,profile:1,profile_file:$dir/p setpriv --reuid=65534 \
	--regid=65534 --clear-groups "$dir/setid" 2>&1)
if [ "$out" != secure ] && grep -q ordinary <<<"$out"; then
	echo "SKIP: set-user-ID has no effect on $dir (nosuid, or no_new_privs)"
	exit 77
fi
[ "$out" = secure ] || { echo "set-user-ID: $out"; exit 1; }
[ ! -e "$dir/p" ] || { echo "a profile was written"; exit 1; }
