#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The documentation builds without a warning, and so do the kernel-doc comments.
# With the argument "build", builds it into build/doc/html and prints no KTAP.

KERNEL_SOURCE=$(ls -d /kernels/6.12*/source | tail -n 1)
export KERNEL_SOURCE

build() { # DIR
	python3 -m sphinx -q -W --keep-going -b html -d "$1/doctrees" Documentation "$1/html"
}

kernel_doc() { # FILE
	out=$(perl "$KERNEL_SOURCE/scripts/kernel-doc" -none -Wall "$1" 2>&1)
	[ -z "$out" ] || { printf '%s\n' "$out"; return 1; }
}

if [ "${1-}" = build ]; then
	build build/doc
	exit
fi

. selftests/host/tap.sh

dir=$(mktemp -d)
tap "sphinx" build "$dir"
for f in include/linux/*.h $(find drivers -name '*.[ch]' | sort); do
	tap "kernel-doc $f" kernel_doc "$f"
done
rm -rf "$dir"
tap_end
