#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own test of dma-buf heaps, tools/testing/selftests/dmabuf-heaps,
# as that kernel has it: it visits every heap below /dev/dma_heap, so ours
# beside the system heap. Compiled by build-dmabuf-heaps, one for each kernel.
#
# It prints TAP: 11 results a heap on 6.12, 12 on 7.3, one of them an import
# into vgem.

program=$(dirname -- "$0")/dmabuf-heap-$(uname -r)

skip() {
	echo "TAP version 13"
	echo "1..1"
	echo "ok 1 dmabuf-heaps # SKIP $*"
	exit 0
}

[ -x "$program" ] || skip "dmabuf-heap of $(uname -r) (see selftests/build-dmabuf-heaps)"
[ -c /dev/dma_heap/pfnmap ] || skip "no /dev/dma_heap/pfnmap"
modprobe -q vgem || echo "# no vgem: the import is skipped"

# Heaps of memory without struct page are none of what it tests: vgem cannot
# import them. It shall find the others only.
heaps=$(mktemp -d)
for heap in /dev/dma_heap/*; do
	case $heap in */pfnmap-*) ;; *) cp -a "$heap" "$heaps/" ;; esac
done
export program heaps
exec unshare --mount sh -c 'mount --bind "$heaps" /dev/dma_heap && exec "$program"'
