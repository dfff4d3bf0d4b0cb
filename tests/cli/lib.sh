# SPDX-License-Identifier: MIT
# Shared by the tests of the command; sourced after QUIRE is set.

nr_passed=0
nr_failed=0
nr_skipped=0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

passed()
{
	nr_passed=$((nr_passed + 1))
}

failed()
{
	nr_failed=$((nr_failed + 1))
	echo "FAIL: $*"
}

skipped()
{
	nr_skipped=$((nr_skipped + 1))
	echo "SKIP: $*"
}

# What the command's environment has besides: NAME=VALUE; a command of env(1) may follow.
settings=()

# Runs the command with the rest of the arguments, keeping what it says and its status.
try()
{
	status=0
	env "${settings[@]}" "$QUIRE" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
}

# expect STATUS REGEX ARG...: the status, nothing on stdout, and on stderr one line alone.
expect()
{
	local want=$1 regex=$2

	shift 2
	try "$@"
	if [ "$status" != "$want" ]; then
		failed "quire $*: status $status, not $want: $(cat "$scratch/err")"
	elif [ -s "$scratch/out" ]; then
		failed "quire $*: stdout says $(cat "$scratch/out")"
	elif [ "$(wc -l <"$scratch/err")" != 1 ]; then
		failed "quire $*: not one line: $(cat "$scratch/err")"
	elif ! grep -Eq "^quire: $regex" "$scratch/err"; then
		failed "quire $*: stderr says $(cat "$scratch/err"), not $regex"
	else
		passed
	fi
}

# equal WHAT WANTED GOT
equal()
{
	if [ "$2" = "$3" ]; then
		passed
	else
		failed "$1: wanted '$2', got '$3'"
	fi
}

# says WHAT FILE REGEX
says()
{
	if grep -Eq -- "$3" "$2"; then
		passed
	else
		failed "$1: no '$3' in: $(cat "$2")"
	fi
}

# Waits until a command is true; it is asked 200 times at most.
await()
{
	local i

	for ((i = 0; i < 200; i++)); do
		if "$@"; then
			return 0
		fi
		sleep 0.05
	done
	return 1
}

# A test leaves nothing in its folders, and says how it went.
finish()
{
	echo "$nr_passed passed, $nr_failed failed, $nr_skipped skipped"
	[ "$nr_failed" = 0 ]
}
