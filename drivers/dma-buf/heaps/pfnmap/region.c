// SPDX-License-Identifier: GPL-2.0
/*
 * Allocator of memory without struct page. A buffer is one piece where there is
 * one, else the largest pieces there are; pieces that a PMD can map are aligned
 * for it.
 */
#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/genalloc.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "region.h"

static struct heap_region *to_region(struct heap_placement *placement)
{
	return container_of(placement, struct heap_region, placement);
}

/* @n contiguous frames, or 0. */
static unsigned long region_get(struct heap_region *region, unsigned long n)
{
	struct genpool_data_align pmd = { .align = PTRS_PER_PTE };

	if (n < PTRS_PER_PTE)
		return gen_pool_alloc(region->pool, n);
	return gen_pool_alloc_algo(region->pool, n, gen_pool_first_fit_align, &pmd);
}

/* A description like *@backing with room for @max_extents. */
static int region_describe(struct heap_region *region, struct dma_buf_backing **backing,
			   unsigned int max_extents)
{
	gfp_t gfp = heap_mem_accounting() ? GFP_KERNEL_ACCOUNT : GFP_KERNEL;
	struct dma_buf_backing *old = *backing;
	struct dma_buf_backing *new = dma_buf_backing_alloc(max_extents, gfp);

	if (!new)
		return -ENOMEM;
	new->caching = region->caching;
	new->io = region->io;
	new->provider = region->provider;
	new->priv = &region->placement;
	new->placement = region->name;
	for (unsigned int i = 0; old && i < old->nr_extents; i++)
		WARN_ON(dma_buf_backing_add(new, old->extents[i].addr,
					    old->extents[i].len));
	dma_buf_backing_free(old);
	*backing = new;
	return 0;
}

static int region_append(struct heap_region *region, struct dma_buf_backing **backing,
			 unsigned long pfn, unsigned long n)
{
	u64 len = (u64)n << PAGE_SHIFT;
	int ret;

	ret = dma_buf_backing_add(*backing, PFN_PHYS(pfn), len);
	if (ret != -ENOSPC)
		return ret;
	ret = region_describe(region, backing, 2 * (*backing)->max_extents);
	return ret ?: dma_buf_backing_add(*backing, PFN_PHYS(pfn), len);
}

/* Takes @left frames into *@backing; what it took stays there on failure. */
static int region_take(struct heap_region *region, struct dma_buf_backing **backing,
		       unsigned long left)
{
	unsigned long n = left;
	int ret;

	guard(mutex)(&region->lock);

	if (gen_pool_avail(region->pool) < left)
		return -ENOSPC;
	while (left) {
		unsigned long pfn;

		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		n = min(n, left);
		pfn = region_get(region, n);
		if (!pfn) {
			if (n == 1)
				return -ENOSPC;
			n = rounddown_pow_of_two(n - 1);
			continue;
		}
		ret = region_append(region, backing, pfn, n);
		if (ret) {
			gen_pool_free(region->pool, pfn, n);
			return ret;
		}
		left -= n;
	}
	return 0;
}

static int region_zero(struct heap_region *region, const struct dma_buf_backing *backing)
{
	int ret;

	for (unsigned int i = 0; i < backing->nr_extents; i++) {
		phys_addr_t addr = backing->extents[i].addr;
		u64 left = backing->extents[i].len;

		while (left) {
			size_t n = min_t(u64, left, PMD_SIZE);

			if (fatal_signal_pending(current))
				return -EINTR;
			ret = region->zero(region, addr, n);
			if (ret)
				return ret;
			addr += n;
			left -= n;
			cond_resched();
		}
	}
	return 0;
}

static void region_free(struct heap_placement *placement, struct dma_buf_backing *backing)
{
	struct heap_region *region = to_region(placement);

	for (unsigned int i = 0; i < backing->nr_extents; i++)
		gen_pool_free(region->pool, PHYS_PFN(backing->extents[i].addr),
			      backing->extents[i].len >> PAGE_SHIFT);
	dma_buf_backing_free(backing);
}

/* -ENOSPC when the region is too full, with nothing left behind. */
static struct dma_buf_backing *region_alloc(struct heap_placement *placement, u64 len,
					    bool compact)
{
	struct heap_region *region = to_region(placement);
	struct dma_buf_backing *backing = NULL;
	int ret;

	if (len > region->size)
		return ERR_PTR(-ENOSPC);
	ret = region_describe(region, &backing, 1);
	if (ret)
		return ERR_PTR(ret);
	ret = region_take(region, &backing, len >> PAGE_SHIFT);
	if (!ret)
		ret = region_zero(region, backing);
	if (ret) {
		region_free(placement, backing);
		return ERR_PTR(ret);
	}
	return backing;
}

/**
 * heap_region_set_name - give a region the name an administrator chose
 * @region: the region
 * @name: the name, not terminated
 * @len: its length
 *
 * Return: 0, or -EINVAL for a name that no file in /dev should have or that is
 * too long.
 */
int heap_region_set_name(struct heap_region *region, const char *name, size_t len)
{
	if (!len || len >= sizeof(region->name))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (!isalnum(name[i]) && name[i] != '_' && name[i] != '-')
			return -EINVAL;
	memcpy(region->name, name, len);
	region->name[len] = '\0';
	return 0;
}

/**
 * heap_region_add - make a region a placement and a heap
 * @region: the region, zeroed but for what its owner knows of it
 *
 * Return: 0, -EEXIST when there is a placement of its name, -ENOMEM.
 */
int heap_region_add(struct heap_region *region)
{
	int ret;

	mutex_init(&region->lock);
	region->placement.name = region->name;
	region->placement.alloc = region_alloc;
	region->placement.free = region_free;
	region->placement.own_heap = true;

	region->pool = gen_pool_create(0, NUMA_NO_NODE);
	if (!region->pool)
		return -ENOMEM;
	ret = gen_pool_add(region->pool, PHYS_PFN(region->base),
			   region->size >> PAGE_SHIFT, NUMA_NO_NODE);
	if (!ret)
		ret = heap_placement_add(&region->placement);
	if (ret)
		gen_pool_destroy(region->pool);
	return ret;
}

/**
 * heap_region_del - the reverse
 * @region: a region of which no buffer is left
 */
void heap_region_del(struct heap_region *region)
{
	heap_placement_del(&region->placement);
	gen_pool_destroy(region->pool);
	mutex_destroy(&region->lock);
}
