#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What `quire run` promises, each promise by a small program that runs plain and then
# under Quire with little RAM, and by what the command prints and answers.
#
#     tests/run/run.sh [--build DIR] [--plain] [--keep] [--only GROUP]...
#
# A group is the name of a program here (fork, mlock, ...) or one of: privilege, ends,
# pass, stats, swap, oom, refuse.  --plain leaves Quire out.  QUIRE_RUN_OPTIONS holds more
# options for each `quire run`, TEST_RAM_MIB the bound that the programs get.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../programs/lib.sh"
limit_s=${LIMIT:-600}

trials=(syscalls threads signals fork spawn mlock races mremap mprotect brk mappings
	direct uring)
groups=("${trials[@]}" privilege ends pass stats swap oom refuse)
only=()
ram=${TEST_RAM_MIB:-16}
export TEST_RAM_MIB=$ram

while (($# > 0)); do
	if [[ $1 == --only ]]; then
		only+=("$2")
		shift 2
		continue
	fi
	take_option "$@"
	((taken > 0)) || usage "[--only GROUP]..."
	shift "$taken"
done
((${#only[@]} == 0)) || groups=("${only[@]}")

make_work
find_tools

# Sets $program to a program of this folder: built, or compiled here.
find_trial() { # NAME
	local libs=(-pthread)
	program=$build/tests/run/$1
	[[ ! -x $program ]] || return 0
	program=$work/bin/$1
	[[ ! -x $program ]] || return 0
	[[ $1 != uring ]] || libs+=(-luring)
	"${CC:-cc}" -std=c17 -O2 -o "$program" "$here/$1.c" "$here/common.c" "${libs[@]}" \
		2>"$work/cc.log"
}

# observe NAME COMMAND...: runs it measured.  Leaves $status, and $rec with the ends
# .out and .err for what it printed.
observe() {
	rec=$work/rec/$1
	shift
	status=0
	"$measure" -o "$rec" -t "$limit_s" -- "$@" >"$rec.out" 2>"$rec.err" </dev/null ||
		status=$?
}

# The same under Quire, with $ram MiB.
observe_quire() { # NAME COMMAND...
	local name=$1
	shift
	observe "$name" "$quire" run --ram "${ram}M" "${quire_options[@]}" -- "$@"
}

# Says so where the run just observed did not end with a status that matches $1.
status_faults() {
	[[ ! $status =~ ^($1)$ ]] || return 0
	echo "exit status $status instead of $1: $(tail -n 2 "$rec.err")"
}

show_skips() {
	sed -n 's/^skip /     not tried: /p' "$rec.out"
}

check_trial() { # NAME
	local faults
	if ! find_trial "$1"; then
		skipped "$1: cannot be compiled: $(grep -m 1 error "$work/cc.log")"
		return
	fi
	observe "plain.$1" "$program"
	show_skips
	verdict "$1, plain" "$(status_faults 0; record_faults "$rec" "$1" ""; tmp_faults)"
	quire_wanted "$1" || return 0
	observe_quire "quire.$1" "$program"
	faults=$(status_faults 0; record_faults "$rec" "$1" "$ram"; tmp_faults)
	if ((status == 0)) && ! grep -q '^absent [1-9]' "$rec.out"; then
		faults+=$'\n'"no page went out, so nothing was tested"
	fi
	verdict "$1, under Quire with $ram MiB" "$faults"
}

# A child without the right to page itself may go without Quire, but then it is said.
check_privilege() {
	local faults above
	find_trial privilege
	observe plain.privilege "$program"
	show_skips
	verdict "privilege, plain" "$(status_faults 0; tmp_faults)"
	quire_wanted privilege || return 0
	observe_quire quire.privilege "$program"
	faults=$(status_faults 0; tmp_faults)
	above=$(record_faults "$rec" privilege "$ram")
	if [[ -n $above ]] && ! grep -q '^quire: .*without Quire' "$rec.err"; then
		faults+=$'\n'"$above, and nothing was said"
	fi
	verdict "privilege, under Quire with $ram MiB" "$faults"
}

# True when there is a Quire to test; else says so once for each group.
quire_wanted() {
	((!plain_only)) || return 1
	[[ -z $quire_reason ]] || quire_missing "$1, under Quire"
	[[ -z $quire_reason ]]
}

# The program's own status, or 128 + its signal, with memory in use and out.
check_ends() {
	local line want words
	find_trial ends
	while read -r want line; do
		read -ra words <<<"$line"
		observe "plain.ends" "$program" "${words[@]}"
		verdict "ends $line, plain" "$(status_faults "$want")"
		quire_wanted "ends $line" || continue
		observe_quire "quire.ends" "$program" "${words[@]}"
		verdict "ends $line, under Quire" \
			"$(status_faults "$want"; record_faults "$rec" ends "$ram"; tmp_faults)"
	done <<-TABLE
		0 exit 0
		3 exit 3
		125 exit 125
		255 exit 255
		4 _exit 4
		143 signal 15
		137 signal 9
		130 signal 2
		134 abort
		139 segv
		139 segv-thread
		139 overflow
		6 exit-thread 6
		0 close-all
		0 close-from
		0 close-range
		0 dup-over
		0 noise 64
	TABLE
}

# Arguments, standard input, environment, working directory and signals get through.
check_pass() {
	local faults pid
	quire_wanted "pass" || return 0
	find_trial ends
	observe_quire pass.words "$program" words "" " two words " '$HOME' --ram -- "é"
	faults=$(status_faults 0)
	printf '%s\n' "" " two words " '$HOME' --ram -- "é" | cmp -s - "$rec.out" ||
		faults+="the arguments arrive as: $(<"$rec.out")"
	[[ ! -s $rec.err ]] || faults+="it printed: $(<"$rec.err")"
	verdict "pass arguments" "$faults"

	faults=
	[[ $(echo some input | "$quire" run --ram "${ram}M" -- cat) == "some input" ]] ||
		faults="cat under Quire did not copy its input"
	verdict "pass standard input" "$faults"

	observe_quire pass.env env
	faults=$(status_faults 0)
	grep -q "^TEST_RAM_MIB=$ram\$" "$rec.out" || faults+="TEST_RAM_MIB is lost"
	verdict "pass the environment" "$faults"

	printf '#!/bin/sh\npwd; exit 12\n' >"$work/bin/script"
	chmod +x "$work/bin/script"
	(cd "$work/in" && observe_quire pass.script ../bin/script &&
		status_faults 12 >"$work/rec/faults")
	[[ $(<"$work/rec/pass.script.out") == "$work/in" ]] ||
		echo "the working directory is lost" >>"$work/rec/faults"
	verdict "pass a script by a relative path" "$(<"$work/rec/faults")"
	check_pass_signal
}

# A signal to the command ends the program, and nothing of it stays.
check_pass_signal() {
	local pid holder_pid faults
	start_holder $((2 * ram))
	kill -TERM "$quire_pid"
	status=0
	wait "$quire_pid" || status=$?
	rec=$work/rec/holder
	faults=$(status_faults 143; tmp_faults)
	holder_pid=$ready_pid
	for _ in {1..50}; do
		kill -0 "$holder_pid" 2>/dev/null || break
		sleep 0.1
	done
	! kill -0 "$holder_pid" 2>/dev/null || faults+=$'\n'"the program still runs"
	exec {holder_in}>&-
	verdict "pass SIGTERM" "$faults"
}

# start_holder MIB OPTIONS...: holder under Quire, ready.  Sets $quire_pid, $ready_pid
# and the descriptor $holder_in, on which a line lets it go on.
start_holder() {
	local mib=$1 line
	shift
	find_trial holder
	rm -f "$work/rec/holder.fifo"
	mkfifo "$work/rec/holder.fifo"
	: >"$work/rec/holder.out"
	"$quire" run --ram "${ram}M" "${quire_options[@]}" "$@" -- "$program" "$mib" \
		<"$work/rec/holder.fifo" >"$work/rec/holder.out" 2>"$work/rec/holder.err" &
	quire_pid=$!
	exec {holder_in}>"$work/rec/holder.fifo"
	ready_pid=
	while kill -0 "$quire_pid" 2>/dev/null; do
		line=$(head -n 1 "$work/rec/holder.out")
		if [[ $line == ready* ]]; then
			ready_pid=${line#ready }
			return 0
		fi
		sleep 0.05
	done
	return 0
}

# Lets the holder go on and waits for it; sets $status and $rec.
finish_holder() {
	rec=$work/rec/holder
	{ echo go >&"$holder_in"; } 2>/dev/null || true
	exec {holder_in}>&-
	status=0
	wait "$quire_pid" || status=$?
}

# --stats at the end, also of a program that closed everything; --report as JSON.
check_stats() {
	local faults word
	quire_wanted "stats" || return 0
	find_trial ends
	for word in "exit 3" close-all close-range; do
		local words want=0
		read -ra words <<<"$word"
		[[ $word != exit* ]] || want=3
		observe stats "$quire" run --ram "${ram}M" "${quire_options[@]}" --stats -- \
			"$program" "${words[@]}"
		faults=$(status_faults $want; stats_faults; tmp_faults)
		[[ ! -s $rec.out ]] || faults+=$'\n'"it printed on standard output"
		verdict "stats after $word" "$faults"
	done
	check_report
}

# Each figure that the report promises is named in it.
stats_faults() {
	local figure
	for figure in 'peak' 'frames' 'store' 'tables' 'minor' 'major' 'zero' \
		'write.?protect' '\bout\b' '\bin\b' 'clean' 'compress' 'time'; do
		grep -Eiq "$figure" "$rec.err" || echo "--stats says nothing of '$figure'"
	done
}

check_report() {
	local faults file=$work/in/report.json
	start_holder $((4 * ram)) --report "$file"
	sleep 1
	finish_holder
	faults=$(status_faults 0; tmp_faults)
	find_python
	faults+=$("$python" -I "$here/report_check.py" "$file" 3 2>&1) || true
	rm -f "$file"
	verdict "stats as a JSON report" "$faults"
}

# Deleted files under the test's directories that a thread holds open, as paths through
# which they can be opened again.  The pager's threads have descriptors of their own.
swap_files() { # PID
	local fd path
	declare -A seen=()
	for fd in "/proc/$1/task/"*/fd/*; do
		path=$(readlink "$fd" 2>/dev/null) || continue
		[[ $path == "$work"*"(deleted)" && -z ${seen[$path]:-} ]] || continue
		seen[$path]=1
		echo "$fd"
	done
}

# A damaged swap file must stop the program: it may not go on with other bytes.
check_swap() {
	local how options
	quire_wanted "swap" || return 0
	for how in overwritten cut; do
		for options in "" "--swap file:$work/in/swap"; do
			check_damage "$how" "$options"
		done
	done
	check_faults
	check_swap_file_kept
	check_spill
}

# Transfers that fail on command.  A read has no other copy to fall back on, but one of
# pages ahead of the program can be tried again; a write that fails leaves the page where
# it was.
check_faults() {
	local kind nr want faults
	find_trial ends
	for kind in swap-read swap-flip swap-write; do
		want='0|125'
		[[ $kind != swap-write ]] || want='0|125|137'
		for nr in 1 7 500; do
			observe fault "$quire" run --ram "${ram}M" "${quire_options[@]}" \
				--fault "$kind:$nr" -- "$program" noise $((3 * ram))
			faults=$(status_faults "$want"; record_faults "$rec" fault "$ram"; tmp_faults)
			((status == 0)) || grep -q '^quire: ' "$rec.err" ||
				faults+=$'\n'"it ended without a message"
			((status == 0)) || [[ ! -s $rec.out ]] ||
				faults+=$'\n'"it ran on: $(<"$rec.out")"
			[[ $kind:$nr != swap-read:1 && $kind:$nr != swap-flip:1 ]] ||
				((status == 125)) ||
				faults+=$'\n'"the first page to come back was lost, and it ran on"
			((status != 0)) || grep -q '^kept' "$rec.out" ||
				faults+=$'\n'"it ended as if all was well"
			verdict "swap with the fault $kind:$nr" "$faults"
		done
	done
}

check_damage() { # HOW OPTIONS
	local file size nr=0 options faults=
	read -ra options <<<"$2"
	start_holder $((4 * ram)) "${options[@]}"
	for file in $(swap_files "$ready_pid"); do
		size=$(stat -L -c %s "$file")
		((size > 0)) || continue
		if [[ $1 == cut ]]; then
			: >"$file"
		else
			head -c "$size" /dev/urandom | dd of="$file" bs=1M conv=notrunc status=none
		fi
		nr=$((nr + 1))
	done
	finish_holder
	((nr > 0)) || faults="no swap file was found to damage"$'\n'
	faults+=$(status_faults 125; tmp_faults)
	grep -Eq '^quire: .*(swap|checksum)' "$rec.err" ||
		faults+=$'\n'"no message names the fault: $(tail -n 2 "$rec.err")"
	! grep -q 'right\|wrong' "$rec.out" || faults+=$'\n'"it ran on: $(tail -n 1 "$rec.out")"
	rm -f "$work/in/swap"
	verdict "swap file $1 (${2:-default})" "$faults"
}

# A file that was there before is the user's: refused, or left as it was.
check_swap_file_kept() {
	local file=$work/in/precious faults=
	echo "precious" >"$file"
	find_trial ends
	observe kept "$quire" run --ram "${ram}M" --swap "file:$file" -- "$program" noise \
		$((4 * ram))
	faults=$(status_faults '0|125')
	[[ -f $file && $(<"$file") == precious ]] || faults+="the file was destroyed"
	verdict "swap leaves a file that was there alone" "$faults"
}

# Data that does not compress, by each kind of swap that holds it.
check_spill() {
	local options
	find_trial ends
	for options in "" "--swap file:$work/in/swap" "--swap file:$work/in/swap,1G"; do
		local words
		read -ra words <<<"$options"
		observe spill "$quire" run --ram "${ram}M" "${quire_options[@]}" "${words[@]}" \
			-- "$program" noise $((4 * ram))
		verdict "swap holds noise (${options:-default})" \
			"$(status_faults 0; record_faults "$rec" spill "$ram"; tmp_faults)"
		rm -f "$work/in/swap"
	done
}

# Out of memory and swap: 137, and a line that says so.
check_oom() {
	local options words faults
	quire_wanted "oom" || return 0
	find_trial ends
	for options in "--swap none" "--swap ram" "--swap file:$work/in/swap,$((2 * ram))M"; do
		read -ra words <<<"$options"
		observe oom "$quire" run --ram "${ram}M" "${quire_options[@]}" "${words[@]}" -- \
			"$program" noise $((4 * ram))
		faults=$(status_faults 137; record_faults "$rec" oom "$ram"; tmp_faults)
		grep -q '^quire: out of memory:.*[0-9]' "$rec.err" ||
			faults+=$'\n'"no line with the figures: $(tail -n 2 "$rec.err")"
		[[ ! -s $rec.out ]] || faults+=$'\n'"it ran on: $(<"$rec.out")"
		rm -f "$work/in/swap"
		verdict "oom with $options" "$faults"
		observe fits "$quire" run --ram "${ram}M" "${quire_options[@]}" "${words[@]}" \
			-- "$program" noise $((ram / 2))
		verdict "oom spares what fits, $options" \
			"$(status_faults 0; record_faults "$rec" fits "$ram"; tmp_faults)"
		rm -f "$work/in/swap"
	done
	check_disk_full
}

# The disk itself is full before the swap file has its size: refused at the start, or
# out of memory later, but never wrong bytes.
check_disk_full() {
	local disk=$work/in/disk faults pattern
	mkdir -p "$disk"
	if ! unshare -m mount -t tmpfs -o size=8M none "$disk" 2>/dev/null; then
		skipped "oom on a full disk: no right to mount a small one"
		return
	fi
	# shellcheck disable=SC2016
	observe full unshare -m bash -c 'mount -t tmpfs -o size=8M none "$1" &&
		TMPDIR=$1 exec "${@:2}"' - "$disk" "$quire" run --ram "${ram}M" \
		"${quire_options[@]}" -- "$program" noise $((4 * ram))
	pattern='^quire: out of memory:.*[0-9]'
	((status != 125)) || pattern='^quire: .*swap'
	faults=$(status_faults '125|137'; record_faults "$rec" full "$ram"; tmp_faults)
	grep -q "$pattern" "$rec.err" ||
		faults+=$'\n'"no line names the fault: $(tail -n 2 "$rec.err")"
	[[ ! -s $rec.out ]] || faults+=$'\n'"it ran on: $(<"$rec.out")"
	verdict "oom on a full disk" "$faults"
}

# refuse STATUS PATTERN WORDS...: that exit status, one line on stderr that matches,
# nothing on stdout, nothing started.
refuse() {
	local want=$1 pattern=$2 faults
	shift 2
	rm -f "$work/in/started"
	observe refuse "$quire" "$@"
	faults=$(status_faults "$want"; tmp_faults)
	[[ ! -s $rec.out ]] || faults+=$'\n'"it printed on standard output"
	[[ $(wc -l <"$rec.err") == 1 ]] || faults+=$'\n'"not one line: $(head -n 3 "$rec.err")"
	grep -Eiq "^quire.*$pattern" "$rec.err" ||
		faults+=$'\n'"no '$pattern' in: $(head -n 2 "$rec.err")"
	[[ ! -e $work/in/started ]] || faults+=$'\n'"the program was started"
	verdict "refuse $(printf '%q ' "${@//$work/DIR}")" "$faults"
}

check_refuse() {
	quire_wanted "refuse" || return 0
	local touch=("touch" "$work/in/started") size
	refuse 125 verb nosuchverb
	refuse 125 option run --nosuch -- "${touch[@]}"
	refuse 125 '' run --ram 64M
	refuse 125 '' run --ram 64M --
	refuse 125 ram run --ram
	for size in "" abc 0 -5M 12MM 10X 0x 1.5.2M 99999999999999999999 \
		18446744073709551616 17179869184G 16777217T; do
		refuse 125 'ram' run --ram "$size" -- "${touch[@]}"
	done
	for size in 1 4K 1M; do
		refuse 125 '[0-9]+ ?(M|KiB|K)' run --ram "$size" -- "${touch[@]}"
	done
	check_refuse_swap
	check_refuse_programs
	check_refuse_privilege
}

check_refuse_swap() {
	local touch=("touch" "$work/in/started") swap
	for swap in bogus "" "file:" "file:/nonexistent/directory/swap" \
		"file:/proc/swap" "file:$work/in/s,0" \
		"file:$work/in/s,99999999999999999999" "file:$work/in/s,1K"; do
		refuse 125 swap run --ram 64M --swap "$swap" -- "${touch[@]}"
		[[ ! -e $work/in/s ]] || failed "refuse --swap $swap: it left a file"
	done
	refuse 125 report run --ram 64M --report /nonexistent/directory/report.json -- \
		"${touch[@]}"
}

# A copy of /bin/true as a program of another machine: two bytes of its header tell.
make_foreign() { # FILE OFFSET BYTES
	cp /bin/true "$1"
	printf '%b' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
	chmod 755 "$1"
}

check_refuse_programs() {
	local bin=$work/bin
	refuse 127 'no-such-program|not found' run --ram 64M -- no-such-program
	refuse 127 'nonexistent|not found' run --ram 64M -- /nonexistent/program
	refuse 127 '' run --ram 64M -- ""
	echo "not a program" >"$bin/plain-file"
	refuse 126 'execut|permission' run --ram 64M -- "$bin/plain-file"
	refuse 126 'director|execut|permission' run --ram 64M -- "$bin"
	chmod +x "$bin/plain-file"
	refuse 126 'execut|format|ELF' run --ram 64M -- "$bin/plain-file"
	printf '\177ELF' >"$bin/cut-short"
	chmod +x "$bin/cut-short"
	refuse 126 'execut|format|ELF' run --ram 64M -- "$bin/cut-short"
	make_foreign "$bin/aarch64" 18 '\xb7\x00'
	refuse 126 'architecture|machine' run --ram 64M -- "$bin/aarch64"
	make_foreign "$bin/elf32" 18 '\x03\x00'
	printf '\x01' | dd of="$bin/elf32" bs=1 seek=4 conv=notrunc status=none
	refuse 126 'architecture|machine|32' run --ram 64M -- "$bin/elf32"
	printf '#!/nonexistent/interpreter\n' >"$bin/lost"
	chmod +x "$bin/lost"
	refuse '126|127' 'interpreter|execut|not found' run --ram 64M -- "$bin/lost"
	check_refuse_static
	check_refuse_setuid
}

check_refuse_static() {
	echo 'int main(void) { return 0; }' >"$work/in/static.c"
	if "${CC:-cc}" -static -o "$work/bin/static" "$work/in/static.c" 2>"$work/cc.log"; then
		refuse 126 static run --ram 64M -- "$work/bin/static"
	else
		skipped "refuse a static program: no static libc to build one"
	fi
	if "${CC:-cc}" -static-pie -o "$work/bin/static-pie" "$work/in/static.c" \
		2>"$work/cc.log"; then
		refuse 126 static run --ram 64M -- "$work/bin/static-pie"
	else
		skipped "refuse a static PIE: no static libc to build one"
	fi
}

check_refuse_setuid() {
	if ((EUID != 0)); then
		skipped "refuse a setuid program: only root can make another user's"
		return
	fi
	cp /bin/true "$work/bin/setuid"
	chown 65534:65534 "$work/bin/setuid"
	chmod 4755 "$work/bin/setuid"
	refuse 126 'set-?(user|u)' run --ram 64M -- "$work/bin/setuid"
	cp /bin/true "$work/bin/setgid"
	chown 0:65534 "$work/bin/setgid"
	chmod 2755 "$work/bin/setgid"
	refuse 126 'set-?(group|g|user|u)' run --ram 64M -- "$work/bin/setgid"
}

# A user who may not: it works all the same, or one line points to quire doctor.
check_refuse_privilege() {
	local faults
	if ((EUID != 0)) || ! find_program setpriv util-linux; then
		skipped "refuse without privilege: only root can drop it"
		return
	fi
	mkdir -p "$work/nobody"
	chmod 755 "$work"
	chmod 777 "$work/nobody"
	if ! setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$quire"; then
		skipped "refuse without privilege: nobody cannot reach $quire"
		return
	fi
	observe nobody env TMPDIR="$work/nobody" setpriv --reuid=65534 --regid=65534 \
		--clear-groups --bounding-set=-all "$quire" run --ram 64M -- true
	if ((status != 0)); then
		faults=$(status_faults 125)
		[[ $(wc -l <"$rec.err") == 1 ]] || faults+="not one line: $(<"$rec.err")"
		grep -q 'quire doctor' "$rec.err" || faults+="nothing points to quire doctor"
	fi
	verdict "refuse without privilege, or run (exit $status)" "${faults:-}"
}

quire_reason=
((plain_only)) || quire_ready || true
for group in "${groups[@]}"; do
	if [[ " ${trials[*]} " == *" $group "* ]]; then
		check_trial "$group"
	elif declare -F "check_$group" >/dev/null; then
		"check_$group"
	else
		echo "run.sh: no group named $group" >&2
		exit 2
	fi
done
finish
