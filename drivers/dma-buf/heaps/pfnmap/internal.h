/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PFNMAP_HEAP_INTERNAL_H
#define _PFNMAP_HEAP_INTERNAL_H

#include <linux/list.h>
#include <linux/types.h>

struct dma_buf;
struct dma_buf_backing;

/**
 * struct heap_node - a heap as user space sees it, /dev/dma_heap/NAME
 * @name: name of the node
 * @allocate: make a buffer of @len bytes, a multiple of the page size, and a
 *	dma-buf of it with the file flags @fd_flags; an ERR_PTR on failure
 * @minor: private to node.c
 */
struct heap_node {
	const char *name;
	struct dma_buf *(*allocate)(struct heap_node *node, unsigned long len,
				    u32 fd_flags);
	u32 minor;
};

/* node.c */
int heap_node_init(void);
void heap_node_exit(void);
int heap_node_add(struct heap_node *node);
void heap_node_remove(struct heap_node *node);
bool heap_mem_accounting(void);

/* pages.c */
struct dma_buf_backing *heap_pages_alloc(unsigned long len, bool account);
void heap_pages_free(struct dma_buf_backing *backing, bool account);

/* pool.c */
struct page *heap_pool_get(void);
bool heap_pool_put(struct page *page);
int heap_pool_init(void);
void heap_pool_exit(void);

/* The pool keeps blocks of this order: what one PMD maps. */
#define HEAP_POOL_ORDER	(PMD_SHIFT - PAGE_SHIFT)

#endif
