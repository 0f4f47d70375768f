/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Importer library: a driver gets a dma-buf and uses its memory, wherever that is
 * at the moment. See "DOC: importer library" in drivers/dma-buf/importer/importer.c.
 */
#ifndef _LINUX_DMA_BUF_IMPORTER_H
#define _LINUX_DMA_BUF_IMPORTER_H

#include <linux/types.h>

struct device;
struct dma_buf;
struct dma_buf_importer;
struct iosys_map;
struct mm_struct;
struct sg_table;

/**
 * enum dma_buf_importer_mode - how an importer gets at the memory
 * @DMA_BUF_IMPORTER_CPU: by a kernel mapping, for a device that is software.
 * @DMA_BUF_IMPORTER_DMA: by DMA addresses.
 */
enum dma_buf_importer_mode {
	DMA_BUF_IMPORTER_CPU,
	DMA_BUF_IMPORTER_DMA,
};

/**
 * struct dma_buf_importer_config - what an importer wants
 * @mode: how it gets at the memory
 * @dev: the device that does DMA, which outlives the importer; NULL with
 *	DMA_BUF_IMPORTER_CPU
 * @write: it writes
 * @pin: the buffer may not be moved as long as it is imported. A pinned importer
 *	that is told to let go has lost the buffer for good
 * @peer2peer: the device takes memory without struct page; true with
 *	DMA_BUF_IMPORTER_CPU, whatever is said here
 */
struct dma_buf_importer_config {
	enum dma_buf_importer_mode mode;
	struct device *dev;
	bool write;
	bool pin;
	bool peer2peer;
};

struct dma_buf_importer *
dma_buf_importer_create(struct dma_buf *dmabuf,
			const struct dma_buf_importer_config *config);
void dma_buf_importer_destroy(struct dma_buf_importer *importer);
struct dma_buf *dma_buf_importer_dmabuf(const struct dma_buf_importer *importer);
bool dma_buf_importer_writable(const struct dma_buf_importer *importer);

int dma_buf_importer_begin(struct dma_buf_importer *importer, struct iosys_map *map,
			   unsigned long timeout);
void dma_buf_importer_end(struct dma_buf_importer *importer);

struct sg_table *dma_buf_importer_map(struct dma_buf_importer *importer);

struct dma_buf *dma_buf_importer_lookup(struct mm_struct *mm, unsigned long start,
					u64 length, bool write, u64 *offset);

#endif
