/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/exporter_test: an exporter with memory of every kind and an importer
 * that does one step at a time, both driven from user space. A test aid, not an
 * ABI.
 */
#ifndef _EXPORTER_TEST_H
#define _EXPORTER_TEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum et_kind {
	ET_PAGES,	/* system memory */
	ET_UNPAGED,	/* memory behind what "mem=" told the kernel */
	ET_IO,		/* BAR 2 of an ivshmem device */
	ET_SPARSE,	/* addresses with nothing behind: do not touch it */
};

enum et_flags {
	ET_LAZY = 1,		/* memory on first use */
	ET_FAIL_POPULATE = 2,	/* ET_LAZY whose memory never comes: ENOMEM */
	ET_NO_EXPORT = 4,	/* no dma-buf, only the node */
	ET_PROVIDER = 8,	/* ET_IO of which the library knows whose it is */
};

/**
 * struct et_alloc - make a buffer
 * @size: in: bytes
 * @kind: in: an enum et_kind
 * @caching: in: an enum dma_buf_caching
 * @chunk: in: pages of an extent; 0 for as few extents as there can be
 * @flags: in: enum et_flags
 * @fd_flags: in: O_RDWR or O_RDONLY, O_CLOEXEC
 * @fd: out: the dma-buf
 * @id: out: the buffer, for the calls below
 * @pad: 0
 * @node_offset: out: where this node maps the buffer
 */
struct et_alloc {
	__u64 size;
	__u32 kind;
	__u32 caching;
	__u32 chunk;
	__u32 flags;
	__u32 fd_flags;
	__s32 fd;
	__u32 id;
	__u32 pad;
	__u64 node_offset;
};

enum et_dynamic {
	ET_STATIC,
	ET_DYNAMIC,	/* unmaps when it is told to, and maps again for ET_DMA */
	ET_P2P,		/* the same, and takes memory without pages */
	ET_LATE,	/* as ET_P2P, but unmaps with ET_UNMAP only */
};

enum et_device {
	ET_PLATFORM,	/* one that is no PCI device */
	ET_BAR,		/* the one that ET_IO is of, once there was some */
};

/**
 * struct et_import - attach to a dma-buf and map it
 * @fd: in: the dma-buf
 * @dynamic: in: an enum et_dynamic
 * @dir: in: an enum dma_data_direction
 * @pin: in: dynamic: pin before mapping
 * @id: out: the mapping, for the calls below
 * @nents: out: entries of the sg_table
 * @pages: out: entries that show a struct page
 * @trim: in: take these bytes off the first entry then, as RDMA does
 * @device: in: who does DMA, an enum et_device
 * @pad: 0
 * @len: out: sum of the DMA lengths
 */
struct et_import {
	__s32 fd;
	__u32 dynamic;
	__u32 dir;
	__u32 pin;
	__u32 id;
	__u32 nents;
	__u32 pages;
	__u32 trim;
	__u32 device;
	__u32 pad;
	__u64 len;
};

/**
 * struct et_copy - move bytes between user space and a buffer
 * @id: in: ET_DMA, ET_JOB: a mapping of ET_IMPORT, by its DMA addresses
 * @fd: in: ET_VMAP: a dma-buf, by dma_buf_vmap()
 * @write: in: 1 to write the buffer
 * @iomem: out: ET_VMAP: the mapping is I/O memory
 * @offset: in: where in the buffer
 * @len: in: bytes, at most a page
 * @user: in: user address
 */
struct et_copy {
	__u32 id;
	__s32 fd;
	__u32 write;
	__u32 iomem;
	__u64 offset;
	__u64 len;
	__u64 user;
};

/**
 * struct et_stats - calls of the driver's operations, all buffers
 * @populates: ops->populate
 * @frees: ops->free_backing
 * @begins: ops->begin_cpu_access
 * @ends: ops->end_cpu_access
 * @invalidates: calls of the importers
 */
