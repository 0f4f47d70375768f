// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel mappings, for importers without DMA. The core counts its users and
 * asks once.
 */
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "internal.h"

/* How the current mapping was made, and so how it is undone. */
enum vmap_kind {
	VMAP_DIRECT,		/* the kernel's own mapping of the memory */
	VMAP_VMALLOC,
	VMAP_MEMREMAP,
	VMAP_IOREMAP,
};

static void *vmap_paged(struct dma_buf_exporter *exporter,
			const struct dma_buf_backing *backing)
{
	unsigned int n = backing->size >> PAGE_SHIFT;
	phys_addr_t start = backing->extents[0].addr;
	struct backing_cursor cur;
	struct page **pages;
	void *vaddr;

	if (backing->nr_extents == 1 && backing->caching == DMA_BUF_CACHED &&
	    !PageHighMem(pfn_to_page(PHYS_PFN(start + backing->size - 1)))) {
		exporter->vmap_kind = VMAP_DIRECT;
		return page_address(pfn_to_page(PHYS_PFN(start)));
	}

	pages = kvmalloc_array(n, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return NULL;
	backing_seek(backing, &cur, 0);
	for (unsigned int i = 0; i < n; i++) {
		pages[i] = pfn_to_page(cur.pfn);
		if (i + 1 < n)
			backing_next(&cur);
	}
	vaddr = vmap(pages, n, VM_MAP, backing_pgprot(backing, PAGE_KERNEL));
	kvfree(pages);
	exporter->vmap_kind = VMAP_VMALLOC;
	return vaddr;
}

static void *vmap_unpaged(struct dma_buf_exporter *exporter,
			  const struct dma_buf_backing *backing)
{
	const struct dma_buf_extent *first = &backing->extents[0];
	unsigned int n = backing->size >> PAGE_SHIFT;
	struct backing_cursor cur;
	unsigned long *pfns;
	void *vaddr;

	if (backing->nr_extents == 1 && backing->io) {
		exporter->vmap_kind = VMAP_IOREMAP;
		return (void __force *)(backing->caching == DMA_BUF_WRITECOMBINE ?
					ioremap_wc(first->addr, first->len) :
					ioremap(first->addr, first->len));
	}
	if (backing->nr_extents == 1 && backing->caching == DMA_BUF_CACHED) {
		exporter->vmap_kind = VMAP_MEMREMAP;
		return memremap(first->addr, first->len, MEMREMAP_WB);
	}

	pfns = kvmalloc_array(n, sizeof(*pfns), GFP_KERNEL);
	if (!pfns)
		return NULL;
	backing_seek(backing, &cur, 0);
	for (unsigned int i = 0; i < n; i++) {
		pfns[i] = cur.pfn;
		if (i + 1 < n)
			backing_next(&cur);
	}
	vaddr = vmap_pfn(pfns, n, backing_pgprot(backing, PAGE_KERNEL));
	kvfree(pfns);
	exporter->vmap_kind = VMAP_VMALLOC;
	return vaddr;
}

/*
 * Nothing tells an importer that a mapping is read-only, and some write without
 * asking (videobuf2 captures into it): a read-only buffer has none. The core
 * warns, once, of any error; that beats the oops of a write to a read-only page.
 */
int exporter_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_buf_exporter *exporter = dmabuf->priv;
	struct dma_buf_backing *backing;
	void *addr;

	dma_resv_assert_held(exporter->resv);

	if (exporter_readonly(dmabuf)) {
		exporter_refuse(exporter, "vmap of a read-only buffer");
		return -EACCES;
	}
	/* Any error makes the core warn: a signal is not one. */
	exporter_settle(exporter, true, false);
	backing = exporter_backing_usable(exporter);
	if (IS_ERR(backing))
		return PTR_ERR(backing);
	dma_resv_wait_timeout(exporter->resv, DMA_RESV_USAGE_KERNEL, false,
			      MAX_SCHEDULE_TIMEOUT);
	if (backing->size >> PAGE_SHIFT > INT_MAX)
		return -ENOMEM;
	addr = backing->paged ? vmap_paged(exporter, backing) :
				vmap_unpaged(exporter, backing);
	if (!addr)
		return -ENOMEM;

	exporter->vmap_addr = addr;
	if (backing->io)
		iosys_map_set_vaddr_iomem(map, (void __iomem __force *)addr);
	else
		iosys_map_set_vaddr(map, addr);
	return 0;
}

void exporter_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct dma_buf_exporter *exporter = dmabuf->priv;

	dma_resv_assert_held(exporter->resv);

	switch ((enum vmap_kind)exporter->vmap_kind) {
	case VMAP_DIRECT:
		break;
	case VMAP_VMALLOC:
		vunmap(exporter->vmap_addr);
		break;
	case VMAP_MEMREMAP:
		memunmap(exporter->vmap_addr);
		break;
	case VMAP_IOREMAP:
		iounmap((void __iomem __force *)exporter->vmap_addr);
		break;
	}
	exporter->vmap_addr = NULL;
	exporter_let_go(exporter);
}
