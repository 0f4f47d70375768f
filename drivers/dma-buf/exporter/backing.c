// SPDX-License-Identifier: GPL-2.0
/*
 * Backings: what physical memory a buffer is made of, as a sorted array of
 * extents. Finding the extent of an offset is a binary search; the cost in
 * memory is that of the extents, never of the pages.
 */
#include <linux/cc_platform.h>
#include <linux/export.h>
#include <linux/memremap.h>
#include <linux/pfn.h>
#include <linux/pgtable.h>
#include <linux/slab.h>
#ifdef CONFIG_X86_PAT
#include <asm/memtype.h>
#endif

#include "internal.h"

/**
 * dma_buf_backing_alloc - allocate the description of a buffer's memory
 * @max_extents: how many extents there must be room for
 * @gfp: allocation flags
 *
 * The description is empty, cached and not I/O memory. Extents are added by
 * dma_buf_backing_add(). Context: any that @gfp allows.
 *
 * Return: the backing, or NULL without memory. Freed by
 * dma_buf_backing_free().
 */
struct dma_buf_backing *dma_buf_backing_alloc(unsigned int max_extents, gfp_t gfp)
{
	struct dma_buf_backing *backing;

	backing = kvzalloc(struct_size(backing, extents, max_extents), gfp);
	if (backing)
		backing->max_extents = max_extents;
	return backing;
}
EXPORT_SYMBOL_GPL(dma_buf_backing_alloc);

/**
 * dma_buf_backing_free - free the description, not the memory it describes
 * @backing: what dma_buf_backing_alloc() returned, or NULL
 *
 * Context: may sleep.
 */
void dma_buf_backing_free(struct dma_buf_backing *backing)
{
	kvfree(backing);
}
EXPORT_SYMBOL_GPL(dma_buf_backing_free);

/**
 * dma_buf_backing_add - append a physically contiguous piece
 * @backing: a backing that no exporter has yet
 * @addr: physical address, page aligned
 * @len: length in bytes, a multiple of the page size
 *
 * A piece that continues the previous one is merged with it. All pieces of a
 * backing either have a struct page for each frame or have none, and I/O
 * memory has none. Device memory with struct pages (ZONE_DEVICE) is neither.
 * Context: any.
 *
 * Return: 0; -EINVAL for an address or length that is not page aligned, is
 * zero or wraps, or for memory of another kind than the rest; -ENOSPC when
 * there is no room for another extent.
 */
int dma_buf_backing_add(struct dma_buf_backing *backing, phys_addr_t addr, u64 len)
{
	struct dma_buf_extent *last = NULL;
	bool paged = pfn_valid(PHYS_PFN(addr));
	phys_addr_t end;

	if (!len || !PAGE_ALIGNED(addr) || !PAGE_ALIGNED(len) ||
	    check_add_overflow(addr, len - 1, &end))
		return -EINVAL;
	if (paged != pfn_valid(PHYS_PFN(end)) || (paged && backing->io))
		return -EINVAL;
	if (paged && (is_zone_device_page(pfn_to_page(PHYS_PFN(addr))) ||
		      is_zone_device_page(pfn_to_page(PHYS_PFN(end)))))
		return -EINVAL;
	if (backing->nr_extents) {
		if (paged != backing->paged)
			return -EINVAL;
		last = &backing->extents[backing->nr_extents - 1];
	}

	if (last && last->addr + last->len == addr) {
		last->len += len;
	} else {
		if (backing->nr_extents == backing->max_extents)
			return -ENOSPC;
		backing->extents[backing->nr_extents++] = (struct dma_buf_extent) {
			.addr = addr,
			.offset = backing->size,
			.len = len,
		};
	}
	backing->paged = paged;
	backing->size += len;
	return 0;
}
EXPORT_SYMBOL_GPL(dma_buf_backing_add);

