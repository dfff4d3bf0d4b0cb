#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# supervise.sh - the supervisor with a library that takes its seat and does no paging:
# exit statuses, signals, what the program inherits, the account and the report.
#
#     supervise.sh QUIRE FAKE_LIBRARY
set -euo pipefail

QUIRE=$1
export QUIRE_LIBRARY=$2
here=$(dirname "$0")
# shellcheck source=tests/cli/lib.sh
. "$here/lib.sh"
export TMPDIR=$scratch

if ! "$QUIRE" doctor >"$scratch/out"; then
	echo "SKIP: quire run cannot work here:"
	grep -A1 MISSING "$scratch/out"
	exit 77
fi

under=("$QUIRE" run --ram 256M --swap ram)
run()
{
	status=0
	"${under[@]}" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
}

echo "--- exit status"
run sh -c 'exit 3'
equal "own status" 3 "$status"
equal "stderr" "" "$(cat "$scratch/err")"
run sh -c 'echo words; exit 0'
equal "status" 0 "$status"
equal "stdout" words "$(cat "$scratch/out")"
run sh -c 'kill -TERM $$'
equal "killed by SIGTERM" 143 "$status"
run sh -c 'kill -SEGV $$'
equal "killed by SIGSEGV" 139 "$status"
run sh -c 'kill -KILL $$'
equal "killed by SIGKILL" 137 "$status"
equal "stderr of a plain kill" "" "$(cat "$scratch/err")"

ends()
{
	status=0
	QUIRE_FAKE=$1 "$QUIRE" run --ram 256M --swap ram true \
		>"$scratch/out" 2>"$scratch/err" || status=$?
	equal "$1: status" "$2" "$status"
	equal "$1: stderr" "$3" "$(cat "$scratch/err")"
}
ends oom 137 "quire: out of memory: wanted a page"
ends corrupt 125 "quire: memory lost: page 0x1000 came back?wrong"
ends panic 125 "quire: failed: B1 does not hold"
ends refuse 125 "quire: refused: no machine could be built"
ends silent 125 "quire: the program ran without Quire: libquire.so did not get into it"

# A process further down is told of too; the program's status stays its own.
run sh -c 'QUIRE_FAKE=oom /bin/true; exit 4'
equal "status of a program whose child was killed" 4 "$status"
says "line of the child" "$scratch/err" "^quire: out of memory: wanted a page$"

echo "--- what the program inherits"
same()
{
	equal "$1" "$(sh -c "$2")" "$("${under[@]}" sh -c "$2")"
}
same "signals" 'grep -E "^(Sig|Shd)(Blk|Ign|Pnd)" /proc/self/status'
same "descriptors" 'cd /proc/self/fd; echo *'
same "arguments" 'echo "$0 $*"'
same "folder" 'pwd'
same "group" 'cut -d" " -f5 /proc/$$/stat'
equal "descriptors, standard ones closed" "$(sh -c 'ls /proc/self/fd' <&- 2>&- | wc -l)" \
	"$("${under[@]}" sh -c 'ls /proc/self/fd' <&- 2>&- | wc -l)"
equal "ignored signals" "$(trap '' HUP CHLD PIPE; sh -c 'grep ^SigIgn /proc/self/status')" \
	"$(trap '' HUP CHLD PIPE; "${under[@]}" sh -c 'grep ^SigIgn /proc/self/status')"
status=0
(trap '' CHLD; exec "${under[@]}" sh -c 'exit 5') || status=$?
equal "status where SIGCHLD is ignored" 5 "$status"
equal "LD_PRELOAD" "$(readlink -f "$QUIRE_LIBRARY")" \
	"$("${under[@]}" sh -c 'echo $LD_PRELOAD')"
cp "$QUIRE_LIBRARY" "$scratch/other.so"
equal "LD_PRELOAD kept" "$(readlink -f "$QUIRE_LIBRARY"):$scratch/other.so" \
	"$(LD_PRELOAD=$scratch/other.so:$(readlink -f "$QUIRE_LIBRARY") QUIRE_FAKE=silent \
		"${under[@]}" sh -c 'echo $LD_PRELOAD' 2>/dev/null || :)"
