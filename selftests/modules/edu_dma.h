/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/edu_dma: an importer with a real DMA engine, QEMU's "edu" device. A test
 * aid, not an ABI. Every transfer takes the device 100 ms.
 */
#ifndef _EDU_DMA_H
#define _EDU_DMA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define EDU_MAX_TRANSFER	4095	/* bytes the device moves at once */
#define EDU_MAX_ACCESS		16384	/* bytes of EDU_READ and EDU_WRITE */

enum edu_mode {
	EDU_STATIC,		/* mapped as long as it is attached; no fences */
	EDU_DYNAMIC,		/* unmaps when told to, at once if it is idle */
	EDU_DYNAMIC_LATE,	/* leaves unmapping to a worker */
	EDU_LIBRARY,		/* by the importer library */
};

enum edu_attach_flags {
	EDU_P2P = 1,		/* not EDU_STATIC: take memory without pages */
	EDU_PIN = 2,		/* EDU_LIBRARY: pin it */
};

enum edu_copy_flags {
	EDU_ASYNC = 1,		/* do not wait for the job */
	EDU_BOOKKEEP = 2,	/* its fence is for memory management only */
};

/**
 * struct edu_attach - attach to a dma-buf and map it
 * @fd: in: the dma-buf
 * @mode: in: an enum edu_mode
 * @flags: in: enum edu_attach_flags
 * @dir: in: an enum dma_data_direction
 * @id: out: the attachment, for the calls below
 * @nents: out: segments of the mapping
 * @addr: out: its first DMA address
 */
struct edu_attach {
	__s32 fd;
	__u32 mode;
	__u32 flags;
	__u32 dir;
	__u32 id;
	__u32 nents;
	__u64 addr;
};

/**
 * struct edu_query - where the device sees a buffer at the moment
 *
 * EDU_LIBRARY cannot say that without a mapping, and makes one.
 *
 * @id: in: the attachment
 * @nents: out: segments of the mapping, 0 without one
 * @offset: in: where in the buffer
 * @addr: out: the DMA address of that
 * @len: out: bytes up to the end of the segment
 */
struct edu_query {
	__u32 id;
	__u32 nents;
	__u64 offset;
	__u64 addr;
	__u64 len;
};

/**
 * struct edu_copy - a job: copy from buffer to buffer through the device
 * @src: in: attachment to read
 * @dst: in: attachment to write
 * @src_offset: in: bytes
 * @dst_offset: in: bytes
 * @len: in: bytes
 * @flags: in: enum edu_copy_flags
 * @pad: 0
 */
struct edu_copy {
	__u32 src;
	__u32 dst;
	__u64 src_offset;
	__u64 dst_offset;
	__u64 len;
	__u32 flags;
	__u32 pad;
};

/**
 * struct edu_access - a job between user space and a buffer, or a transfer
 *	between user space and the buffer inside the device
 * @id: in: the attachment; 0 for EDU_LOAD and EDU_STORE
 * @pad: 0
 * @offset: in: where in the buffer; 0 for EDU_LOAD and EDU_STORE
 * @len: in: bytes
 * @user: in: user address
 */
struct edu_access {
	__u32 id;
	__u32 pad;
	__u64 offset;
	__u64 len;
	__u64 user;
};

/**
 * struct edu_raw - one transfer at a bus address, whoever it belongs to
 * @addr: in: the address
 * @len: in: bytes, at most EDU_MAX_TRANSFER
 * @to_bus: in: 1 to write what EDU_LOAD put into the device, 0 to read
 * @pad: 0
 *
 * No timer and no softirq runs on this processor from its start to its end, so
 * that a flush which is due later does not hide one that was forgotten.
 */
struct edu_raw {
	__u64 addr;
	__u64 len;
	__u32 to_bus;
	__u32 pad;
};

/**
 * struct edu_stats - counters of the device
 * @jobs: jobs done
 * @maps: mappings made, but for those of the library
 * @unmaps: the same, dropped
 * @invalidations: times that an exporter said that a buffer moves, the same
 * @errors: jobs that the device did not finish
 */
struct edu_stats {
	__u64 jobs;
	__u64 maps;
	__u64 unmaps;
	__u64 invalidations;
	__u64 errors;
};

#define EDU_ATTACH	_IOWR('D', 0, struct edu_attach)
#define EDU_DETACH	_IO('D', 1)	/* attachment id, once it is idle */
#define EDU_QUERY	_IOWR('D', 2, struct edu_query)
#define EDU_COPY	_IOW('D', 3, struct edu_copy)
#define EDU_READ	_IOW('D', 4, struct edu_access)
#define EDU_WRITE	_IOW('D', 5, struct edu_access)
#define EDU_LOAD	_IOW('D', 6, struct edu_access)
#define EDU_STORE	_IOW('D', 7, struct edu_access)
#define EDU_RAW_DMA	_IOW('D', 8, struct edu_raw)
#define EDU_HOLD	_IO('D', 9)	/* this file's jobs and late unmaps stop */
#define EDU_GO		_IO('D', 10)	/* before they begin, until this */
#define EDU_WAIT	_IO('D', 11)	/* until this file has no job */
#define EDU_STATS	_IOR('D', 12, struct edu_stats)

#endif
