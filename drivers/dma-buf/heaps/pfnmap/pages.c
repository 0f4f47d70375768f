// SPDX-License-Identifier: GPL-2.0
/*
 * System pages as the backing of a buffer: the largest blocks there are, down
 * to single pages, zeroed.
 */
#include <linux/dma-buf-exporter.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "internal.h"

/* Large blocks are taken if they are there; reclaim is for single pages. */
#define GFP_LARGE	((GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY) & \
			 ~__GFP_RECLAIM)
/* A buffer too large for the machine is refused, it kills nobody. */
#define GFP_SINGLE	(GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/*
 * A zeroed block of at most *@order, split into pages: KVM takes references on
 * single pages of a mapping and refuses the tail of a block. *@order becomes
 * the one that was to be had.
 */
static struct page *pages_get(unsigned int *order, bool account)
{
	gfp_t gfp = account ? __GFP_ACCOUNT : 0;
	struct page *page;

	/* A pooled page was charged to its first owner, if to anyone. */
	if (*order == HEAP_POOL_ORDER && !account) {
		page = heap_pool_get();
		if (page)
			return page;
	}
	for (; *order; --*order) {
		page = alloc_pages(gfp | GFP_LARGE, *order);
		if (page) {
			split_page(page, *order);
			return page;
		}
	}
	return alloc_page(gfp | GFP_SINGLE);
}

/* Where in @block its order is kept until the extents are known. */
static void block_set_order(struct page *block, unsigned int order)
{
	set_page_private(block, order);
}

static unsigned int block_clear_order(struct page *block)
{
	unsigned int order = page_private(block);

	set_page_private(block, 0);
	return order;
}

static void block_free(struct page *block, unsigned int order)
{
	for (unsigned int i = 0; i < 1 << order; i++)
		__free_page(block + i);
}

/**
 * heap_pages_alloc - allocate the memory of a buffer
 * @len: bytes, a multiple of the page size
 * @account: charge it to the caller's memory cgroup
 *
 * Return: a backing of zeroed pages, -ENOMEM with nothing left behind, or
 * -EINTR when the caller has been killed.
 */
struct dma_buf_backing *heap_pages_alloc(unsigned long len, bool account)
{
	unsigned long left = len >> PAGE_SHIFT;
	unsigned int order = HEAP_POOL_ORDER;
	struct dma_buf_backing *backing;
	struct page *block, *next;
	unsigned int blocks = 0;
	LIST_HEAD(list);
	int ret;

	if (left > totalram_pages())
		return ERR_PTR(-ENOMEM);

	while (left) {
		ret = -EINTR;
		if (fatal_signal_pending(current))
			goto err;
		ret = -ENOMEM;
		order = min_t(unsigned int, order, ilog2(left));
		block = pages_get(&order, account);
		if (!block)
			goto err;
		block_set_order(block, order);
		list_add_tail(&block->lru, &list);
		left -= 1UL << order;
		blocks++;
		cond_resched();
	}

	backing = dma_buf_backing_alloc(blocks, account ? GFP_KERNEL_ACCOUNT : GFP_KERNEL);
	if (!backing)
		goto err;
	list_for_each_entry_safe(block, next, &list, lru) {
		list_del(&block->lru);
		order = block_clear_order(block);
		/* As many extents as blocks were asked for: there is room. */
		WARN_ON(dma_buf_backing_add(backing, page_to_phys(block),
					    PAGE_SIZE << order));
	}
	return backing;

err:
	list_for_each_entry_safe(block, next, &list, lru) {
		list_del(&block->lru);
		block_free(block, block_clear_order(block));
	}
	return ERR_PTR(ret);
}

/**
 * heap_pages_free - give the memory of a buffer back
 * @backing: what heap_pages_alloc() returned
 * @account: as it was allocated
 */
void heap_pages_free(struct dma_buf_backing *backing, bool account)
{
	for (unsigned int i = 0; i < backing->nr_extents; i++) {
		unsigned long pfn = PHYS_PFN(backing->extents[i].addr);
		unsigned long end = pfn + (backing->extents[i].len >> PAGE_SHIFT);

		while (pfn < end) {
			if (!account && IS_ALIGNED(pfn, 1 << HEAP_POOL_ORDER) &&
			    end - pfn >= 1 << HEAP_POOL_ORDER &&
			    heap_pool_put(pfn_to_page(pfn))) {
				pfn += 1 << HEAP_POOL_ORDER;
				continue;
			}
			__free_page(pfn_to_page(pfn++));
		}
		cond_resched();
	}
	dma_buf_backing_free(backing);
}
