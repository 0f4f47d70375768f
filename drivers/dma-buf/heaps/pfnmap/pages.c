// SPDX-License-Identifier: GPL-2.0
/*
 * System memory as a placement, of the caller's node or of a given one: the
 * largest blocks there are, down to single pages, zeroed.
 */
#include <linux/dma-buf-exporter.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "internal.h"

/* Large blocks are taken if they are there; reclaim is for single pages. */
#define GFP_LARGE	((GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY) & \
			 ~__GFP_RECLAIM)
/* A buffer too large for the machine is refused, it kills nobody. */
#define GFP_HARD	(GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

static uint max_order = HEAP_POOL_ORDER;
module_param(max_order, uint, 0644);
MODULE_PARM_DESC(max_order, "Order of the largest blocks, for tests (default: that of a PMD)");

/**
 * struct pages_placement - system memory
 * @placement: the placement
 * @nid: node the memory must be of, or NUMA_NO_NODE for the caller's choice
 * @name: name of the placement
 */
struct pages_placement {
	struct heap_placement placement;
	int nid;
	char name[16];
};

/**
 * struct pages_how - how pages are allocated
 * @nid: as in &struct pages_placement
 * @account: charge them to the caller's memory cgroup
 * @compact: the largest blocks are worth reclaim and compaction
 */
struct pages_how {
	int nid;
	bool account;
	bool compact;
};

static struct page *pages_get_order(const struct pages_how *how, unsigned int order)
{
	bool hard = !order || (how->compact && order == HEAP_POOL_ORDER);
	gfp_t gfp = hard ? GFP_HARD : GFP_LARGE;

	if (how->account)
		gfp |= __GFP_ACCOUNT;
	if (how->nid == NUMA_NO_NODE)
		return alloc_pages(gfp, order);
	return alloc_pages_node(how->nid, gfp | __GFP_THISNODE, order);
}

/*
 * A zeroed block of at most *@order, split into pages: KVM takes references on
 * single pages of a mapping and refuses the tail of a block. *@order becomes
 * the one that was to be had.
 */
static struct page *pages_get(const struct pages_how *how, unsigned int *order)
{
	struct page *page;

	/* A pooled page was charged to its first owner, if to anyone. */
	if (*order == HEAP_POOL_ORDER && !how->account) {
		page = heap_pool_get(how->nid);
		if (page)
			return page;
	}
	for (; *order; --*order) {
		page = pages_get_order(how, *order);
		if (page) {
			split_page(page, *order);
			return page;
		}
	}
	return pages_get_order(how, 0);
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

/* Pages there are at the place, used or not. */
static unsigned long pages_present(int nid)
{
	if (nid == NUMA_NO_NODE)
		return totalram_pages();
	return node_state(nid, N_MEMORY) ? node_present_pages(nid) : 0;
}

/*
 * Takes @left pages, as blocks on @list. Returns how many blocks, -ENOMEM, or
 * -EINTR when the caller has been killed; what it took is on the list.
 */
static int pages_take(const struct pages_how *how, unsigned long left,
		      struct list_head *list)
{
	unsigned int limit = min_t(unsigned int, READ_ONCE(max_order), HEAP_POOL_ORDER);
	unsigned int order = limit;
	struct page *block;
	int blocks = 0;

	while (left) {
		if (fatal_signal_pending(current))
			return -EINTR;
		order = min_t(unsigned int, order, ilog2(left));
		block = pages_get(how, &order);
		if (!block)
			return -ENOMEM;
		block_set_order(block, order);
		/* Blocks that are small on purpose shall not join their neighbours. */
		if (limit < HEAP_POOL_ORDER && blocks & 1)
			list_add(&block->lru, list);
		else
			list_add_tail(&block->lru, list);
		left -= 1UL << order;
		blocks++;
		cond_resched();
	}
	return blocks;
}

static void pages_free(struct dma_buf_backing *backing, bool account)
{
	for (unsigned int i = 0; i < backing->nr_extents; i++) {
		unsigned long pfn = PHYS_PFN(backing->extents[i].addr);
		unsigned long end = pfn + (backing->extents[i].len >> PAGE_SHIFT);

		while (pfn < end) {
			/* Neighbours are one extent, however much that is. */
			if (IS_ALIGNED(pfn, 1 << HEAP_POOL_ORDER))
				cond_resched();
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

static void pages_free_charged(struct heap_placement *placement,
			       struct dma_buf_backing *backing)
{
	pages_free(backing, true);
}

static void pages_free_uncharged(struct heap_placement *placement,
				 struct dma_buf_backing *backing)
{
	pages_free(backing, false);
}

/* Who frees charged memory; nobody finds it by its name. */
static struct heap_placement pages_charged = {
	.free = pages_free_charged,
};

static struct dma_buf_backing *pages_alloc(struct heap_placement *placement, u64 len,
					   bool compact)
{
	const struct pages_placement *where =
		container_of(placement, struct pages_placement, placement);
	const struct pages_how how = {
		.nid = where->nid,
		.account = heap_mem_accounting(),
		.compact = compact,
	};
	struct dma_buf_backing *backing;
	struct page *block, *next;
	LIST_HEAD(list);
	int ret;

	if (len >> PAGE_SHIFT > pages_present(how.nid))
		return ERR_PTR(-ENOMEM);
	ret = pages_take(&how, len >> PAGE_SHIFT, &list);
	if (ret < 0)
		goto err;

	backing = dma_buf_backing_alloc(ret, how.account ? GFP_KERNEL_ACCOUNT : GFP_KERNEL);
	if (!backing) {
		ret = -ENOMEM;
		goto err;
	}
	backing->placement = placement->name;
	backing->priv = how.account ? &pages_charged : placement;
	list_for_each_entry_safe(block, next, &list, lru) {
		unsigned int order = block_clear_order(block);

		list_del(&block->lru);
		/* As many extents as blocks were asked for: there is room. */
		WARN_ON(dma_buf_backing_add(backing, page_to_phys(block),
					    PAGE_SIZE << order));
		cond_resched();
	}
	return backing;

err:
	list_for_each_entry_safe(block, next, &list, lru) {
		list_del(&block->lru);
		block_free(block, block_clear_order(block));
		cond_resched();
	}
	return ERR_PTR(ret);
}

static struct pages_placement pages_system;
/* One entry for each node. */
static struct pages_placement *pages_nodes;

static int __init pages_add(struct pages_placement *pages, int nid)
{
	pages->placement.name = pages->name;
	pages->placement.alloc = pages_alloc;
	pages->placement.free = pages_free_uncharged;
	pages->nid = nid;
	return heap_placement_add(&pages->placement);
}

/* "system", and "node0" and so on for each node that has memory now. */
int __init heap_pages_init(void)
{
	int nid, ret;

	pages_nodes = kcalloc(nr_node_ids, sizeof(*pages_nodes), GFP_KERNEL);
	if (!pages_nodes)
		return -ENOMEM;
	strscpy(pages_system.name, "system");
	ret = pages_add(&pages_system, NUMA_NO_NODE);
	for_each_node_state(nid, N_MEMORY) {
		snprintf(pages_nodes[nid].name, sizeof(pages_nodes[nid].name), "node%d", nid);
		if (!ret)
			ret = pages_add(&pages_nodes[nid], nid);
	}
	/* They are the first: no name is taken. */
	if (WARN_ON(ret))
		kfree(pages_nodes);
	return ret;
}

void heap_pages_exit(void)
{
	kfree(pages_nodes);
}
