/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the importer library share. */
#ifndef _DMA_BUF_IMPORTER_INTERNAL_H
#define _DMA_BUF_IMPORTER_INTERNAL_H

#include <linux/dma-buf.h>
#include <linux/dma-direction.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/printk.h>
#include <linux/rwsem.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <linux/dma-buf-importer.h>

/* One ratelimited line for each refusal: which buffer, which rule. */
#define importer_refuse(dmabuf, fmt, ...)					\
	do {									\
		const struct dma_buf *__d = (dmabuf);				\
										\
		pr_notice_ratelimited("dma_buf_importer: %s:%llu: " fmt "\n",	\
				      __d->exp_name,				\
				      (u64)file_inode(__d->file)->i_ino,		\
				      ##__VA_ARGS__);				\
	} while (0)

/**
 * struct dma_buf_importer - a buffer that a driver uses
 * @dmabuf: the buffer
 * @attach: attachment of the driver's device, or of the library's
 * @mode: how the driver gets at the memory
 * @dir: what it does there
 * @pinned: it has a pin; protected by the dma_resv lock
 * @lost: it ends, or was pinned and told to let go; written with the dma_resv lock
 * @access: held for reading by those who use @map, for writing by who changes it
 * @mapped: there is a kernel mapping; protected by @access, and by the dma_resv lock
 * @map: that mapping
 * @sgt: the DMA mapping, or NULL; protected by the dma_resv lock
 * @stale: the importer has been told to let go of @sgt, and devices are still busy
 * @busy: with what; NULL for all that there is
 * @work: maps, or unmaps, where nobody may wait
 * @attempts: how often @work has tried to map
 * @result: what came of that
 * @wait: for @attempts
 */
struct dma_buf_importer {
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	enum dma_buf_importer_mode mode;
	enum dma_data_direction dir;
	bool pinned;
	bool lost;
	struct rw_semaphore access;
	bool mapped;
	struct iosys_map map;
	struct sg_table *sgt;
	bool stale;
	struct dma_fence *busy;
	struct work_struct work;
	unsigned int attempts;
	int result;
	wait_queue_head_t wait;
};

extern struct workqueue_struct *importer_wq;

/* cpu.c */
void importer_cpu_init(struct dma_buf_importer *importer);
void importer_cpu_drop(struct dma_buf_importer *importer);

/* dma.c */
void importer_dma_init(struct dma_buf_importer *importer);
void importer_dma_drop(struct dma_buf_importer *importer);
void importer_dma_invalidate(struct dma_buf_importer *importer);

/* importer.c */
void importer_unpin(struct dma_buf_importer *importer);

#endif
