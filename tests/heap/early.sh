#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# early.sh QUIRE PROGRAM LATE AUDIT - allocation before main, from libraries that come and
# go, at exit, and under an auditing library: plain, profiled and hardened.  An auditing
# library may itself be Quire.
set -euo pipefail

quire=$1
program=$2
late=$3
audit=$4

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

run()
{
	local out

	out=$("$@" 2>&1) || { echo "failed: $*: $out"; exit 1; }
	[ "$out" = "early: right" ] || { echo "unexpected: $*: $out"; exit 1; }
}

for conf in decay:100 hardened:1 "profile:1,profile_rate:1000,profile_file:$dir/p" \
	"hardened:1,guard_sample:2,profile:1,profile_rate:1,profile_file:$dir/q"; do
	run env QUIRE_CONF="$conf" LD_PRELOAD="$quire" "$program" "$late"
	run env QUIRE_CONF="$conf" LD_PRELOAD="$quire" LD_AUDIT="$audit" "$program" "$late"
	run env QUIRE_CONF="$conf" LD_PRELOAD="$quire" LD_BIND_NOW=1 "$program" "$late"
done
[ -s "$dir/p" ] && [ -s "$dir/q" ]
