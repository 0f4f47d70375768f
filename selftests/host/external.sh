#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What a driver author types: make modules KDIR=..., modules_install, and the
# same through dkms.conf, for every kernel whose headers are there.
. selftests/host/tap.sh

copy() {
	dir=$(mktemp -d)
	cp -r Kbuild Makefile dkms.conf drivers include scripts uapi selftests Documentation "$dir/"
	echo "$dir"
}

modules() { # VERSION
	dir=$(copy)
	make -s -C "$dir" rxe KSRC="/kernels/$1/source" >"$dir/log" 2>&1 &&
		make -s -C "$dir" modules KDIR="/usr/src/linux-headers-$1" >>"$dir/log" 2>&1 &&
		make -s -C "$dir" modules_install KDIR="/usr/src/linux-headers-$1" \
			INSTALL_MOD_PATH="$dir/root" DEPMOD=true >>"$dir/log" 2>&1 ||
		{ tail -n 20 "$dir/log"; rm -rf "$dir"; return 1; }
	n=$(find "$dir/root" -name 'dma_buf_*porter.ko*' -o -name 'pfnmap_heap.ko*' \
		-o -name 'rdma_rxe.ko*' | wc -l)
	find "$dir/root" -name '*.ko*'
	rm -rf "$dir"
	[ "$n" = 4 ]
}

dkms() { # VERSION
	dir=$(mktemp -d)
	mkdir -p "$dir/dma-buf-pfnmap/0.1"
	mv "$(copy)" "$dir/dma-buf-pfnmap/0.1/build"
	cd "$dir/dma-buf-pfnmap/0.1/build" || return 1
	(
		# shellcheck disable=SC2034 # what dkms sets before it reads the file
		kernel_source_dir=/usr/src/linux-headers-$1 dkms_tree=$dir
		PACKAGE_NAME=dma-buf-pfnmap PACKAGE_VERSION=0.1
		sed 's/^\([A-Z_]*\)\[\([0-9]\)\]=/\1_\2=/' dkms.conf >conf.sh
		. ./conf.sh
		eval "$MAKE_0" >log 2>&1 || { tail -n 20 log; exit 1; }
		[ -s "$BUILT_MODULE_LOCATION_0/$BUILT_MODULE_NAME_0.ko" ] &&
			[ -s "$BUILT_MODULE_LOCATION_1/$BUILT_MODULE_NAME_1.ko" ] &&
			[ -s "$BUILT_MODULE_LOCATION_2/$BUILT_MODULE_NAME_2.ko" ]
	)
	status=$?
	rm -rf "$dir"
	return $status
}

for headers in /usr/src/linux-headers-*-amd64; do
	version=${headers#/usr/src/linux-headers-}
	tap "make modules $version" modules "$version"
	tap "dkms.conf $version" dkms "$version"
done
tap_end
