# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts of the test bed; sourced, never run.

set -euo pipefail

TESTBED=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
TOP=$(dirname -- "$TESTBED")
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/dma-buf-pfnmap
BUILD=$TOP/build

# shellcheck source=versions
. "$TESTBED/versions"

mkdir -p "$CACHE" "$BUILD"
PATH=$PATH:/usr/sbin:/sbin	# mke2fs, for those whose shell leaves them out

say() { printf '%s\n' "testbed: $*" >&2; }
die() { say "$*"; exit 1; }

# packages FILE: the names in a package list, comments left out
packages() { sed 's/#.*//' "$1" | xargs -n1; }

# key FILE...: short hash of what an artefact is made from
key() { cat -- "$@" | sha256sum | cut -c1-12; }

# once LOCK CMD...: run CMD with the named cache lock held, so that two runs
# on one machine build an artefact once
once() {
	local lock=$CACHE/$1.lock
	shift
	(flock 9 && "$@") 9>"$lock"
}

# as_root CMD...: CMD with the rights to chroot and to own files as root.
# A user namespace is enough; sudo is the fallback where they are forbidden.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif unshare --user --map-root-user --mount true 2>/dev/null; then
		unshare --user --map-root-user --mount "$@"
	else
		sudo -- "$@"
	fi
}

# need PROGRAM PACKAGE: install PACKAGE on the host unless PROGRAM (or the file
# of that name) is there
need() {
	! command -v "$1" >/dev/null && [ ! -e "$1" ] || return 0
	local sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	say "installing $2 on this host (for $1)"
	[ -n "$(find /var/lib/apt/lists -name '*Packages*' -print -quit 2>/dev/null)" ] ||
		$sudo apt-get -qq update
	DEBIAN_FRONTEND=noninteractive $sudo apt-get -qq install -y \
		--no-install-recommends "$2" >"$BUILD/host-install.log" 2>&1 ||
		{ tail -n 20 "$BUILD/host-install.log" >&2; die "cannot install $2"; }
}

# in_root CMD...: run CMD inside the guest root, on the host's processors.
# The project is at /src and the unpacked kernels are at /kernels.
in_root() {
	local root
	root=$("$TESTBED/root" tree) || exit 1
	as_root unshare --mount "$TESTBED/enter" "$root" "$CACHE/kernels" "$TOP" "$@"
}

# modules_image DIR: the modules of an unpacked kernel, as the guest's second disk
modules_image() {
	as_root mke2fs -q -F -t ext4 -O ^has_journal -E root_owner=0:0 \
		-d "$1/usr/lib/modules" "$1/modules.img" 300M >/dev/null
}

# headers VERSION: the headers' Makefiles name each other by absolute paths, so
# they appear in the root where their packages would have put them.
headers() {
	local tree
	tree=$("$TESTBED/root" tree)
	[ ! -L "$tree/usr/src/linux-headers-$1" ] || return 0
	as_root sh -e -c '
		tree=$1 v=$2 dir=$3
		mkdir -p "$tree/usr/src" "$tree/usr/lib/modules"
		for d in "$dir"/usr/src/*; do
			ln -sfn "/kernels/$v/usr/src/${d##*/}" "$tree/usr/src/${d##*/}"
		done
		for d in "$dir"/usr/lib/linux-kbuild-*; do
			[ -e "$d" ] || continue
			ln -sfn "/kernels/$v/usr/lib/${d##*/}" "$tree/usr/lib/${d##*/}"
		done' sh "$tree" "$1" "$CACHE/kernels/$1"
}
