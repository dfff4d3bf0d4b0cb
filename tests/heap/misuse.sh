#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# misuse.sh LIBRARY PROGRAM - a program that misuses its heap is stopped by SIGABRT, with
# one line that says what was wrong and where.
set -euo pipefail

library=$1
program=$2
name=$(basename "$program")
name=${name#misuse_}

out=$(mktemp)
trap 'rm -f "$out"' EXIT

case $name in
double_free_large | double_free_huge) want='(double free of the [0-9]+-byte block at|invalid pointer) 0x[0-9a-f]+' ;;
double_free_* | realloc_freed) want='double free of the [0-9]+-byte block at 0x[0-9a-f]+$' ;;
*interior* | free_unaligned) want='invalid pointer 0x[0-9a-f]+ freed: it points into the [0-9]+-byte block at 0x[0-9a-f]+$' ;;
*) want='invalid pointer 0x[0-9a-f]+ freed: no block of this heap is there$' ;;
esac

status=0
(ulimit -c 0 && LD_PRELOAD=$library exec "$program") 2>"$out" || status=$?
if [ "$status" -ne 134 ]; then
	echo "$name: exit status $status, not that of SIGABRT"
	cat "$out"
	exit 1
fi
if ! grep -Eq "^quire: heap: $want" "$out"; then
	echo "$name: the message is not /$want/:"
	cat "$out"
	exit 1
fi
