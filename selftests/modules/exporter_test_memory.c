// SPDX-License-Identifier: GPL-2.0
/* Memory of each kind for the test exporter. */
#include <linux/dma-buf-exporter.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/set_memory.h>
#include <linux/slab.h>

#include "exporter_test_internal.h"

/* Above what any machine of the tests has. */
#define SPARSE_BASE	(2ULL << 40)

static ulong unpaged_base;
module_param(unpaged_base, ulong, 0444);
MODULE_PARM_DESC(unpaged_base, "Physical address of memory the kernel does not use");

static ulong unpaged_size;
module_param(unpaged_size, ulong, 0444);

/**
 * struct memory - what a backing was made of, its priv
 * @kind: an enum et_kind
 * @wb: keeps the memory type of cached memory without struct page
 * @pages: one entry a page of system memory
 * @nr: number of pages
 * @flags: how a move to it goes, enum et_move_flags
 */
struct memory {
	u32 kind;
	void *wb;
	struct page **pages;
	unsigned long nr;
	u32 flags;
};

/* Unpaged and I/O memory is handed out from the start, to one buffer at once. */
static DEFINE_MUTEX(memory_mutex);
static bool memory_taken[ET_SPARSE + 1];
static struct pci_dev *memory_pdev;
static int memory_wc_handle = -1;

/* The pieces of a fragmented buffer are laid out backwards: none merges. */
static int memory_fill(struct dma_buf_backing *backing, phys_addr_t base,
		       const struct et_alloc *how)
{
	u64 chunk = (u64)how->chunk << PAGE_SHIFT;
	int ret = 0;

	if (!chunk)
		return dma_buf_backing_add(backing, base, how->size);
	for (u64 end = how->size; !ret && end; end -= min(chunk, end))
		ret = dma_buf_backing_add(backing, base + end - min(chunk, end),
					  min(chunk, end));
	return ret;
}

static int memory_pages(struct dma_buf_backing *backing, struct memory *mem,
			const struct et_alloc *how)
{
	unsigned int order = how->chunk ? ilog2(how->chunk) : HPAGE_PMD_ORDER;
	unsigned long step;
	int ret;

	mem->pages = kvcalloc(how->size >> PAGE_SHIFT, sizeof(*mem->pages), GFP_KERNEL);
	if (!mem->pages)
		return -ENOMEM;
	for (u64 left = how->size >> PAGE_SHIFT; left; left -= step) {
		unsigned int o = min_t(unsigned int, order, ilog2(left));
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, o);

		if (!page)
			return -ENOMEM;
		split_page(page, o);
		step = 1UL << o;
		for (unsigned long i = 0; i < step; i++)
			mem->pages[mem->nr++] = page + i;
		ret = dma_buf_backing_add(backing, page_to_phys(page), step << PAGE_SHIFT);
		if (ret)
			return ret;
	}
	if (how->caching == DMA_BUF_WRITECOMBINE)
		return set_pages_array_wc(mem->pages, mem->nr);
	return 0;
}

static int memory_unpaged(struct dma_buf_backing *backing, struct memory *mem,
			  const struct et_alloc *how)
{
	if (!unpaged_size || how->size > unpaged_size)
		return -ENODEV;
	mem->wb = memremap(unpaged_base, how->size, MEMREMAP_WB);
	if (!mem->wb)
		return -ENOMEM;
	memset(mem->wb, 0, how->size);
	return memory_fill(backing, unpaged_base, how);
}

static int memory_io(struct dma_buf_backing *backing, const struct et_alloc *how)
{
	void __iomem *io;
	resource_size_t bar;

	if (!memory_pdev) {
		memory_pdev = pci_get_device(0x1af4, 0x1110, NULL);
		if (!memory_pdev || pci_enable_device(memory_pdev) ||
		    dma_set_mask(&memory_pdev->dev, DMA_BIT_MASK(64)))
			return -ENODEV;
	}
	bar = pci_resource_start(memory_pdev, 2);
	if (how->size > pci_resource_len(memory_pdev, 2))
		return -ENODEV;
	io = ioremap(bar, how->size);
	if (!io)
		return -ENOMEM;
	memset_io(io, 0, how->size);
	iounmap(io);
	if (how->caching == DMA_BUF_WRITECOMBINE)
		memory_wc_handle = arch_io_reserve_memtype_wc(bar, how->size);
	backing->io = true;
	if (how->flags & ET_PROVIDER)
		backing->provider = memory_pdev;
	return memory_fill(backing, bar, how);
}

void et_memory_put(struct dma_buf_backing *backing)
{
	struct memory *mem = backing->priv;

	guard(mutex)(&memory_mutex);
	if (mem->kind != ET_PAGES)
		memory_taken[mem->kind] = false;
	if (mem->wb)
		memunmap(mem->wb);
	if (mem->kind == ET_IO && backing->caching == DMA_BUF_WRITECOMBINE)
		arch_io_free_memtype_wc(pci_resource_start(memory_pdev, 2), backing->size);
	if (mem->pages && backing->caching == DMA_BUF_WRITECOMBINE)
		set_pages_array_wb(mem->pages, mem->nr);
	for (unsigned long i = 0; i < mem->nr; i++)
		__free_page(mem->pages[i]);
	kvfree(mem->pages);
	kfree(mem);
	dma_buf_backing_free(backing);
}

struct dma_buf_backing *et_memory_get(const struct et_alloc *how)
{
	u64 extents = how->size >> PAGE_SHIFT;
	struct dma_buf_backing *backing;
	struct memory *mem;
	int ret;

	if (how->kind > ET_SPARSE || how->caching > DMA_BUF_UNCACHED)
		return ERR_PTR(-EINVAL);
	if (how->kind == ET_SPARSE)
		extents = how->chunk ? DIV_ROUND_UP(extents, how->chunk) : 1;
	backing = dma_buf_backing_alloc(extents, GFP_KERNEL);
	mem = kzalloc(sizeof(*mem), GFP_KERNEL);
	if (!backing || !mem) {
		kfree(mem);
		dma_buf_backing_free(backing);
		return ERR_PTR(-ENOMEM);
	}
	backing->caching = how->caching;
	backing->priv = mem;
	mem->kind = how->kind;

	scoped_guard(mutex, &memory_mutex) {
		if (how->kind != ET_PAGES && memory_taken[how->kind]) {
			kfree(mem);
			dma_buf_backing_free(backing);
			return ERR_PTR(-EBUSY);
		}
		memory_taken[how->kind] = true;
		switch (how->kind) {
		case ET_UNPAGED:
			ret = memory_unpaged(backing, mem, how);
			break;
		case ET_IO:
			ret = memory_io(backing, how);
			break;
		case ET_SPARSE:
			ret = memory_fill(backing, SPARSE_BASE, how);
			break;
		default:
			ret = memory_pages(backing, mem, how);
		}
	}
	if (ret) {
		et_memory_put(backing);
		return ERR_PTR(ret);
	}
	return backing;
}

void et_memory_set_flags(struct dma_buf_backing *backing, u32 flags)
{
	struct memory *mem = backing->priv;

	mem->flags = flags;
}

u32 et_memory_flags(const struct dma_buf_backing *backing)
{
	const struct memory *mem = backing->priv;

	return mem->flags;
}

/* The device with the BAR, once a buffer was there; or NULL. */
struct device *et_memory_device(void)
{
	return memory_pdev ? &memory_pdev->dev : NULL;
}

void et_memory_exit(void)
{
	if (memory_pdev)
		pci_disable_device(memory_pdev);
	pci_dev_put(memory_pdev);
}
