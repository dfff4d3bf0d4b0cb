#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# refusals.sh - everything that is wrong gets one line, the right status, and no program
# runs.
#
#     refusals.sh QUIRE FAKE_LIBRARY STATIC_PROGRAM
set -euo pipefail

QUIRE=$1
export QUIRE_LIBRARY=$2
static_program=$3
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

bin=$scratch/bin
mkdir "$bin" "$scratch/swap"
ran=$scratch/ran
# What would show that a program has run after all.
cat >"$bin/mark" <<MARK
#!/bin/sh
: >"$ran"
MARK
chmod 755 "$bin/mark"

run()
{
	local want=$1 regex=$2

	shift 2
	expect "$want" "$regex" run "$@"
}

echo "--- the command itself"
expect 125 "no verb given"
expect 125 "unknown verb 'frob'" frob
expect 125 "unknown option '--frob'" --frob
expect 125 "unknown verb 'frob'" help frob
expect 125 "doctor: unknown option '--frob'" doctor --frob
expect 125 "doctor: takes no argument" doctor x
expect 125 "report: no file given" report
expect 125 "report: one file at a time" report a b
expect 125 "$scratch/none.json: .*No such file" report "$scratch/none.json"
expect 125 "sim: no subject given" sim
expect 125 "sim: unknown subject .x." sim x
expect 125 "sim: one subject at a time" sim buddy buddy
expect 125 "sim: --seed: .-1. is not a number" sim --seed -1 buddy
expect 125 "sim: --show: unknown 'x'" sim frames --show x
expect 125 "sim: --buddy: unknown 'x'" sim frames --buddy x
expect 125 "sim: --ram: '1M' is not between" sim frames --ram 1M

echo "--- options of run"
run 125 "run: --ram SIZE is needed" -- "$bin/mark"
run 125 "run: no program given" --ram 256M
run 125 "run: no program given" --ram 256M --
run 125 "run: unknown option '--frob'" --frob "$bin/mark"
run 125 "run: unknown option '-x'" -x "$bin/mark"
run 125 "run: option '--st' is ambiguous" --st 1M "$bin/mark"
run 125 "run: option '--ram' needs a value" --ram
run 125 "run: option '--stats' takes no value" --stats=1 --ram 256M "$bin/mark"

echo "--- sizes"
for size in "" x 12x 1.5G -1 +1 0x10 1Mi 1KIB 1M1 "1 M" M; do
	run 125 "--ram: '.*' is not a size" --ram "$size" "$bin/mark"
done
run 125 "--ram: '0' is nothing" --ram 0 "$bin/mark"
run 125 "--ram: '0%' is nothing" --ram 0% "$bin/mark"
run 125 "--ram: '101%' is more than 100%" --ram 101% "$bin/mark"
run 125 "--ram: '.*' is too large" --ram 18446744073709551616 "$bin/mark"
run 125 "--ram: '.*' is too large" --ram 16777216T "$bin/mark"
run 125 "--ram: '16T' is more than Quire can manage" --ram 16T "$bin/mark"
run 125 "--ram: '64K' is too little: at least [0-9]+K is needed" --ram 64K "$bin/mark"
run 125 "--store: '1x' is not a size" --ram 256M --store 1x "$bin/mark"
run 125 "--store: '257M' is more than --ram" --ram 256M --store 257M "$bin/mark"
run 125 "--store: '1M' is of no use" --ram 256M --store 1M --swap none "$bin/mark"

# The least that is named must be enough, and a page less must not be.
try run --ram 64K "$bin/mark"
least=$(sed -n 's/.*at least \([0-9]*\)K is needed.*/\1/p' "$scratch/err")
run 125 "--ram: .* is too little" --ram "$((least - 4))K" "$bin/mark"
run 127 "nowhere: no such program" --ram "${least}K" nowhere

