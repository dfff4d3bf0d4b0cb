#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# deps.sh - see to it that this machine has what the build needs.
#
#     scripts/deps.sh [--check] build|test
#
# Each need is a probe and the Debian package that satisfies it; test includes build.
# When every probe succeeds nothing else happens: no package list is fetched.  Otherwise
# the missing packages are installed with apt-get, as root or through sudo.  Where that
# cannot be done, and with --check, they are named and the exit status is 1.
set -euo pipefail

usage()
{
	echo "usage: scripts/deps.sh [--check] build|test" >&2
	exit 2
}

# Group, package, probe.  The probes ask for the thing itself, not for the package, so
# that they hold on systems that name their packages differently.  libc6-dev stands on
# its own because gcc only recommends it.
needs()
{
	cat <<'TABLE'
build gcc            has_command gcc
build libc6-dev      has_header stdio.h
build meson          has_command meson
build ninja-build    has_command ninja
build pkg-config     has_command pkg-config
build liblz4-dev     has_archive liblz4
build libxxhash-dev  has_module libxxhash
build libjansson-dev has_module jansson
build libcmocka-dev  has_module cmocka
build python3        has_command python3
test  binutils       has_command nm
test  clang          has_command clang
test  clang-format   has_command clang-format
test  git            has_command git
test  libunwind8     has_shared libunwind.so.8
test  man-db         has_command man
test  util-linux     has_command setarch
TABLE
}

has_command()
{
	command -v "$1" >/dev/null
}

has_header()
{
	has_command gcc && echo "#include <$1>" | gcc -E -x c - >/dev/null 2>&1
}

has_module()
{
	has_command pkg-config && pkg-config --exists "$1"
}

# The library is linked statically, so the .a must be there as well.
has_archive()
{
	has_module "$1" && [ -e "$(pkg-config --variable=libdir "$1")/$1.a" ]
}

has_shared()
{
	PATH=$PATH:/sbin:/usr/sbin ldconfig -p | grep -F "$1 " >/dev/null
}

# Prints the packages of the wanted groups whose probe fails.
missing()
{
	local group package probe

	needs | while read -r group package probe; do
		[[ " $* " == *" $group "* ]] || continue
		# shellcheck disable=SC2086  # a probe is a command and its argument
		$probe </dev/null || echo "$package"
	done
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

refuse()
{
	{
		echo "quire: $1"
		echo "quire: needed here, by their Debian names: ${packages[*]}"
	} >&2
	exit 1
}

install_packages()
{
	has_command apt-get || refuse "this system has no apt-get; please install what follows"
	[ "$(id -u)" = 0 ] || has_command sudo ||
		refuse "installing packages needs root or sudo; please install what follows"
	echo "quire: installing ${packages[*]}"
	as_root apt-get -q update
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o DPkg::Lock::Timeout=600 install --no-install-recommends "${packages[@]}"
}

check=false
[ "${1-}" = --check ] && { check=true; shift; }
case "${1-}" in
build) groups=(build) ;;
test) groups=(build test) ;;
*) usage ;;
esac

read -r -d '' -a packages <<<"$(missing "${groups[@]}")" || true
[ ${#packages[@]} = 0 ] && exit 0
"$check" && refuse "not everything is here (make deps installs it)"
install_packages
read -r -d '' -a packages <<<"$(missing "${groups[@]}")" || true
[ ${#packages[@]} = 0 ] || refuse "still missing after the installation"
