#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The sources as a maintainer's first look finds them: checkpatch --strict on
# every file, files of a size to hold in mind, a kernel-doc comment on every
# exported symbol, and no version check outside the compat header.
. selftests/host/tap.sh

checkpatch=$(ls -d /kernels/6.12*/source/scripts/checkpatch.pl | tail -n 1)

files=$(find drivers include uapi selftests tools Documentation -name '*.[ch]' 2>/dev/null | sort)

# What is misspelled, but for words of the kernel's own.
words=$(mktemp)
trap 'rm -f "$words"' EXIT
python3 -c 'import codespell_lib as c; print(c.__path__[0] + "/data/dictionary.txt")' |
	xargs grep -vE '^(filp|iput)->' >"$words"

# check IGNORED FILE...: once for many files, because checkpatch is slow to start
check() {
	ignored=$1
	shift
	out=$(perl "$checkpatch" --strict --no-tree --quiet --ignore "$ignored" --codespell \
		--codespellfile="$words" --show-types -f "$@" 2>&1) && [ -z "$out" ] && return
	printf '%s\n' "$out"
	return 1
}

of() { printf '%s\n' "$files" | grep -E "$1"; }
not_of() { printf '%s\n' "$files" | grep -vE "$1"; }

documented() { # FILE
	bad=0
	for symbol in $(sed -n 's/^EXPORT_SYMBOL[A-Z_]*(\([a-z_]*\).*/\1/p' "$1"); do
		grep -q "^ \* $symbol - " "$1" || { echo "$symbol has no kernel-doc"; bad=1; }
		awk -v s=" * $symbol - " 'index($0, s) == 1 { on = 1 } on { print } /\*\// { on = 0 }' "$1" |
			grep -q 'Context:' || { echo "$symbol: no Context:"; bad=1; }
	done
	return $bad
}

one_compat_header() {
	! grep -rln 'LINUX_VERSION_CODE' --include='*.[ch]' drivers include uapi selftests Documentation |
		grep -v '^include/linux/dma-buf-compat.h$'
}

small() { # FILE
	[ "$(wc -l <"$1")" -le 500 ] || { echo "$(wc -l <"$1") lines"; return 1; }
}

# Types are ignored only where the subject of the file is what they ask to avoid:
# versions in the compat header, the layout of trace event macros, the names of
# user space's libraries and types.
programs='^selftests/[^/]*.[ch]$|^selftests/(gup_surface|rdma|torture)/|^tools/'
special="/dma-buf-compat.h\$|/trace.h\$|$programs"
tap "checkpatch" check NONE $(not_of "$special")
tap "checkpatch of the compat header" check LINUX_VERSION_CODE,CONSTANT_COMPARISON \
	$(of '/dma-buf-compat.h$')
tap "checkpatch of trace events" check OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT $(of '/trace.h$')
tap "checkpatch of programs" check \
	CAMELCASE,PREFER_KERNEL_TYPES,PREFER_DEFINED_ATTRIBUTE_MACRO $(of "$programs")
for f in $files; do
	tap "size of $f" small "$f"
done
for f in $(grep -rlE '^EXPORT_SYMBOL' drivers | sort); do
	tap "kernel-doc of exported symbols $f" documented "$f"
done
tap "versions only in the compat header" one_compat_header
tap_end
