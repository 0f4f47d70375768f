// SPDX-License-Identifier: GPL-2.0
/*
 * Copying a buffer with the processor, between memory of any two kinds.
 */
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "internal.h"

/* The kernel's own mapping serves both ends. */
static bool copy_by_page(const struct dma_buf_backing *to,
			 const struct dma_buf_backing *from)
{
	return to->paged && to->caching == DMA_BUF_CACHED &&
	       from->paged && from->caching == DMA_BUF_CACHED;
}

static void copy_pages(unsigned long to, unsigned long from, unsigned long n)
{
	for (; n; n--)
		copy_highpage(pfn_to_page(to++), pfn_to_page(from++));
}

/* Device to device: there is no accessor for both at once. */
static int copy_io_to_io(void __iomem *to, const void __iomem *from, size_t len)
{
	void *bounce = kmalloc(PAGE_SIZE, GFP_KERNEL);

	if (!bounce)
		return -ENOMEM;
	for (size_t off = 0; off < len; off += PAGE_SIZE) {
		memcpy_fromio(bounce, from + off, PAGE_SIZE);
		memcpy_toio(to + off, bounce, PAGE_SIZE);
	}
	kfree(bounce);
	return 0;
}

static int copy_windows(const struct window *to, const struct window *from, size_t len)
{
	void __iomem *to_io = (void __iomem __force *)to->addr;
	void __iomem *from_io = (void __iomem __force *)from->addr;

	if (to->io && from->io)
		return copy_io_to_io(to_io, from_io, len);
	if (to->io)
		memcpy_toio(to_io, from->addr, len);
	else if (from->io)
		memcpy_fromio(to->addr, from_io, len);
	else
		memcpy(to->addr, from->addr, len);
	return 0;
}

static int copy_piece(const struct dma_buf_backing *to, unsigned long to_pfn,
		      const struct dma_buf_backing *from, unsigned long from_pfn,
		      unsigned long n)
{
	struct window to_w, from_w;
	int ret;

	if (copy_by_page(to, from)) {
		copy_pages(to_pfn, from_pfn, n);
		return 0;
	}
	ret = window_map(&to_w, to, to_pfn, n);
	if (ret)
		return ret;
	ret = window_map(&from_w, from, from_pfn, n);
	if (!ret) {
		ret = copy_windows(&to_w, &from_w, n << PAGE_SHIFT);
		window_unmap(&from_w);
	}
	window_unmap(&to_w);
	return ret;
}

/**
 * dma_buf_backing_copy - copy from one backing to another with the processor
 * @to: where to; not in use
 * @from: where from, of the same size; nobody writes it
 *
 * Context: may sleep, with the dma_resv lock or without.
 *
 * Return: 0, -EINVAL when the sizes differ, -ENOMEM, or -EINTR when the caller
 * has been killed.
 */
int dma_buf_backing_copy(const struct dma_buf_backing *to,
			 const struct dma_buf_backing *from)
{
	unsigned long most = min(window_pages(to), window_pages(from));
	unsigned long left = from->size >> PAGE_SHIFT;
	struct backing_cursor t, f;
	int ret;

	if (to->size != from->size)
		return -EINVAL;
	if (copy_by_page(to, from))
		most = PTRS_PER_PTE;

	backing_seek(to, &t, 0);
	backing_seek(from, &f, 0);
	for (;;) {
		unsigned long n = min3(t.left, f.left, most);

		if (fatal_signal_pending(current))
			return -EINTR;
		ret = copy_piece(to, t.pfn, from, f.pfn, n);
		if (ret)
			return ret;
		left -= n;
		if (!left)
			return 0;
		backing_skip(&t, n);
		backing_skip(&f, n);
		cond_resched();
	}
}
EXPORT_SYMBOL_GPL(dma_buf_backing_copy);