echo "--- features"
run 125 "--without: 'frob' names no feature" --ram 256M --without frob "$bin/mark"
run 125 "--without: 'wp,' names no feature" --ram 256M --without wp, "$bin/mark"
run 125 "--fault: 'frob:1' is not KIND:N" --ram 256M --fault frob:1 "$bin/mark"
run 125 "--fault: 'swap-read:x' is not KIND:N" --ram 256M --fault swap-read:x "$bin/mark"

echo "--- swap"
run 125 "--swap: 'frob' is none of" --ram 256M --swap frob "$bin/mark"
run 125 "--swap: 'file:' is not file:PATH" --ram 256M --swap file: "$bin/mark"
run 125 "--swap: $scratch/no/file: No such file" --ram 256M --swap "file:$scratch/no/file" \
	"$bin/mark"
run 125 "--swap: $bin/mark: exists already" --ram 256M --swap "file:$bin/mark" "$bin/mark"
run 125 "--swap: $scratch/swap has .* free, not 1.0 PiB" \
	--ram 256M --swap "file:$scratch/swap,1024T" "$bin/mark"
run 125 "--swap: /proc: " --ram 256M --swap file:/proc "$bin/mark"
run 125 "--swap: /proc/file: " --ram 256M --swap file:/proc/file "$bin/mark"
settings=("TMPDIR=$scratch/no")
run 125 "--swap: $scratch/no: No such file" --ram 256M "$bin/mark"
settings=()
equal "left in the swap folder" "" "$(ls -A "$scratch/swap")"

echo "--- report"
run 125 "--report $scratch/no/file: No such file" --ram 256M --report "$scratch/no/file" \
	"$bin/mark"
run 125 "--report $scratch: Is a directory" --ram 256M --report "$scratch" "$bin/mark"
run 125 "--report /dev/null: Invalid" --ram 256M --report /dev/null "$bin/mark"
run 125 "--report : No such file" --ram 256M --report "" "$bin/mark"

echo "--- programs"
program()
{
	run "$1" "$2" --ram 256M -- "$3"
}

# Copies of a good program, each with one thing wrong.
good=$(readlink -f "$(type -P true)")
copy()
{
	cp "$good" "$bin/$1"
	chmod 755 "$bin/$1"
}

# poke FILE OFFSET BYTES
poke()
{
	printf '%b' "$3" | dd of="$bin/$1" bs=1 seek="$2" conv=notrunc status=none
}

program 127 "nowhere: no such program" nowhere
program 127 ": no such program" ""
program 127 "$bin/nowhere: no such program" "$bin/nowhere"
program 126 "$bin/mark/x: Not a directory" "$bin/mark/x"
program 126 "$bin: Is a directory" "$bin"
program 126 "/dev/null: Permission denied" /dev/null
program 126 "$(printf 'x%.0s' {1..200})\.\.\.: File name too long" \
	"$(printf 'x%.0s' {1..5000})"
ln -s nowhere "$bin/dangling"
program 127 "$bin/dangling: no such program" "$bin/dangling"
ln -s loop "$bin/loop"
program 126 "$bin/loop: Too many levels" "$bin/loop"

copy plain && chmod 644 "$bin/plain"
program 126 "$bin/plain: Permission denied" "$bin/plain"
settings=("PATH=$bin:/nowhere")
program 126 "$bin/plain: Permission denied" plain
settings=("PATH=$bin:$PATH")
program 126 "$bin/plain: Permission denied" plain
settings=("PATH=/nowhere")
program 127 "mark: no such program" mark
settings=()

copy setuid && chmod u+s "$bin/setuid"
program 126 "$bin/setuid: setuid: no library may be preloaded" "$bin/setuid"
copy setgid && chmod g+s "$bin/setgid"
program 126 "$bin/setgid: setgid: no library may be preloaded" "$bin/setgid"
copy capable
if setcap cap_net_raw+ep "$bin/capable" 2>/dev/null; then
	program 126 "$bin/capable: has file capabilities" "$bin/capable"
else
	skipped "file capabilities: setcap is missing, or not allowed here"
fi

