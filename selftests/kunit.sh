#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kunit.sh MODULE: load a module with a suite of KUnit tests, and print what they say in
# the kernel log: KTAP, in which the tests of a suite are one step below it.

mark="kunit.sh: $1 $$"
if ! modprobe -q kunit enable=1; then
	printf 'TAP version 13\n1..1\nok 1 %s # SKIP no KUnit (CONFIG_KUNIT) in this kernel\n' "$1"
	exit 0
fi
echo "$mark" >/dev/kmsg
modprobe "$1" || exit 1
dmesg | sed -n "/$mark/,\$s/^\[[^]]*\]     //p" |
	grep -E '^ *(KTAP version|1\.\.|ok |not ok |# )'
rmmod "$1"
