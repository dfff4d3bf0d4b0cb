#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# redis-server with 200 MB of keys under redis-benchmark, which saves itself by a fork
# while writes go on.  A plain server loads what it saved:
#   - from the save under writes, each key that was there before must come back with
#     its value (database 0, which the benchmark leaves alone);
#   - from a save with writes stopped, both databases must be equal to the byte.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case_name=redis
# redis-check-rdb is the same program as redis-server, which acts by its name; the
# package redis-server would start a service.
case_needs="redis-cli:redis-tools redis-benchmark:redis-tools redis-check-rdb:redis-tools"

# A unix socket's path is short whatever the scratch directory is.
case_prepare() {
	"$gen" redis $((quick ? 30000 : 200000)) 1000 >"$work/in/keys"
	ln -sf "$(command -v redis-check-rdb)" "$work/bin/redis-server"
	sockets=$(mktemp -d /tmp/quire-redis.XXXXXX)
	trap 'rm -rf "$sockets"; clean_work' EXIT
}

server_words() { # NAME DIRECTORY
	echo "$work/bin/redis-server" --port 0 --unixsocket "$sockets/$1" --dir "$2" \
		--dbfilename "$1.rdb" --save '""' --appendonly no --loglevel warning \
		--enable-debug-command local --rdbcompression yes
}

ask() { # SERVER WORDS...: one reply, an error reply fails
	local server=$1
	shift
	redis-cli -e -s "$sockets/$server" "$@"
}

await_server() { # NAME PID: until it has loaded its file
	while kill -0 "$2" 2>/dev/null; do
		if [[ $(ask "$1" ping 2>/dev/null) == PONG ]]; then
			return 0
		fi
		sleep 0.1
	done
	echo "server $1 ended before it answered" >&2
	return 1
}

await_save() { # NAME: until its child ended, which must have succeeded
	until ask "$1" info persistence | grep '^rdb_bgsave_in_progress:0' >/dev/null; do
		ask "$1" ping >/dev/null
		sleep 0.1
	done
	ask "$1" info persistence | grep '^rdb_last_bgsave_status:ok' >/dev/null
}

save() { # NAME
	ask "$1" bgsave >/dev/null
	await_save "$1"
}

# Loads a saved file into a plain server of its own and runs a function on it.
with_loaded() { # FILE FUNCTION
	local dir=$work/tmp/loaded
	mkdir -p "$dir"
	cp "$1" "$dir/loaded.rdb"
	redis-check-rdb "$dir/loaded.rdb" | grep 'RDB looks OK' >/dev/null
	# shellcheck disable=SC2046
	$(server_words loaded "$dir") >/dev/null &
	local pid=$!
	await_server loaded "$pid"
	"$2"
	ask loaded shutdown nosave || true
	wait "$pid"
	rm -rf "$dir"
}

print_untouched() {
	ask loaded -n 1 flushdb >/dev/null
	echo "untouched keys $(ask loaded dbsize), digest $(ask loaded debug digest)"
}

print_digest() {
	echo "$(ask loaded dbsize) keys, digest $(ask loaded debug digest)" >"$work/tmp/digest"
}

# Overwrites old values of all sizes and adds new ones until the file says stop.
write_on() { # STOP-FILE
	while [[ ! -e $1 ]]; do
		redis-benchmark -s "$sockets/main" --dbnum 1 -q -n 20000 -r 30000 -c 8 -d 900 \
			-t set >/dev/null
		redis-benchmark -s "$sockets/main" --dbnum 1 -q -n 5000 -r 30000 -c 8 \
			append key:__rand_int__ tail >/dev/null
	done
}

save_under_writes() { # OUT
	local writer
	write_on "$work/tmp/stop" &
	writer=$!
	sleep 0.5
	save main
	touch "$work/tmp/stop"
	wait "$writer"
	rm "$work/tmp/stop"
	mv "$1/main.rdb" "$work/tmp/under-writes.rdb"
}

load_keys() { # OUT
	redis-cli -s "$sockets/main" --pipe <"$work/in/keys" | grep 'errors: 0, '
	echo "loaded $(ask main dbsize), digest $(ask main debug digest)"
}

# The results hold nothing of what the benchmark wrote at random.
case_work() {
	local out=$1 server digest
	# shellcheck disable=SC2046
	step server $(server_words main "$out") &
	server=$!
	await_server main "$server"
	load_keys "$out" >"$out/loaded"
	save_under_writes "$out"
	save main
	digest="$(ask main dbsize) keys, digest $(ask main debug digest)"
	ask main shutdown nosave || true
	wait "$server"
	with_loaded "$work/tmp/under-writes.rdb" print_untouched >"$out/untouched"
	with_loaded "$out/main.rdb" print_digest
	if [[ $digest != "$(<"$work/tmp/digest")" ]]; then
		echo "saved $digest, loaded $(<"$work/tmp/digest")" >&2
		return 1
	fi
	rm "$work/tmp/under-writes.rdb" "$work/tmp/digest" "$out/main.rdb"
}

case_main "$@"