equal "settings" "$((256 << 20)) $((1 << 20)) ram" "$("$QUIRE" run --ram 256M --store 1M \
	--swap ram sh -c 'echo $QUIRE_RUN' |
	sed 's/.*ram=\([0-9]*\),store=\([0-9]*\),swap=\([a-z]*\),.*/\1 \2 \3/')"
equal "swap path" "$scratch" "$("$QUIRE" run --ram 256M sh -c 'echo $QUIRE_RUN' |
	sed 's/.*swap=file,path=\([^,]*\),.*/\1/')"
equal "swap file" "$scratch/a%2Cb 1048576" \
	"$("$QUIRE" run --ram 256M --swap "file:$scratch/a,b,1M" sh -c 'echo $QUIRE_RUN' |
		sed 's/.*path=\([^,]*\),size=\([0-9]*\),.*/\1 \2/')"

echo "--- signals"
# forward SIGNAL: sent to the command alone, it reaches the program once.
forward()
{
	local log=$scratch/log pid status=0

	rm -f "$log"
	# A shell starts its background jobs with some signals ignored.
	env --default-signal "${under[@]}" bash -c 'trap "echo got >>$0" '"$1"'; trap "exit 7" ALRM
		echo ready >"$0"
		while :; do sleep 0.05; done' "$log" &
	pid=$!
	if ! await test -s "$log"; then
		failed "forward $1: the program did not start"
	fi
	kill "-$1" "$pid"
	await grep -q got "$log" || failed "$1 did not reach the program"
	kill -ALRM "$(pgrep -P "$pid")"
	wait "$pid" || status=$?
	equal "$1: status" 7 "$status"
	equal "$1: times" 1 "$(grep -c got "$log")"
}
for name in INT TERM HUP QUIT USR1 USR2 WINCH; do
	forward $name
done

# One that the program sends to its whole group is not sent back to it.
run setsid -w bash -c 'trap "echo got" USR1; "$@"' - "${under[@]}" \
	bash -c 'trap "echo got" USR1; kill -USR1 0; sleep 0.2'
equal "own group: status" 0 "$status"

# Gone outright, the supervisor takes the program along.
"${under[@]}" sh -c "echo \$\$ >$scratch/pid; exec sleep 60" &
supervisor=$!
await test -s "$scratch/pid"
program=$(cat "$scratch/pid")
kill -KILL "$supervisor"
wait "$supervisor" 2>/dev/null || :
gone()
{
	! kill -0 "$program" 2>/dev/null
}
if await gone; then
	passed
else
	failed "the program outlives its supervisor"
	kill -KILL "$program"
fi

if python3 -B "$here/terminal.py" "$QUIRE" 2>"$scratch/err"; then
	passed
else
	failed "terminal: $(cat "$scratch/err")"
fi

echo "--- account"
run --stats sh -c 'exec 2>&-; exit 6'
equal "status with --stats" 6 "$status"
says "stats" "$scratch/err" '^quire: sh -c exec 2>&-; exit 6: status 6 after '
says "stats" "$scratch/err" '^  RAM bound       256.0 MiB; swap ram$'
says "stats" "$scratch/err" \
	'^  peak resident   7.5 MiB: frames 4.0 MiB, store 2.0 MiB, tables 1.0 MiB'
says "stats" "$scratch/err" \
	'^  faults          100: 20 minor, 30 major, 40 zero, 10 write-protect$'
says "stats" "$scratch/err" '^  pages out       2560 \(10.0 MiB\), clean drops 0'
says "stats" "$scratch/err" '^  compression     2.00 : 1 \(10.0 MiB into 5.0 MiB\)$'
says "stats" "$scratch/err" 'private mappings left with it 3.0 MiB'
says "stats" "$scratch/err" '^  start-up        1.5 ms; in use: kernel-faults user-faults wp$'

run --stats --without user-faults sh -c 'true & wait; sh -c "exec true"; sleep 0.2'
says "without" "$scratch/err" 'in use: kernel-faults wp$'
says "tree" "$scratch/err" '^total of [3-9] machines'
says "tree" "$scratch/err" '^  process [0-9]+ \(.*\): peak 7.5 MiB, faults 100 \(30 major\)'

# An exec starts a new machine; the one before it is listed as ended.
run --report "$scratch/exec.json" sh -c 'exec true'
equal "machines of an exec" "2 true sh" "$(python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
print(r["processes"], r["main"]["name"], *(p["name"] for p in r["others"]))' \
	"$scratch/exec.json")"

