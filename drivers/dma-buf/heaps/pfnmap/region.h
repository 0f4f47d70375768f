/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PFNMAP_HEAP_REGION_H
#define _PFNMAP_HEAP_REGION_H

#include <linux/dma-buf-exporter.h>
#include <linux/mutex.h>
#include <uapi/linux/dma-buf-exporter.h>

#include "internal.h"

struct gen_pool;

/* The heap of a region is pfnmap-NAME, which user space must be able to name. */
#define REGION_NAME_LEN	(DMA_BUF_EXPORTER_NAME_LEN - (sizeof("pfnmap-") - 1))

/**
 * struct heap_region - memory without struct page, as a placement
 * @placement: the placement
 * @name: its name
 * @base: physical address
 * @size: bytes
 * @caching: how the processor caches it
 * @io: it needs the accessors for I/O memory
 * @provider: the PCI device it is of, or NULL
 * @zero: zero @len bytes at @addr, at most PMD_SIZE, in process context; 0 or
 *	a negative errno
 * @lock: one buffer at a time takes frames
 * @pool: its free frames; a unit is a frame
 */
struct heap_region {
	struct heap_placement placement;
	char name[REGION_NAME_LEN];
	phys_addr_t base;
	u64 size;
	enum dma_buf_caching caching;
	bool io;
	struct pci_dev *provider;
	int (*zero)(struct heap_region *region, phys_addr_t addr, size_t len);

	/* private to region.c */
	struct mutex lock;
	struct gen_pool *pool;
};

/* region.c */
int heap_region_set_name(struct heap_region *region, const char *name, size_t len);
int heap_region_add(struct heap_region *region);
void heap_region_del(struct heap_region *region);

#endif
