#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The change to rdma-core applies to the distribution's version and to the newest, and
# what it touches compiles. The sources are kept: they are fetched once.
. selftests/host/tap.sh

kept=/var/cache/rdma-core
patches=$PWD/patches/rdma-core

# fetch SUITE: the source, from the mirror that the root was made from
fetch() {
	dir=$kept/$1
	[ ! -e "$dir/source/CMakeLists.txt" ] || return 0
	mkdir -p "$dir/lists/partial" && cd "$dir" || return
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		sed -n 's/^deb \([^ ]*\) [a-z]* main$/deb-src \1 '"$1"' main/p' |
		head -n 1 >sources.list
	set -- -qq -o Dir::State::Lists="$dir/lists" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Cache::pkgcache= \
		-o Dir::Cache::srcpkgcache=
	# A mirror's copy of a suite that is always in motion may be old.
	apt-get update -o Acquire::Check-Valid-Until=false "$@" &&
		apt-get source --download-only --tar-only "$@" rdma-core || return
	mkdir -p source && tar -xf ./*.orig.tar.* -C source --strip-components=1
	status=$?
	rm -rf lists ./*.orig.tar.*
	return $status
}

applies() { # SUITE
	rm -rf "$tmp/$1" && cp -r "$kept/$1/source" "$tmp/$1" &&
		for p in "$patches"/*.patch; do
			patch -s -d "$tmp/$1" -p1 -F0 <"$p" || return
		done
}

# rdma-core's own build puts its headers in these places.
compiles() { # SUITE
	src=$tmp/$1 inc=$tmp/$1.inc
	mkdir -p "$inc/infiniband" "$inc/rdma" "$inc/kernel-abi" "$inc/ccan" "$inc/util"
	cp "$src"/libibverbs/*.h "$src"/kernel-headers/rdma/ib_user_ioctl_verbs.h "$inc/infiniband/"
	cp -r "$src"/kernel-headers/rdma/* "$inc/rdma/"
	cp "$src"/ccan/*.h "$inc/ccan/"
	cp "$src"/util/*.h "$inc/util/"
	for h in ib_user_verbs rdma_user_rxe; do
		python3 "$src/buildlib/make_abi_structs.py" "$src/kernel-headers/rdma/$h.h" \
			"$inc/kernel-abi/$h.h" || return
	done
	: >"$inc/config.h"
	gcc -D_GNU_SOURCE -Wall -Werror -I"$inc" -c -o "$inc/rxe.o" "$src/providers/rxe/rxe.c" &&
		nm "$inc/rxe.o" | grep -q 'U ibv_cmd_reg_dmabuf_mr'
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for suite in $(. /etc/os-release && echo "$VERSION_CODENAME") sid; do
	if (fetch "$suite") >"$tmp/log" 2>&1; then
		tap "applies to $suite" applies "$suite"
		tap "compiles in $suite" compiles "$suite"
	else
		sed 's/^/# /' "$tmp/log"
		tap_skip "applies to $suite" "the source of rdma-core of $suite"
		tap_skip "compiles in $suite" "the source of rdma-core of $suite"
	fi
done
tap_end
