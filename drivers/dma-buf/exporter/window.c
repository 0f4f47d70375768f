// SPDX-License-Identifier: GPL-2.0
/*
 * Windows: a piece of a backing that the kernel reads or writes, mapped with the
 * attribute all other mappings of the memory have.
 */
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "internal.h"

/* How a window was mapped, and so how it is unmapped. */
enum window_kind {
	WINDOW_PAGES,
	WINDOW_VMALLOC,
	WINDOW_MEMREMAP,
	WINDOW_IOREMAP,
};

/* Pages from one on that a window of @backing can have. */
unsigned long window_pages(const struct dma_buf_backing *backing)
{
	if (!backing->paged)
		return PTRS_PER_PTE;
	if (backing->caching == DMA_BUF_CACHED)
		return IS_ENABLED(CONFIG_HIGHMEM) ? 1 : PTRS_PER_PTE;
	return 1;
}

static void *window_vmap_pfn(unsigned long pfn, unsigned long n, pgprot_t prot)
{
	unsigned long *pfns = kvmalloc_array(n, sizeof(*pfns), GFP_KERNEL);
	void *addr;

	if (!pfns)
		return NULL;
	for (unsigned long i = 0; i < n; i++)
		pfns[i] = pfn + i;
	addr = vmap_pfn(pfns, n, prot);
	kvfree(pfns);
	return addr;
}

/*
 * Maps @n frames from @pfn on, of one extent and at most window_pages(). Windows
 * are unmapped in the reverse order.
 */
int window_map(struct window *w, const struct dma_buf_backing *backing,
	       unsigned long pfn, unsigned long n)
{
	pgprot_t prot = backing_pgprot(backing, PAGE_KERNEL);
	bool cached = backing->caching == DMA_BUF_CACHED;
	phys_addr_t addr = PFN_PHYS(pfn);
	size_t len = n << PAGE_SHIFT;
	struct page *page;

	w->io = backing->io;
	if (backing->io) {
		w->kind = WINDOW_IOREMAP;
		w->addr = (void __force *)(backing->caching == DMA_BUF_WRITECOMBINE ?
					   ioremap_wc(addr, len) : ioremap(addr, len));
	} else if (backing->paged && cached) {
		w->kind = WINDOW_PAGES;
		w->addr = kmap_local_pfn(pfn);
	} else if (backing->paged) {
		w->kind = WINDOW_VMALLOC;
		page = pfn_to_page(pfn);
		w->addr = vmap(&page, n, VM_MAP, prot);
	} else if (cached) {
		w->kind = WINDOW_MEMREMAP;
		w->addr = memremap(addr, len, MEMREMAP_WB);
	} else {
		w->kind = WINDOW_VMALLOC;
		w->addr = window_vmap_pfn(pfn, n, prot);
	}
	return w->addr ? 0 : -ENOMEM;
}

void window_unmap(struct window *w)
{
	switch ((enum window_kind)w->kind) {
	case WINDOW_PAGES:
		kunmap_local(w->addr);
		break;
	case WINDOW_VMALLOC:
		vunmap(w->addr);
		break;
	case WINDOW_MEMREMAP:
		memunmap(w->addr);
		break;
	case WINDOW_IOREMAP:
		iounmap((void __iomem __force *)w->addr);
		break;
	}
}
