/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/dma_buf_exporter: what a dma-buf of an exporter on the exporter library is
 * made of, and moving and revoking it for whoever controls it.
 *
 * Every structure begins with its size as the caller knows it and with flags. A
 * kernel that knows a longer one takes what is missing for zero; one that knows
 * a shorter one answers E2BIG if something it does not know is not zero. Flags and
 * values that are not understood are EINVAL. In an answer nothing behind the
 * caller's size is written. No size is larger than a page.
 */
#ifndef _UAPI_LINUX_DMA_BUF_EXPORTER_H
#define _UAPI_LINUX_DMA_BUF_EXPORTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMA_BUF_EXPORTER_TYPE		0xBD
#define DMA_BUF_EXPORTER_NAME_LEN	32

/* In &struct dma_buf_exporter_info.state */
#define DMA_BUF_EXPORTER_READONLY	0x1
#define DMA_BUF_EXPORTER_REVOKED	0x2
#define DMA_BUF_EXPORTER_SUSPENDED	0x4
#define DMA_BUF_EXPORTER_COPYING	0x8

/**
 * struct dma_buf_exporter_info - ioctl(DMA_BUF_EXPORTER_INFO)
 * @size: sizeof(struct dma_buf_exporter_info)
 * @flags: 0
 * @fd: in: a dma-buf, on /dev/dma_buf_exporter; 0 on a control handle
 * @state: out: DMA_BUF_EXPORTER_READONLY, and so on
 * @id: out: number of the buffer, the inode of the dma-buf
 * @length: out: bytes
 * @largest_extent: out: bytes of the largest contiguous piece
 * @moves: out: how often it has moved
 * @moves_failed: out: how often an asynchronous copy failed, so that it did not
 * @pmd_faults: out: page faults answered with a PMD-sized entry
 * @pte_faults: out: page faults answered with page-sized entries
 * @extents: out: contiguous pieces
 * @mappings: out: mappings in user space
 * @attachments: out: attached devices
 * @maps: out: DMA mappings
 * @pins: out: pins; what is pinned does not move
 * @vmaps: out: mappings in the kernel
 * @exporter: out: name of the exporter
 * @placement: out: name of the place the memory is at, "" without memory
 *
 * EBADF or EINVAL if @fd is not a dma-buf, EOPNOTSUPP if it is another exporter's.
 */
struct dma_buf_exporter_info {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 state;
	__aligned_u64 id;
	__aligned_u64 length;
	__aligned_u64 largest_extent;
	__aligned_u64 moves;
	__aligned_u64 moves_failed;
	__aligned_u64 pmd_faults;
	__aligned_u64 pte_faults;
	__u32 extents;
	__u32 mappings;
	__u32 attachments;
	__u32 maps;
	__u32 pins;
	__u32 vmaps;
	char exporter[DMA_BUF_EXPORTER_NAME_LEN];
	char placement[DMA_BUF_EXPORTER_NAME_LEN];
};

/**
 * struct dma_buf_exporter_alloc - ioctl(DMA_BUF_EXPORTER_ALLOC)
 * @size: sizeof(struct dma_buf_exporter_alloc)
 * @flags: 0
 * @length: in: bytes, rounded up to whole pages
 * @fd_flags: in: O_RDONLY, O_WRONLY or O_RDWR, and O_CLOEXEC
 * @fd: out: the dma-buf
 * @control_fd: out: its control handle, always close-on-exec
 * @reserved: 0
 * @source: in: name of the heap, as in /dev/dma_heap
 * @placement: in: where, or "" for the heap's own choice
 *
 * The same buffer that the heap's own ioctl makes, and with it the right to move
 * and revoke it. ENOENT if no such heap is there, EINVAL if it has no such
 * placement, ENOMEM or ENOSPC.
 */
struct dma_buf_exporter_alloc {
	__u32 size;
	__u32 flags;
	__aligned_u64 length;
	__u32 fd_flags;
	__s32 fd;
	__s32 control_fd;
	__u32 reserved;
	char source[DMA_BUF_EXPORTER_NAME_LEN];
	char placement[DMA_BUF_EXPORTER_NAME_LEN];
};

/* In &struct dma_buf_exporter_move_args.policy: what to do about a buffer in use */
#define DMA_BUF_EXPORTER_WAIT		0
#define DMA_BUF_EXPORTER_REVOKE_PINS	1
#define DMA_BUF_EXPORTER_BLOCK		2

/* In &struct dma_buf_exporter_move_args.flags: only if that leaves fewer pieces */
#define DMA_BUF_EXPORTER_COMPACT	0x1

/**
 * struct dma_buf_exporter_move_args - ioctl(DMA_BUF_EXPORTER_MOVE), on a control handle
 * @size: sizeof(struct dma_buf_exporter_move_args)
 * @flags: 0 or DMA_BUF_EXPORTER_COMPACT
 * @policy: DMA_BUF_EXPORTER_WAIT: wait until it is not in use any more;
 *	DMA_BUF_EXPORTER_REVOKE_PINS: take it from pinned importers that can be
 *	told; DMA_BUF_EXPORTER_BLOCK: fail with EBUSY
 * @timeout_ms: how long to wait for others at most; 0 for not at all
 * @placement: name of the place, "" for the one where the memory is
 *
 * EBUSY, ETIMEDOUT, EINTR: in use, and still where it was. EINVAL: no such
 * placement. EALREADY: it cannot be compacted further. EOPNOTSUPP: the exporter
 * cannot do that, or an importer cannot reach the memory there. ENODEV: revoked.
 * ENOMEM, ENOSPC.
 */
struct dma_buf_exporter_move_args {
	__u32 size;
	__u32 flags;
	__u32 policy;
	__u32 timeout_ms;
	char placement[DMA_BUF_EXPORTER_NAME_LEN];
};

/**
 * struct dma_buf_exporter_revoke_args - ioctl(DMA_BUF_EXPORTER_REVOKE), on a control
 * handle
 * @size: sizeof(struct dma_buf_exporter_revoke_args)
 * @flags: 0
 * @timeout_ms: how long to wait until nobody reaches the memory
 * @reserved: 0
 *
 * For good: who touches a mapping of it gets SIGBUS, and importers ENODEV.
 * ETIMEDOUT: it is revoked, but an importer has not let go of it yet. EINTR: a
 * signal came while others had the buffer locked; it is not revoked.
 */
struct dma_buf_exporter_revoke_args {
	__u32 size;
	__u32 flags;
	__u32 timeout_ms;
	__u32 reserved;
};

#define DMA_BUF_EXPORTER_INFO	_IO(DMA_BUF_EXPORTER_TYPE, 0)
#define DMA_BUF_EXPORTER_ALLOC	_IO(DMA_BUF_EXPORTER_TYPE, 1)
#define DMA_BUF_EXPORTER_MOVE	_IO(DMA_BUF_EXPORTER_TYPE, 2)
#define DMA_BUF_EXPORTER_REVOKE	_IO(DMA_BUF_EXPORTER_TYPE, 3)

#endif
