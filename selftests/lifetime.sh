#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# No module goes while something of it is in use: a file, a mapping, an
# attachment, a fence, a fault. And it does go at once when the last of them went.

dir=$(dirname -- "$0")
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
buffers=/sys/kernel/debug/dma_buf_exporter/buffers
cycles=200
. "$dir/results.sh"

loaded() { [ -d "/sys/module/$1" ]; }

live() { sed 1d "$buffers" | wc -l; }

# expect WHAT COMMAND...: fails the current test, and says so, if COMMAND does
expect() {
	what=$1
	shift
	"$@" || { echo "# expected: $what"; ok=1; }
}

# What a caller of delete_module() is told, not what a tool makes of it.
refused() {
	LC_ALL=C rmmod "$1" >"$tmp/rmmod" 2>&1 && return 1
	grep -q 'in use' "$tmp/rmmod" || { sed 's/^/# /' "$tmp/rmmod"; return 1; }
	loaded "$1"
}

# hold WHAT: lifetime_hold in the background, once it has what it holds
hold() {
	rm -f "$tmp/in" "$tmp/out"
	mkfifo "$tmp/in" "$tmp/out"
	"$dir/lifetime_hold" "$1" <"$tmp/in" >"$tmp/out" 2>&1 &
	holder=$!
	exec 3>"$tmp/in" 4<"$tmp/out"
	read -r answer <&4
	[ "$answer" = ready ] || { echo "# lifetime_hold $1: $answer"; ok=1; }
}

release() {
	exec 3>&-
	expect "lifetime_hold ends well" wait "$holder"
	sed 's/^/# lifetime_hold: /' <&4
	exec 4<&-
}

# held MODULE WHAT NAME: MODULE stays while WHAT is held, and goes after that
held() {
	ok=0
	modprobe "$1" || ok=1
	hold "$2"
	expect "rmmod is refused" refused "$1"
	release
	expect "no buffer is left" [ "$(live)" = 0 ]
	expect "rmmod works" rmmod "$1"
	result "$ok" "$3"
}

echo "TAP version 13"
echo "1..11"
loaded exporter_test && rmmod exporter_test

held exporter_test fd "exporter_test stays while a file is open"
held exporter_test mapping "exporter_test stays while a mapping lives"
held exporter_test node-mapping "exporter_test stays while its node is mapped"
held exporter_test fault "exporter_test stays while a fault sleeps in what was its node's mapping"
held exporter_test attachment "exporter_test stays while an importer is attached"
held exporter_test fence "exporter_test stays while a sync_file has a pending fence"
held exporter_test signalled-fence "exporter_test stays while a sync_file has a signalled fence"

# Where the core has heaps of modules, it cannot remove one: the module stays.
name="pfnmap_heap stays while a mapping lives"
if [ -e /sys/module/dma_heap/parameters/mem_accounting ]; then
	ok=0
	hold heap-mapping
	expect "rmmod is refused" refused pfnmap_heap
	release
	expect "no buffer is left" [ "$(live)" = 0 ]
	result "$ok" "$name"
	ok=0
	expect "rmmod is refused" refused pfnmap_heap
	result "$ok" "pfnmap_heap is permanent on this kernel"
else
	held pfnmap_heap heap-mapping "$name"
	ok=0
	expect "the node is gone" [ ! -e /dev/dma_heap/pfnmap ]
	for i in 1 2 3 4 5; do
		expect "modprobe works" modprobe pfnmap_heap
		expect "the node is back" [ -c /dev/dma_heap/pfnmap ]
		expect "rmmod works" rmmod pfnmap_heap
	done
	modprobe pfnmap_heap || ok=1
	hold heap-mapping
	release
	result "$ok" "pfnmap_heap goes and comes back when idle"
fi

ok=0
modprobe exporter_test || ok=1
expect "rmmod is refused" refused dma_buf_exporter
rmmod exporter_test || ok=1
result "$ok" "dma_buf_exporter stays while modules use it"

# In kB; what one cycle leaves behind shows after all of them.
unreclaimable() { sed -n 's/^SUnreclaim: *\([0-9]*\) kB/\1/p' /proc/meminfo; }

ok=0
i=0
while [ $i -lt $cycles ] && [ $ok = 0 ]; do
	[ $i != 20 ] || before=$(unreclaimable)
	modprobe exporter_test || ok=1
	"$dir/lifetime_hold" mapping </dev/null >"$tmp/out.txt" || ok=1
	rmmod exporter_test || ok=1
	i=$((i + 1))
done
grown=$(($(unreclaimable) - before))
echo "# $i cycles, $grown kB of slab"
expect "no buffer is left" [ "$(live)" = 0 ]
expect "less than 8 MiB of slab" [ "$grown" -lt 8192 ]
result "$ok" "exporter_test comes and goes $cycles times"

totals
