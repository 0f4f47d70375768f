/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PFNMAP_HEAP_INTERNAL_H
#define _PFNMAP_HEAP_INTERNAL_H

#include <linux/list.h>
#include <linux/types.h>

struct dma_buf;
struct dma_buf_backing;
struct page;

#undef pr_fmt
#define pr_fmt(fmt)	KBUILD_MODNAME ": " fmt

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

/**
 * struct heap_placement - a place where the memory of a buffer can be
 * @name: name of the place, for user space
 * @alloc: zeroed memory of @len bytes, a multiple of the page size, in as few
 *	pieces as can be had by trying hard if @compact; an ERR_PTR on failure.
 *	Sets the name of the place and, as priv, the placement that frees it
 * @free: take memory back, and free its description
 * @own_heap: the place is a heap of its own, pfnmap-NAME
 * @node: private to placement.c
 */
struct heap_placement {
	const char *name;
	struct dma_buf_backing *(*alloc)(struct heap_placement *placement, u64 len,
					 bool compact);
	void (*free)(struct heap_placement *placement, struct dma_buf_backing *backing);
	bool own_heap;
	struct list_head node;
};

/* placement.c */
extern struct list_head heap_placements;
int heap_placement_add(struct heap_placement *placement);
void heap_placement_del(struct heap_placement *placement);
struct heap_placement *heap_placement_find(const char *name);
void heap_backing_free(struct dma_buf_backing *backing);

/* buffer.c */
struct dma_buf *heap_buffer_alloc(struct heap_placement *placement, u64 len,
				  u32 fd_flags);

/* pages.c */
int heap_pages_init(void);
void heap_pages_exit(void);

/* carveout.c */
int heap_carveouts_init(void);
void heap_carveouts_exit(void);

/* bar.c */
#ifdef CONFIG_PCI
int heap_bars_init(void);
void heap_bars_exit(void);
#else
static inline int heap_bars_init(void) { return 0; }
static inline void heap_bars_exit(void) { }
#endif

/* pool.c */
struct page *heap_pool_get(int nid);
bool heap_pool_put(struct page *page);
int heap_pool_init(void);
void heap_pool_exit(void);

/* The pool keeps blocks of this order: what one PMD maps. */
#define HEAP_POOL_ORDER	(PMD_SHIFT - PAGE_SHIFT)

#endif