/* Index of the extent that holds @offset, which is inside the buffer. */
unsigned int backing_find(const struct dma_buf_backing *backing, u64 offset)
{
	unsigned int lo = 0, hi = backing->nr_extents;

	while (hi - lo > 1) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (backing->extents[mid].offset <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* Points @cur at page @pgoff of the buffer. */
void backing_seek(const struct dma_buf_backing *backing,
		  struct backing_cursor *cur, pgoff_t pgoff)
{
	u64 offset = (u64)pgoff << PAGE_SHIFT;

	cur->extent = &backing->extents[backing_find(backing, offset)];
	offset -= cur->extent->offset;
	cur->pfn = PHYS_PFN(cur->extent->addr + offset);
	cur->left = (cur->extent->len - offset) >> PAGE_SHIFT;
}

/* @prot with the caching attribute of the backing. */
pgprot_t backing_pgprot(const struct dma_buf_backing *backing, pgprot_t prot)
{
	if (backing->io)
		prot = pgprot_decrypted(prot);
	switch (backing->caching) {
	case DMA_BUF_WRITECOMBINE:
		return pgprot_writecombine(prot);
	case DMA_BUF_UNCACHED:
		return pgprot_noncached(prot);
	case DMA_BUF_CACHED:
		break;
	}
	return prot;
}

/* Name of the place of a backing, for people and programs. */
const char *backing_placement(const struct dma_buf_backing *backing)
{
	if (!backing)
		return "none";
	if (backing->placement)
		return backing->placement;
	if (backing->io)
		return "io";
	return backing->paged ? "pages" : "unpaged";
}

/* Can @backing be the memory of this buffer? */
bool exporter_backing_fits(const struct dma_buf_exporter *exporter,
			   const struct dma_buf_backing *backing)
{
	return backing->size == exporter->size &&
	       !(backing->io && backing->caching == DMA_BUF_CACHED);
}

/**
 * dma_buf_exporter_backing - where a buffer's memory is at the moment
 * @exporter: the buffer
 *
 * For a driver that decides whether to move it. It stays the library's, and valid
 * as long as the lock is held. Context: dma_resv lock held.
 *
 * Return: the backing, or NULL before first use and after revocation.
 */
const struct dma_buf_backing *
dma_buf_exporter_backing(struct dma_buf_exporter *exporter)
{
	dma_resv_assert_held(exporter->resv);

	exporter_settle(exporter, false, false);
	return exporter->backing;
}
EXPORT_SYMBOL_GPL(dma_buf_exporter_backing);

/*
 * Where the architecture keeps the memory type by frame, entries get it whatever
 * their mapping says. Elsewhere a mapping is made for one kind of caching.
 */
static bool caching_by_frame(void)
{
#ifdef CONFIG_X86_PAT
	return pat_enabled();
#else
	return false;
#endif
}

/*
 * Can a mapping that was made for the present memory show @to? Whether memory is
 * encrypted always goes with the mapping.
 */
bool exporter_caching_fits(const struct dma_buf_exporter *exporter,
			   const struct dma_buf_backing *to)
{
	const struct dma_buf_backing *from = exporter->backing;

	if (to->io != from->io && cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return false;
	return to->caching == from->caching || caching_by_frame();
}

/*
 * The buffer's memory, provided on first use where the driver does so. Valid
 * while the reservation object stays locked. It says what kind of memory the
 * buffer has, not that it may be used at the moment.
 */
struct dma_buf_backing *exporter_backing(struct dma_buf_exporter *exporter)
{
	struct dma_buf_backing *backing;

	dma_resv_assert_held(exporter->resv);

	if (exporter->revoked)
		return ERR_PTR(-ENODEV);
	if (likely(exporter->backing))
		return exporter->backing;
	if (!exporter->ops->populate)
		return ERR_PTR(-ENXIO);

	backing = exporter->ops->populate(exporter);
	if (IS_ERR(backing))
		return backing;
	if (WARN_ON_ONCE(!exporter_backing_fits(exporter, backing))) {
		exporter->ops->free_backing(exporter, backing);
		return ERR_PTR(-ENXIO);
	}
	exporter->backing = backing;
	return backing;
}

/*
 * The same for whoever is about to use it: -EAGAIN while the buffer is suspended,
 * and not before an asynchronous copy is done.
 */
struct dma_buf_backing *exporter_backing_usable(struct dma_buf_exporter *exporter)
{
	int ret;

	if (exporter->revoked)
		return ERR_PTR(-ENODEV);
	if (exporter->suspended)
		return ERR_PTR(-EAGAIN);
	ret = exporter_settle(exporter, true, true);
	if (ret)
		return ERR_PTR(ret);
	return exporter_backing(exporter);
}
