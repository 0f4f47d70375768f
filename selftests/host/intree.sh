#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Copied into a kernel tree, the drivers are configured and built like any other:
# as modules and built in.
. selftests/host/tap.sh

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

unpack() {
	tar -xf "$(ls /kernels/6.12*/source/linux.tar.xz | tail -n 1)" -C "$tree" \
		--strip-components=1
}

configure() {
	scripts/add-to-tree "$tree" && scripts/add-to-tree "$tree" &&
	cd "$tree" && make -s allnoconfig &&
	for o in 64BIT MODULES MMU PCI TRANSPARENT_HUGEPAGE TRANSPARENT_HUGEPAGE_ALWAYS \
		DEBUG_FS FTRACE ENABLE_DEFAULT_TRACERS DMABUF_HEAPS DMABUF_HEAPS_SYSTEM \
		NET INET IPV6; do
		scripts/config -e "$o"
	done &&
	scripts/config "$1" DMABUF_HEAPS_PFNMAP "$1" INFINIBAND "$1" RDMA_RXE &&
	make -s olddefconfig &&
	for o in DMABUF_HEAPS_PFNMAP DMA_BUF_EXPORTER RDMA_RXE DMA_BUF_IMPORTER; do
		grep "^CONFIG_$o=$2" .config || return 1
	done
}

build() {
	cd "$tree" && make -s -j"$(nproc)" KCFLAGS=-Werror "$@" >log 2>&1 ||
		{ tail -n 20 log; return 1; }
}

built() { [ -s "$tree/$1" ]; }

hooked_once() {
	[ "$(grep -c exporter "$tree/drivers/dma-buf/Makefile")" = 1 ] &&
		[ "$(grep -c rxe_dmabuf "$tree/drivers/infiniband/sw/rxe/Makefile")" = 1 ]
}

tap "unpack" unpack
tap "configure as modules" configure -m m
tap "hooks appear once" hooked_once
tap "build as modules" build drivers/dma-buf/ drivers/infiniband/sw/rxe/
tap "exporter.o" built drivers/dma-buf/exporter/dma_buf_exporter.o
tap "importer.o" built drivers/dma-buf/importer/dma_buf_importer.o
tap "rdma_rxe.o" built drivers/infiniband/sw/rxe/rdma_rxe.o
tap "heap.o" built drivers/dma-buf/heaps/pfnmap/pfnmap_heap.o
tap "configure built in" configure -e y
tap "build built in" build drivers/dma-buf/ drivers/infiniband/sw/rxe/
tap "built-in.a" built drivers/dma-buf/built-in.a
tap "rdma_rxe built in" built drivers/infiniband/sw/rxe/built-in.a
tap_end
