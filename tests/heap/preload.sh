#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# preload.sh LIBRARY PROGRAM - a real program, with Quire's malloc in place of the C
# library's: the same output and exit status.  Exits 77 where the program is missing.
set -euo pipefail

library=$1
program=$2

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

if ! command -v "$program" >/dev/null; then
	echo "SKIP: $program is not installed"
	exit 77
fi

use_python3() {
	python3 -c '
import hashlib, json, random, threading
random.seed(5)
def work(n):
    table = {}
    for i in range(60000):
        table[random.randrange(20000) ^ n] = [str(i)] * (i % 9)
    results.append(len(json.dumps(table)) > 0)
results = []
threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for t in threads: t.start()
for t in threads: t.join()
words = sorted(hashlib.sha256(str(i).encode()).hexdigest() for i in range(100000))
print(results, words[0], words[-1], sum(map(len, words)))'
}

use_sqlite3() {
	sqlite3 :memory: "
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO t SELECT i, hex(i * 7919 % 100003), i / 7.0 FROM n;
CREATE INDEX tb ON t(b);
SELECT count(*), max(b), round(sum(c)) FROM t WHERE b > '4';
SELECT a, b FROM t ORDER BY b DESC LIMIT 20;"
}

use_perl() {
	perl -e '
my %h;
for my $i (1 .. 150000) { $h{$i * 7919 % 50021} .= "x$i"; delete $h{$i % 3000} if $i % 5 == 0 }
my $n = 0;
$n += length for values %h;
print scalar(keys %h), " $n ", join(",", (sort { $a <=> $b } keys %h)[0 .. 20]), "\n"'
}

use_git() {
	local repo
	repo=$(mktemp -d "$dir/repo.XXXXXX")
	cd "$repo"
	git init -q .
	for i in $(seq 200); do
		seq "$i" "$((i * 20))" >"file$i"
	done
	export GIT_AUTHOR_DATE="2020-01-01T00:00:00Z" GIT_COMMITTER_DATE="2020-01-01T00:00:00Z"
	git add .
	git -c user.name=a -c user.email=a@example.org commit -q -m one
	git gc -q
	git log --stat | tail -50
	git fsck --full
}

use_gcc() {
	for i in $(seq 300); do
		echo "int f$i(int *a, int n) { int s = $i; for (int i = 0; i < n; i++)" \
			"s += a[i] * s ^ i; return s; }"
	done | gcc -O2 -x c -S -o - -
}

# Dynamically linked, so that the library is taken at all.
"use_$program" >"$dir/plain"
(
	export LD_PRELOAD=$library
	"use_$program"
) >"$dir/quire"
cmp "$dir/plain" "$dir/quire"
