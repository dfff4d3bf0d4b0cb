#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# misuse.sh PROGRAM - a program that misuses an object is stopped by a line that names the
# cache, the misuse and the object; the program prints the object's address first.
set -euo pipefail

program=$1
name=$(basename "$program")
name=${name#objects-}

out=$(mktemp)
err=$(mktemp)
trap 'rm -f "$out" "$err"' EXIT

cache=victim
case $name in
double_free_large) cache=kmalloc want='free of foreign pointer' ;;
double_free*) want='double free of object' ;;
free_into_another_cache) cache=other want='free into another cache of object' ;;
overrun*) want='overrun of object' ;;
underrun) want='underrun of object' ;;
use_after_free*) want='use after free of object' ;;
free_list_damaged) want='free list damaged at object' ;;
leaked_at_destroy) want='leaked at destroy: object' ;;
free_interior_pointer) want='free of interior pointer' ;;
free_interior_large) cache=kmalloc-large want='free of interior pointer' ;;
free_foreign_pointer) cache=kmalloc want='free of foreign pointer' ;;
free_foreign_frame) want='free of foreign pointer' ;;
*)
	echo "$name: no message is known for it"
	exit 1
	;;
esac

# A sanitizer's own handling of SIGABRT would change the exit status.
export ASAN_OPTIONS=handle_abort=0:detect_leaks=0
status=0
(ulimit -c 0 && exec "$program") >"$out" 2>"$err" || status=$?
if [ "$status" -ne 134 ]; then
	echo "$name: exit status $status, not that of SIGABRT"
	cat "$out" "$err"
	exit 1
fi
object=$(cat "$out")
if ! grep -Eq "slab: cache '$cache': $want $object([,;]|\$)" "$err"; then
	echo "$name: the message is not /slab: cache '$cache': $want $object/:"
	cat "$err"
	exit 1
fi
