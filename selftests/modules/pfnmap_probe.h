/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What /dev/pfnmap_probe tells of the page table entry behind an address of
 * the calling process. A test aid, not an ABI.
 */
#ifndef _PFNMAP_PROBE_H
#define _PFNMAP_PROBE_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum pfnmap_probe_level {
	PFNMAP_PROBE_NONE,	/* no present entry */
	PFNMAP_PROBE_PTE,
	PFNMAP_PROBE_HUGE,	/* a leaf above the PTE level */
};

enum pfnmap_probe_cache {
	PFNMAP_PROBE_WB,
	PFNMAP_PROBE_WC,
	PFNMAP_PROBE_UC,	/* UC or UC- */
	PFNMAP_PROBE_OTHER,
};

/* What to do before looking. */
enum pfnmap_probe_first {
	PFNMAP_PROBE_LOOK,
	PFNMAP_PROBE_FAULT,		/* fault once, for writing, as KVM does */
	PFNMAP_PROBE_FAULT_LOCKED,	/* the same, without ever dropping mmap_lock */
	PFNMAP_PROBE_MAKE_TABLE,	/* put an empty page table there */
	PFNMAP_PROBE_MAKE_HUGE,		/* put a huge entry for @pfn there */
};

/**
 * struct pfnmap_probe - the entry that maps an address
 * @addr: in: user address
 * @first: in: an enum pfnmap_probe_first
 * @pfn: out: frame the address is mapped to
 * @level: out: an enum pfnmap_probe_level
 * @special: out: 1 if the entry is special
 * @writable: out: 1 if the entry allows writing
 * @cache: out: an enum pfnmap_probe_cache
 * @refcount: out: reference count of the frame's struct page, -1 without one
 * @vm_flags: out: flags of the VMA
 */
struct pfnmap_probe {
	__u64 addr;
	__u64 pfn;
	__u32 level;
	__u32 special;
	__u32 writable;
	__u32 cache;
	__s32 refcount;
	__u32 first;
	__u64 vm_flags;
};

#define PFNMAP_PROBE	_IOWR('P', 0xf0, struct pfnmap_probe)

/* Bits of @vm_flags the tests look at; the same on every supported kernel. */
#define PFNMAP_PROBE_VM_PFNMAP		0x00000400ULL
#define PFNMAP_PROBE_VM_IO		0x00004000ULL
#define PFNMAP_PROBE_VM_DONTEXPAND	0x00040000ULL
#define PFNMAP_PROBE_VM_DONTDUMP	0x04000000ULL
#define PFNMAP_PROBE_VM_MIXEDMAP	0x10000000ULL

#endif
