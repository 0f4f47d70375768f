#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# No warning of the compiler (W=1) or of sparse in our files, on any kernel.
. selftests/host/tap.sh

# The soft-RoCE driver of that kernel, with ours in it.
make_rxe() { # VERSION DIR
	scripts/rxe-source "/kernels/$1/source" "$2/drivers/infiniband/sw/rxe/build"
}

warnings() { # VERSION
	dir=$(mktemp -d)
	cp -r Kbuild drivers include uapi selftests Documentation "$dir/"
	make_rxe "$1" "$dir" || { rm -rf "$dir"; return 1; }
	make -s -j2 -C "/usr/src/linux-headers-$1" M="$dir" C=2 CF='-D__CHECK_ENDIAN__' W=1 \
		CONFIG_DMA_BUF_EXPORTER=m CONFIG_DMA_BUF_IMPORTER=m \
		CONFIG_DMABUF_HEAPS_PFNMAP=m \
		CONFIG_DMA_BUF_EXPORTER_TEST=m modules >"$dir/log" 2>&1
	status=$?
	# Headers of the kernel, and its soft-RoCE, have warnings of their own.
	out=$(sed "s,$dir/,," "$dir/log" |
		awk '!/rxe\/build\// || /rxe_dmabuf/' |
		grep -E '^(\./)?(drivers|include/linux/dma-buf-|uapi|selftests|Documentation)[^:]*:[0-9:]+ ')
	[ $status -eq 0 ] || tail -n 20 "$dir/log"
	rm -rf "$dir"
	[ -z "$out" ] || printf '%s\n' "$out"
	[ $status -eq 0 ] && [ -z "$out" ]
}

for headers in /usr/src/linux-headers-*-amd64; do
	version=${headers#/usr/src/linux-headers-}
	tap "sparse $version" warnings "$version"
done
tap_end