program 126 "$static_program: statically linked" "$static_program"
copy machine && poke machine 18 '\xf3\x00'
program 126 "$bin/machine: made for another architecture .*machine 243, 64 bits" \
	"$bin/machine"
copy class && poke class 4 '\x01'
program 126 "$bin/class: made for another architecture .*32 bits" "$bin/class"
copy order && poke order 5 '\x02'
program 126 "$bin/order: made for another architecture" "$bin/order"
copy type && poke type 16 '\x01\x00'
program 126 "$bin/type: damaged ELF file" "$bin/type"
copy headers && poke headers 32 '\xff\xff\xff\xff\xff\xff\xff\x7f'
program 126 "$bin/headers: damaged ELF file" "$bin/headers"
head -c 20 "$good" >"$bin/short" && chmod 755 "$bin/short"
program 126 "$bin/short: damaged ELF file" "$bin/short"
copy loader && sed -i 's/ld-linux-x86-64/ld-linux-x86-63/' "$bin/loader"
program 126 "$bin/loader: made for another C library" "$bin/loader"
copy path && sed -i 's,/lib64/ld-linux,/lib46/ld-linux,' "$bin/path"
program 127 "$bin/path: its loader /lib46/.*No such file" "$bin/path"
: >"$bin/empty" && chmod 755 "$bin/empty"
program 126 "$bin/empty: neither an ELF program nor a script" "$bin/empty"

script()
{
	printf '%s\n' "$2" ": >'$ran'" >"$bin/$1"
	chmod 755 "$bin/$1"
}
script bare ": no #! line"
program 126 "$bin/bare: neither an ELF program nor a script" "$bin/bare"
script nothing "#!  "
program 126 "$bin/nothing: its #! line names nothing" "$bin/nothing"
script missing "#!/nowhere/sh -e"
program 127 "$bin/missing: its interpreter /nowhere/sh: No such file" "$bin/missing"
script by_static "#!$static_program"
program 126 "$static_program: statically linked" "$bin/by_static"
script by_plain "#! $bin/plain x"
program 126 "$bin/by_plain: its interpreter $bin/plain: Permission denied" "$bin/by_plain"
script by_setuid "#!$bin/setuid"
program 126 "$bin/setuid: setuid" "$bin/by_setuid"
script itself "#!$bin/itself"
program 126 "$bin/itself: Too many levels" "$bin/itself"

echo "--- library"
settings=("QUIRE_LIBRARY=$scratch/none.so")
run 125 "QUIRE_LIBRARY: $scratch/none.so: No such file" \
	--ram 256M "$bin/mark"
mkdir "$scratch/a b"
cp "$QUIRE_LIBRARY" "$scratch/a b/lib.so"
settings=("QUIRE_LIBRARY=$scratch/a b/lib.so")
run 125 ".*no space or colon" --ram 256M "$bin/mark"
settings=()

echo "--- privilege"
# Copies that another user can reach.
chmod 755 "$scratch" "$bin"
cp "$QUIRE" "$scratch/quire"
cp "$QUIRE_LIBRARY" "$scratch/lib.so"
if [ "$(id -u)" = 0 ] && type -P setpriv >/dev/null &&
	[ "$(cat /proc/sys/vm/unprivileged_userfaultfd 2>/dev/null)" = 0 ]; then
	settings=("QUIRE_LIBRARY=$scratch/lib.so" setpriv --reuid 65534 --regid 65534
		--clear-groups --bounding-set=-all)
	QUIRE=$scratch/quire
	run 125 ".*'quire doctor'" --ram 256M --swap ram "$bin/mark"
	try doctor
	equal "doctor's status without privilege" 1 "$status"
	says "doctor" "$scratch/out" "MISSING  kernel-faults"
	says "doctor" "$scratch/out" "-> sudo "
else
	skipped "no privilege: needs root, setpriv and a closed vm.unprivileged_userfaultfd"
fi

[ ! -e "$ran" ] || failed "a program ran"
finish
