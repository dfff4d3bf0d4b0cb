#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# sim_frames.sh - `quire sim frames` shows a busy kernel in every form, whatever the buddy
# systems of its zones.
#
#     sim_frames.sh QUIRE
set -euo pipefail

QUIRE=$1
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# shows REGEX ARG...: status 0, nothing on stderr, and a line of stdout that matches.
shows()
{
	local regex=$1

	shift
	try sim frames "$@"
	if [ "$status" = 0 ] && [ ! -s "$scratch/err" ] &&
		grep -qE -- "$regex" "$scratch/out"; then
		passed
	else
		failed "sim frames $*: status $status, or no '$regex'"
		cat "$scratch/err"
	fi
}

check()
{
	local what=$1

	shift
	if python3 -c "$@" <"$scratch/out"; then
		passed
	else
		failed "$what"
	fi
}

for buddy in binary fibonacci weighted tertiary; do
	shows '^Node 0, zone +Normal' --buddy "$buddy" --ram 24M --show buddyinfo
	shows '^ +min +[0-9]+$' --buddy "$buddy" --ram 24M --show zoneinfo
	shows '^Number of blocks type' --buddy "$buddy" --ram 24M --show pagetypeinfo
	shows '^dentry +[0-9]' --buddy "$buddy" --ram 24M --show slabinfo
	shows '^[MTOS#.c]{64}$' --buddy "$buddy" --ram 24M --show picture
	shows '</svg>$' --buddy "$buddy" --ram 24M --show svg
	check "the picture is no SVG" '
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.stdin).getroot()
assert root.tag.endswith("svg") and len(list(root)) > 64'
	shows '"buddy":' --buddy "$buddy" --ram 24M --json
	check "the values do not add up" '
import json, sys
all = json.load(sys.stdin)
assert all["refused"] * 1000 < all["steps"] and all["turns"] > 0
assert all["pages_evicted"] > 0 and all["dentries_shrunk"] > 0
zones = all["zones"]
assert [zone["name"] for zone in zones] == ["DMA", "Normal"]
for zone in zones:
    assert zone["free"] == sum(b["frames"] * b["free"] for b in zone["blocks"])
caches = {cache["name"]: cache for cache in all["caches"]}
assert caches["dentry"]["active_objs"] == all["dentries"]
for cache in caches.values():
    assert cache["active_objs"] <= cache["num_objs"]
    assert cache["num_objs"] == cache["num_slabs"] * cache["objperslab"]'
done

shows '^pagetypeinfo$'
cp "$scratch/out" "$scratch/first"
try sim frames --seed 1
if cmp -s "$scratch/first" "$scratch/out"; then
	passed
else
	failed "a seed does not give the same kernel each time"
fi

finish
