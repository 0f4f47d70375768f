#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Module parameters of the heap that must not be: each is refused, with a line
# that names the region and the rule, and leaves nothing behind. Needs a guest in
# which the heap has not been loaded, because some kernels never let go of it.

. "$(dirname -- "$0")/results.sh"

# refused ERROR LINE PARAMETER...: modprobe fails with ERROR, the kernel says LINE
refused() {
	error=$1 line=$2
	shift 2
	ok=0
	echo "heap_params: $n" >/dev/kmsg
	out=$(LC_ALL=C modprobe pfnmap_heap carveout= bar= "$@" 2>&1) && { echo "# it was loaded"; ok=1; }
	case $out in *"$error"*) ;; *) echo "# modprobe said: $out"; ok=1 ;; esac
	said=$(dmesg | sed "1,/heap_params: $n\$/d")
	case $said in *"pfnmap_heap: $line"*) ;; *)
		echo "# expected: pfnmap_heap: $line"
		printf '%s\n' "$said" | sed 's/^/# /'
		ok=1
	esac
	if [ -d /sys/module/pfnmap_heap ] || grep pfnmap_heap /proc/iomem; then
		echo "# something was left behind"
		ok=1
	fi
	result $ok "$*"
}

inval="Invalid argument"
nodev="No such device"
busy="Device or resource busy"
# BAR 1 of a virtio device holds interrupts, which its driver leaves unclaimed.
bound=$(basename "$(ls -d /sys/bus/pci/drivers/virtio-pci/0000:* | head -n 1)")
first=$(sed -n 's/^ *\([0-9a-f]*\)-.*System RAM$/\1/p' /proc/iomem | tail -n 1)

# A framebuffer console that is drawn while the machine goes down makes a warning.
dmesg -n 1

echo "TAP version 13"
echo "1..25"

syntax="must be NAME:BASE:SIZE"
refused "$inval" "carveout c: $syntax" carveout=c
refused "$inval" "carveout c:0x70000000: $syntax" carveout=c:0x70000000
refused "$inval" "carveout c:here:1M: $syntax" carveout=c:here:1M
refused "$inval" "carveout c:0x70000000:1Mx: $syntax" carveout=c:0x70000000:1Mx
refused "$inval" "carveout c:0x70000000:: $syntax" carveout=c:0x70000000:
refused "$inval" "carveout : $syntax" carveout=c:0x70000000:1M,
name="the name must be 1 to 24 letters, digits, '_' or '-'"
refused "$inval" "carveout :0x70000000:1M: $name" carveout=:0x70000000:1M
refused "$inval" "carveout a/b:0x70000000:1M: $name" carveout=a/b:0x70000000:1M
refused "$inval" "carveout a234567890123456789012345:0x70000000:1M: $name" \
	carveout=a234567890123456789012345:0x70000000:1M
multiples="base and size must be multiples of 4096, and size not 0"
refused "$inval" "carveout c: $multiples" carveout=c:0x70000001:1M
refused "$inval" "carveout c: $multiples" carveout=c:0x70000000:1000
refused "$inval" "carveout c: $multiples" carveout=c:0x70000000:0
refused "$inval" "carveout c: must not go past the last address" \
	carveout=c:0xfffffffffff00000:0x200000
refused "$inval" "carveout c: the kernel must not have memory at 0x6ff00000" \
	carveout=c:0x6ff00000:4M
refused "$inval" "carveout c: the kernel must not have memory at 0x$(echo "$first" | sed 's/^0*//')" \
	"carveout=c:0x$first:1M"
refused "$inval" "carveout d: must not overlap carveout c" \
	carveout=c:0x70000000:2M,d:0x70100000:2M
refused "$inval" "carveout c: must not have the name of another placement" \
	carveout=c:0x70000000:2M,c:0x70200000:2M
refused "$inval" "carveout system: must not have the name of another placement" \
	carveout=system:0x70000000:2M
refused "$inval" "carveout c: must not be in use by others, see /proc/iomem" \
	carveout=c:0xfec00000:4K

refused "$inval" "bar v: must be NAME:DOMAIN:BUS:DEVICE.FUNCTION/BAR" bar=v
refused "$inval" "bar v:0000:00:10.0/2x: must be NAME:DOMAIN:BUS:DEVICE.FUNCTION/BAR" \
	bar=v:0000:00:10.0/2x
refused "$nodev" "bar v: there is no PCI device 0000:00:1e.7" bar=v:0000:00:1e.7/2
refused "$nodev" "bar v: BAR 5 of 0000:00:10.0 must be memory of whole pages" \
	bar=v:0000:00:10.0/5
refused "$busy" "bar v: $bound must not have a driver, it has virtio-pci" "bar=v:$bound/1"
refused "$inval" "bar c: must not have the name of another placement" \
	carveout=c:0x70000000:2M bar=c:0000:00:10.0/2

dmesg -n 5
totals
