#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# install.sh - proves that what `make install` lays down is complete and can be used.
#
#     .ci/install.sh BUILD
#
# Installs BUILD into an empty folder, compiles a program against the headers and the
# pkg-config file there, and sees that it gets its malloc from the installed library, and
# that the installed command finds that library.
set -euo pipefail

build=$(realpath "$1")
root=$(mktemp -d "${TMPDIR:-/tmp}/quire-install.XXXXXX")
trap 'rm -rf "$root"' EXIT

fail()
{
	echo "install: $*" >&2
	exit 1
}

make --no-print-directory install BUILD="$build" PREFIX=/usr DESTDIR="$root" >/dev/null
pc=$(find "$root" -name quire.pc)
library=$(find "$root" -name libquire.so)
[ -n "$pc" ] || fail "no quire.pc"
[ -n "$library" ] || fail "no libquire.so"
for path in /usr/bin/quire /usr/share/man/man1/quire.1 /usr/include/quire/quire.h; do
	[ -e "$root$path" ] || fail "no $path"
done
diff -rq include/quire "$root/usr/include/quire"

export PKG_CONFIG_SYSROOT_DIR=$root
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
cat >"$root/user.c" <<'PROGRAM'
#define _GNU_SOURCE
#include <quire/quire.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	Dl_info info;
	void *block = malloc(100);

	if (!block || !dladdr((void *)(size_t)&malloc, &info))
		return 1;
	free(block);
	puts(info.dli_fname);
	return 0;
}
PROGRAM
# shellcheck disable=SC2046  # flags are words
gcc -std=c17 -Wall -Wextra -Werror -o "$root/user" "$root/user.c" \
	$(pkg-config --cflags --libs quire)
got=$(LD_LIBRARY_PATH=$(dirname "$library") "$root/user")
[ "$got" = "$library" ] || fail "malloc comes from $got, not from $library"
"$root/usr/bin/quire" --version | grep -q '^quire [0-9]' || fail "quire --version is silent"
