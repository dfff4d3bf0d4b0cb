#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# preload.sh LIBRARY CASE [ARGUMENT...] - a real program, with Quire's malloc in place of
# the C library's: the same output and exit status.  Exits 77 where it is missing.
#
# python3_tests takes all of python3's own tests of its core types with
# QUIRE_HEAP_LONG=1, and postgres runs only then.
set -euo pipefail

library=$1
case=$2
shift 2

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

skip()
{
	echo "SKIP: $1"
	exit 77
}

needs()
{
	command -v "$1" >/dev/null || skip "$1 is not installed"
}

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

# malloc for every object, where python3 has an allocator of its own.
use_python3_tests() {
	local tests="test_list test_tuple"

	[ -z "${QUIRE_HEAP_LONG:-}" ] || tests+=" test_set test_array test_dict test_bytes test_unicode test_int
		test_float test_memoryview test_deque test_gc test_json"
	# The lines before tell how long it took.
	# shellcheck disable=SC2086
	PYTHONMALLOC=malloc python3 -m test -q $tests 2>&1 | tail -1
}

use_node() {
	node -e '
const m = new Map();
for (let i = 0; i < 200000; i++) m.set("k" + i * 7919 % 50021, Buffer.alloc(i % 300, "x"));
let n = 0;
for (const b of m.values()) n += b.length;
console.log(m.size, n, JSON.stringify([...m.keys()].slice(0, 5)));'
}

# The figures differ from run to run, the data do not.
use_redis() {
	local socket=$dir/redis.sock server

	rm -f "$socket"
	redis-server --port 0 --unixsocket "$socket" --save "" --daemonize no >/dev/null &
	server=$!
	until redis-cli -s "$socket" ping >/dev/null 2>&1; do
		kill -0 "$server"
		sleep 0.1
	done
	redis-benchmark -s "$socket" -q -n 5000 -t set,get,lpush,lrange_100,mset >/dev/null
	redis-cli -s "$socket" flushall
	redis-cli -s "$socket" eval 'for i = 1, 20000 do
		redis.call("set", "k" .. i, string.rep("x", i % 200))
		redis.call("rpush", "l" .. i % 50, i) end return redis.call("dbsize")' 0
	redis-cli -s "$socket" debug digest || true
	redis-cli -s "$socket" shutdown nosave || true
	wait "$server"
}

# Neither initdb nor the server runs as root.
use_postgres() {
	local bin where=$dir/cluster.$RANDOM

	bin=$(dirname "$(find /usr/lib/postgresql -name initdb | sort | tail -1)")
	mkdir "$where"
	chmod 755 "$dir"
	chown nobody "$where"
	(
		cd "$where"
		as_nobody() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }
		as_nobody "$bin/initdb" -D "$where/data" -N -A trust >/dev/null
		as_nobody "$bin/pg_ctl" -D "$where/data" -w -l "$where/log" \
			-o "-k $where -c listen_addresses=''" start >/dev/null
		"$bin/pgbench" -h "$where" -U nobody -i -q -s 2 postgres >/dev/null 2>&1
		"$bin/pgbench" -h "$where" -U nobody -n -c 4 -t 500 postgres 2>&1 |
			grep "actually processed"
		psql -h "$where" -U nobody -At postgres -c \
			"select count(*), sum(length(md5(i::text))) from generate_series(1, 200000) i"
		as_nobody "$bin/pg_ctl" -D "$where/data" -w -m fast stop >/dev/null
	)
}

# Programs of our own: the arguments are the command.
use_own() {
	"${own[@]}"
}

own=("$@")
case $case in
own) ;;
python3_tests)
	python3 -c 'import test.test_list' 2>/dev/null || skip "python3 has no test package"
	;;
redis)
	needs redis-server
	needs redis-benchmark
	;;
postgres)
	[ -n "${QUIRE_HEAP_LONG:-}" ] || skip "QUIRE_HEAP_LONG is not set"
	[ -d /usr/lib/postgresql ] || skip "PostgreSQL is not installed"
	[ "$(id -u)" = 0 ] || skip "needs root, to become somebody else"
	setpriv --reuid nobody --regid nogroup --clear-groups test -r "$library" ||
		skip "the library cannot be read by nobody"
	;;
*)
	needs "$case"
	;;
esac

# Dynamically linked, so that the library is taken at all.
"use_$case" >"$dir/plain"
(
	export LD_PRELOAD=$library
	"use_$case"
) >"$dir/quire"
cmp "$dir/plain" "$dir/quire"
