#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Perl: nested hashes and arrays, sorted, matched and rebuilt.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case_name=perl
case_needs=perl:perl-base

case_prepare() { :; }

case_work() {
	PERL_HASH_SEED=0 PERL_PERTURB_KEYS=0 step structures \
		perl "$lib_dir/structures.pl" $((quick ? 60000 : 700000)) >"$1/out"
}

case_main "$@"
