/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _EDU_DMA_INTERNAL_H
#define _EDU_DMA_INTERNAL_H

#include <linux/atomic.h>
#include <linux/dma-direction.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "edu_dma.h"

struct device;
struct dma_buf;
struct dma_buf_attachment;
struct dma_buf_importer;
struct dma_fence;

/**
 * struct edu - the device
 * @misc: its node
 * @dev: its PCI device
 * @regs: its registers
 * @engine: protects the registers and the buffer inside the device
 * @submit: makes the order of @queue that of the fences
 * @context: of the fences
 * @seqno: of the last fence; protected by @submit
 * @queue: runs the jobs, one after the other
 * @late: unmaps late
 * @wait: woken when a job ends, a hold does, or a stale mapping goes
 * @jobs: see &struct edu_stats, as for the rest
 * @maps: mappings made here
 * @unmaps: mappings dropped here
 * @invalidations: calls of the importer's callback
 * @errors: jobs that failed
 */
struct edu {
	struct miscdevice misc;
	struct device *dev;
	void __iomem *regs;
	struct mutex engine;	/* the registers and the buffer in the device */
	struct mutex submit;	/* seqno, and the order of the queue */
	u64 context;
	u64 seqno;
	struct workqueue_struct *queue;
	struct workqueue_struct *late;
	wait_queue_head_t wait;
	atomic64_t jobs;
	atomic64_t maps;
	atomic64_t unmaps;
	atomic64_t invalidations;
	atomic64_t errors;
};

/**
 * struct edu_mapping - memory that jobs read or write
 * @file: whose it is
 * @dmabuf: the buffer, NULL for the bounce buffer of a file
 * @importer: the library's, which does all of the rest
 * @attach: the attachment to it
 * @dynamic: the buffer may move: @sgt and @stale are protected by its dma_resv
 * @late: unmap from a worker
 * @stale: the exporter wants it unmapped
 * @dir: direction of the mapping
 * @size: bytes
 * @sgt: the mapping, NULL without one; stays while @jobs is not zero
 * @jobs: jobs that use @sgt
 * @unmap: the worker
 */
struct edu_mapping {
	struct edu_file *file;
	struct dma_buf *dmabuf;
	struct dma_buf_importer *importer;
	struct dma_buf_attachment *attach;
	bool dynamic;
	bool late;
	bool stale;
	enum dma_data_direction dir;
	u64 size;
	struct sg_table *sgt;
	atomic_t jobs;
	struct work_struct unmap;
};

/**
 * struct edu_file - an open file of the node
 * @edu: the device
 * @lock: keeps what is in @mappings alive; before dma_resv
 * @mappings: the attachments by id
 * @jobs: jobs that are not done
 * @hold: jobs and late unmaps wait
 * @bounce_lock: protects the contents of the bounce buffer; before @lock
 * @bounce: memory for copies from and to user space, as jobs see it
 * @bounce_sgt: its mapping
 * @bounce_mem: the same for the CPU
 */
struct edu_file {
	struct edu *edu;
	struct mutex lock;		/* the life of what is in mappings */
	struct xarray mappings;
	atomic_t jobs;
	bool hold;
	struct mutex bounce_lock;	/* the contents of the bounce buffer */
	struct edu_mapping bounce;
	struct sg_table bounce_sgt;
	void *bounce_mem;
};

/* edu_dma_engine.c */
int edu_engine_init(struct edu *edu);
void edu_engine_exit(struct edu *edu);
int edu_transfer(struct edu *edu, dma_addr_t addr, size_t len, bool to_bus);
int edu_raw(struct edu *edu, const struct edu_raw *raw);
dma_addr_t edu_seek(struct sg_table *sgt, u64 offset, u64 *left);
struct dma_fence *edu_submit(struct edu_file *file, const struct edu_copy *copy,
			     struct edu_mapping *src, struct edu_mapping *dst);

/* edu_dma_import.c */
int edu_attach(struct edu_file *file, struct edu_attach *how);
int edu_detach(struct edu_file *file, u32 id);
void edu_detach_all(struct edu_file *file);
int edu_query(struct edu_file *file, struct edu_query *query);
struct sg_table *edu_prepare(struct edu_mapping *m);

#endif
