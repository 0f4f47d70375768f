// SPDX-License-Identifier: GPL-2.0
/*
 * Carveouts: memory that the kernel was not told of, by "mem=" or by firmware.
 * It has no struct page, and is cached like any other memory.
 */
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "region.h"

static char *carveout;
module_param(carveout, charp, 0444);
MODULE_PARM_DESC(carveout, "Memory without struct page: NAME:BASE:SIZE[,NAME:BASE:SIZE...]");

/**
 * struct carveout - a carveout
 * @region: the allocator
 * @wb: a mapping of all of it, which gives the memory its type as long as it lives
 * @list: in the list of carveouts
 */
struct carveout {
	struct heap_region region;
	void *wb;
	struct list_head list;
};

static LIST_HEAD(carveouts);

static int carveout_zero(struct heap_region *region, phys_addr_t addr, size_t len)
{
	const struct carveout *c = container_of(region, struct carveout, region);

	memset(c->wb + (addr - region->base), 0, len);
	return 0;
}

/* What sparse memory has or has not, at the finest, is 2 MiB. */
static bool __init carveout_has_pages(const struct heap_region *region, unsigned long *pfn)
{
	unsigned long end = PHYS_PFN(region->base + region->size - 1);

	for (*pfn = PHYS_PFN(region->base); *pfn <= end;
	     *pfn = ALIGN(*pfn + 1, PHYS_PFN(SZ_2M)))
		if (pfn_valid(*pfn))
			return true;
	return false;
}

/* Says which rule the region breaks. */
static int __init carveout_check(const struct heap_region *region)
{
	const struct carveout *other;
	unsigned long pfn;
	phys_addr_t last;

	if (!region->size || !PAGE_ALIGNED(region->base) || !PAGE_ALIGNED(region->size)) {
		pr_err("carveout %s: base and size must be multiples of %lu, and size not 0\n",
		       region->name, PAGE_SIZE);
		return -EINVAL;
	}
	if (check_add_overflow(region->base, region->size - 1, &last)) {
		pr_err("carveout %s: must not go past the last address\n", region->name);
		return -EINVAL;
	}
	list_for_each_entry(other, &carveouts, list) {
		if (region->base >= other->region.base + other->region.size ||
		    last < other->region.base)
			continue;
		pr_err("carveout %s: must not overlap carveout %s\n", region->name,
		       other->region.name);
		return -EINVAL;
	}
	if (carveout_has_pages(region, &pfn)) {
		pr_err("carveout %s: the kernel must not have memory at %#llx\n",
		       region->name, (u64)PFN_PHYS(pfn));
		return -EINVAL;
	}
	return 0;
}

static int __init carveout_parse(struct heap_region *region, char *arg)
{
	char *colon = strchr(arg, ':'), *base, *size, *end;
	u64 addr;

	if (!colon)
		goto err;
	base = colon + 1;
	addr = memparse(base, &size);
	if (size == base || *size++ != ':')
		goto err;
	region->size = memparse(size, &end);
	if (end == size || *end)
		goto err;
	region->base = addr;
	if (region->base != addr)
		goto err;
	if (heap_region_set_name(region, arg, colon - arg)) {
		pr_err("carveout %s: the name must be 1 to %zu letters, digits, '_' or '-'\n",
		       arg, REGION_NAME_LEN - 1);
		return -EINVAL;
	}
	return 0;

err:
	pr_err("carveout %s: must be NAME:BASE:SIZE\n", arg);
	return -EINVAL;
}

static int __init carveout_claim(struct carveout *c)
{
	struct heap_region *region = &c->region;
	int ret = -ENOMEM;

	if (!request_mem_region(region->base, region->size, KBUILD_MODNAME)) {
		pr_err("carveout %s: must not be in use by others, see /proc/iomem\n",
		       region->name);
		return -EINVAL;
	}
	c->wb = memremap(region->base, region->size, MEMREMAP_WB);
	if (!c->wb) {
		pr_err("carveout %s: cannot be mapped\n", region->name);
		goto err_request;
	}
	region->caching = DMA_BUF_CACHED;
	region->zero = carveout_zero;
	ret = heap_region_add(region);
	if (ret == -EEXIST) {
		pr_err("carveout %s: must not have the name of another placement\n",
		       region->name);
		ret = -EINVAL;
	}
	if (ret)
		goto err_map;
	return 0;

err_map:
	memunmap(c->wb);
err_request:
	release_mem_region(region->base, region->size);
	return ret;
}

static int __init carveout_add(char *arg)
{
	struct carveout *c __free(kfree) = kzalloc(sizeof(*c), GFP_KERNEL);
	int ret;

	if (!c)
		return -ENOMEM;
	ret = carveout_parse(&c->region, arg);
	if (!ret)
		ret = carveout_check(&c->region);
	if (!ret)
		ret = carveout_claim(c);
	if (!ret)
		list_add_tail(&no_free_ptr(c)->list, &carveouts);
	return ret;
}

void heap_carveouts_exit(void)
{
	struct carveout *c, *next;

	list_for_each_entry_safe(c, next, &carveouts, list) {
		list_del(&c->list);
		heap_region_del(&c->region);
		memunmap(c->wb);
		release_mem_region(c->region.base, c->region.size);
		kfree(c);
	}
}

int __init heap_carveouts_init(void)
{
	char *args __free(kfree) = kstrdup(carveout, GFP_KERNEL);
	char *rest = args, *arg;
	int ret = 0;

	if (!carveout || !*carveout)
		return 0;
	if (!args)
		return -ENOMEM;
	while (!ret && (arg = strsep(&rest, ",")))
		ret = carveout_add(arg);
	if (ret)
		heap_carveouts_exit();
	return ret;
}