# A process that outlives the program is listed as it is then.
run --stats sh -c "sleep 60 & echo \$! >$scratch/sleeper; sleep 0.3"
says "still running" "$scratch/err" '^  process .*\(sleep\).*; still running$'
kill "$(cat "$scratch/sleeper")"

# More machines than there are seats, one after the other.
run --report "$scratch/many.json" sh -c 'i=0; while [ $i -lt 1200 ]; do
	/bin/true; i=$((i + 1)); done'
equal "many" "1201 0 120100 1200" "$(python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
print(r["processes"], r["processes_refused"], r["total"]["faults"], len(r["others"]))' \
	"$scratch/many.json")"

echo "--- report"
report=$scratch/report.json
ln -s report.json "$scratch/link.json"
echo old >"$report"
run --stats --report "$scratch/link.json" sh -c 'sleep 0.5; exit 2'
equal "status with --report" 2 "$status"
equal "link" report.json "$(readlink "$scratch/link.json")"
"$QUIRE" report "$report" >"$scratch/shown"
equal "report as text begins as --stats" "$(cat "$scratch/err")" \
	"$(head -n "$(wc -l <"$scratch/err")" "$scratch/shown")"
says "time series" "$scratch/shown" '^   seconds +frames +store'
"$QUIRE" report --json "$report" >"$scratch/json"
if python3 - "$report" "$scratch/json" <<'PYTHON'; then
import json, sys
report, again = (json.load(open(path)) for path in sys.argv[1:])
assert report == again, "report --json shows something else"
columns, samples = report["sample_columns"], report["samples"]
assert all(len(row) == len(columns) for row in samples)
times = [row[columns.index("ns")] for row in samples]
assert times == sorted(times) and len(times) > 5, times
mapped = [row[columns.index("frames_mapped")] for row in samples]
anon = [row[columns.index("resident_anon")] for row in samples]
assert max(mapped) == 2048 and max(anon) > 100000, (mapped, anon)
assert report["total"]["faults"] == 200 and report["total"]["peak_used"] == 3840
assert report["main"]["peak_resident_file"] > 100000
assert report["main"]["features"] == ["kernel-faults", "user-faults", "wp"]
assert report["status"] == 2 and report["ram_bytes"] == 256 << 20
PYTHON
	passed
else
	failed "report: $(head -c 2000 "$report")"
fi
equal "left beside the report" "" "$(cd "$scratch" && ls -A | grep '^\.' || :)"

# A file that is no report, or half of one.
for text in "" "{}" "[]" '{"quire_report": 1}' '{"quire_report": 2}'; do
	echo "$text" >"$scratch/bad.json"
	expect 125 "$scratch/bad.json: " report "$scratch/bad.json"
done
head -c 3000 "$report" >"$scratch/bad.json"
expect 125 "$scratch/bad.json: line [0-9]+" report "$scratch/bad.json"
sed 's/"faults": [0-9]*,/"faults": "many",/' "$report" >"$scratch/bad.json"
expect 125 "$scratch/bad.json: not a report .*\"faults\"" report "$scratch/bad.json"

echo "--- doctor"
"$QUIRE" doctor --json >"$scratch/json"
python3 - "$scratch/json" <<'PYTHON' && passed || failed "doctor --json"
import json, sys
doctor = json.load(open(sys.argv[1]))
assert doctor["works"] == {"run": True, "preload": True}
needed = {f["check"] for f in doctor["findings"] if f["needed"] and f["mode"] == "run"}
assert needed == {"kernel-faults", "wp", "library"}, needed
assert all(f["fix"] is None for f in doctor["findings"] if f["ok"])
PYTHON

try --version
says "version" "$scratch/out" '^quire [0-9]+\.[0-9]+'
for verb in run doctor report; do
	try help $verb
	cp "$scratch/out" "$scratch/help"
	try $verb --help
	equal "help of $verb" "$(cat "$scratch/help")" "$(cat "$scratch/out")"
	says "help of $verb" "$scratch/out" "^Usage: quire $verb"
done
status=0
"$QUIRE" --help >/dev/full 2>"$scratch/err" || status=$?
equal "full output" 125 "$status"

finish
