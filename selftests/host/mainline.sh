#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The series for mainline: each patch applies to the newest kernel and passes checkpatch,
# what they add up to is what this project is built from, and it compiles.
. selftests/host/tap.sh

series=$PWD/patches/mainline/rdma
patches=$(find "$series" -name '0*.patch' ! -name '0000-*' | sort)
newest=/kernels/$(tail -n 1 /kernels/latest.version)
importer=drivers/dma-buf/importer
rxe=drivers/infiniband/sw/rxe

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
tree=$dir/tree
ours=$dir/ours

unpack() {
	mkdir "$tree" && tar -xf "$newest/source/linux.tar.xz" -C "$tree" --strip-components=1 &&
		cp -r "$tree/$rxe" "$dir/rxe"
}

# Only what the patches touch is put under git's control, which is quick, and the licenses,
# which checkpatch looks for there.
prepare() {
	cd "$tree" && git init -q . &&
		git config user.name mainline && git config user.email mainline@localhost &&
		sed -n 's|^--- a/||p' $patches | sort -u >"$dir/touched" &&
		while read -r f; do
			[ ! -e "$f" ] || git add -f "$f" || return
		done <"$dir/touched" &&
		git add -f LICENSES && git commit -q -m base
}

applies() { # PATCH
	cd "$tree" || return
	git am -q "$1" && return
	git am --abort
	return 1
}

# Whoever sends the series signs it. MAINTAINERS has the directories that get files, and
# trace events have a layout of their own.
passes() { # PATCH
	ignored=FILE_PATH_CHANGES
	case $1 in
	*importer*) ignored=$ignored,OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT ;;
	esac
	out=$(cd "$tree" && perl scripts/checkpatch.pl --strict --no-signoff --quiet --show-types \
		--ignore "$ignored" "$1" 2>&1) && [ -z "$out" ] && return
	printf '%s\n' "$out"
	return 1
}

# Ours as mainline would have it: without what makes up for older kernels.
translate() {
	for f in "$importer"/* include/linux/dma-buf-importer.h "$rxe"/*.[ch]; do
		mkdir -p "$ours/${f%/*}"
		case $f in
		*.[ch]) sed -Ef "$series/ours.sed" "$f" | cat -s >"$ours/$f" ;;
		*) cp "$f" "$ours/$f" ;;
		esac || return
	done
	patch -s -d "$ours" -p1 -F0 <"$series/ours.diff" &&
		! grep -rn -i compat "$ours"
}

# What rxe becomes when it is built here, by its hooks.
hooked() {
	mkdir -p "$dir/patched/$rxe" && cp "$dir/rxe"/* "$dir/patched/$rxe/" &&
		scripts/rxe-source "$dir/patched" "$dir/hooked" &&
		cp "$ours/$rxe"/*.[ch] "$dir/hooked/"
}

same_importer() {
	diff -u "$ours/include/linux/dma-buf-importer.h" "$tree/include/linux/dma-buf-importer.h" &&
		diff -ur "$ours/$importer" "$tree/$importer"
}

# The tree has what a build leaves behind only later.
same_rxe() { diff -ur "$dir/hooked" "$tree/$rxe"; }

# The functions, and the chapter, of which the kernel's documentation is made.
documented() {
	for f in "$tree/$importer"/*.[ch] "$tree/include/linux/dma-buf-importer.h"; do
		out=$(python3 "$tree/scripts/kernel-doc" -none -Wall "$f" 2>&1)
		[ -z "$out" ] || { printf '%s\n' "$out"; return 1; }
	done
	for f in $(cd "$tree" && grep -rl "^EXPORT_SYMBOL" "$importer"); do
		grep -A1 "kernel-doc:: $f" "$tree/Documentation/driver-api/dma-buf.rst" |
			grep -q ':export:' || { echo "$f is in no chapter"; return 1; }
	done
}

# The distribution's kernel, and what it leaves out of this: the tests.
configure() {
	cp "$newest/config" "$tree/.config" && cd "$tree" &&
		scripts/config -d SYSTEM_TRUSTED_KEYS -m RDMA_RXE -m KUNIT \
			-m DMA_BUF_IMPORTER_KUNIT_TEST &&
		make -s olddefconfig && make -s -j"$(nproc)" modules_prepare &&
		for o in RDMA_RXE DMA_BUF_IMPORTER DMA_BUF_IMPORTER_KUNIT_TEST; do
			grep "^CONFIG_$o=m" .config || return
		done
}

build() {
	cd "$tree" && make -s -j"$(nproc)" KCFLAGS=-Werror drivers/dma-buf/ "$rxe/" >log 2>&1 ||
		{ tail -n 20 log; return 1; }
}

built() { [ -s "$tree/$1" ]; }

tap "unpack" unpack
tap "prepare" prepare
for p in $patches; do
	tap "applies: ${p##*/}" applies "$p"
done
for p in $patches; do
	tap "checkpatch: ${p##*/}" passes "$p"
done
tap "our sources as mainline has them" translate
tap "our hooks" hooked
tap "the importer library is ours" same_importer
tap "soft-RoCE is ours" same_rxe
tap "kernel-doc" documented
tap "configure" configure
tap "build" build
for o in $importer/dma_buf_importer.o $importer/dma_buf_importer_kunit.o $rxe/rdma_rxe.o; do
	tap "${o##*/}" built "$o"
done
tap_end