struct et_stats {
	__u64 populates;
	__u64 frees;
	__u64 begins;
	__u64 ends;
	__u64 invalidates;
};

enum et_move_flags {
	ET_MOVE_PAUSE = 1,	/* the copy waits for ET_GO, with the lock held */
	ET_MOVE_ASYNC = 2,	/* the copy is a fence that ET_GO signals */
	ET_MOVE_FAIL = 4,	/* the copy fails: EIO */
	ET_MOVE_LOCKED = 8,	/* as a driver that holds the lock */
	ET_REVOKE_SUSPEND = 16,	/* ET_REVOKE for a while, until ET_RESUME */
	ET_MOVE_MEMCPY = 32,	/* no move, but memcpy() to memory of that kind */
	ET_MOVE_PROVIDER = 64,	/* to memory with ET_PROVIDER */
};

#define ET_FOREVER	(~0U)

/**
 * struct et_move - move a buffer, or take its memory away
 * @id: in: the buffer
 * @kind: in: an enum et_kind
 * @caching: in: an enum dma_buf_caching
 * @chunk: in: pages of an extent; 0 for as few extents as there can be
 * @policy: in: an enum dma_buf_move_policy
 * @timeout_ms: in: how long to wait, or ET_FOREVER
 * @flags: in: enum et_move_flags
 * @pad: 0
 * @ns: out: how long it took, without making the new memory
 */
struct et_move {
	__u32 id;
	__u32 kind;
	__u32 caching;
	__u32 chunk;
	__u32 policy;
	__u32 timeout_ms;
	__u32 flags;
	__u32 pad;
	__u64 ns;
};

#define ET_ALLOC	_IOWR('E', 0, struct et_alloc)
#define ET_FREE		_IO('E', 1)	/* drop the node's hold on buffer id */
#define ET_EXPORT	_IO('E', 2)	/* export buffer id again: its fd */
#define ET_IMPORT	_IOWR('E', 3, struct et_import)
#define ET_UNIMPORT	_IO('E', 4)	/* unmap and detach mapping id */
#define ET_DMA		_IOW('E', 5, struct et_copy)
#define ET_VMAP		_IOWR('E', 6, struct et_copy)
#define ET_STATS	_IOR('E', 7, struct et_stats)
#define ET_HOLD		_IO('E', 8)	/* hold dma_resv of fd until ET_RELEASE */
#define ET_RELEASE	_IO('E', 9)
#define ET_FENCE	_IO('E', 10)	/* a KERNEL fence on fd until ET_SIGNAL */
#define ET_SIGNAL	_IO('E', 11)
#define ET_WRITE_FENCE	_IO('E', 13)	/* as ET_FENCE, with usage WRITE */
#define ET_NODE_OF	_IO('E', 12)	/* offset 0 of this file maps the dma-buf fd */
#define ET_MOVE		_IOWR('E', 14, struct et_move)
#define ET_GO		_IO('E', 15)	/* end a copy: 0, or fail it with this errno */
#define ET_FINISH	_IO('E', 24)	/* as ET_GO, of an ET_MOVE_ASYNC or ENOENT */
#define ET_JOB		_IOW('E', 25, struct et_copy)	/* as ET_DMA, and takes longer */
#define ET_RCU_BARRIER	_IO('E', 26)	/* wait for what RCU is to free */
#define ET_REVOKE	_IOWR('E', 16, struct et_move)
#define ET_RESUME	_IO('E', 17)	/* of buffer id */
#define ET_UNMAP	_IO('E', 18)	/* unmap mapping id, which ET_DMA maps again */
#define ET_PIN		_IO('E', 19)	/* pin mapping id once more */
#define ET_UNPIN	_IO('E', 20)
#define ET_VHOLD	_IO('E', 21)	/* a vmap of fd until ET_VDROP */
#define ET_VDROP	_IO('E', 22)
#define ET_LOOSE_FENCE	_IO('E', 23)	/* as ET_FENCE, without a hold on the module */

#endif
