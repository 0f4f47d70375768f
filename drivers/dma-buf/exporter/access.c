// SPDX-License-Identifier: GPL-2.0
/*
 * ptrace() and /proc/pid/mem: the kernel reads and writes a mapping that it
 * cannot pin by asking the exporter. generic_access_phys() will not do: it
 * takes the frame from the page table, and warns of RAM.
 */
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/vmalloc.h>

#include "internal.h"

static void access_copy(void *mem, void *buf, unsigned int len, bool write)
{
	if (write)
		memcpy(mem, buf, len);
	else
		memcpy(buf, mem, len);
}

static int access_io(const struct dma_buf_backing *backing, unsigned long pfn,
		     unsigned int offset, void *buf, unsigned int len, bool write)
{
	void __iomem *io = backing->caching == DMA_BUF_WRITECOMBINE ?
		ioremap_wc(PFN_PHYS(pfn), PAGE_SIZE) : ioremap(PFN_PHYS(pfn), PAGE_SIZE);

	if (!io)
		return -ENOMEM;
	if (write)
		memcpy_toio(io + offset, buf, len);
	else
		memcpy_fromio(buf, io + offset, len);
	iounmap(io);
	return 0;
}

/* Within one page, by a mapping with the attribute of all others. */
static int access_page(const struct dma_buf_backing *backing, unsigned long pfn,
		       unsigned int offset, void *buf, unsigned int len, bool write)
{
	pgprot_t prot = backing_pgprot(backing, PAGE_KERNEL);
	bool cached = backing->caching == DMA_BUF_CACHED;
	struct page *page;
	void *mem;

	if (backing->io)
		return access_io(backing, pfn, offset, buf, len, write);

	if (backing->paged && cached) {
		mem = kmap_local_pfn(pfn);
		access_copy(mem + offset, buf, len, write);
		kunmap_local(mem);
		return 0;
	}
	if (backing->paged) {
		page = pfn_to_page(pfn);
		mem = vmap(&page, 1, VM_MAP, prot);
	} else {
		mem = cached ? memremap(PFN_PHYS(pfn), PAGE_SIZE, MEMREMAP_WB) :
			       vmap_pfn(&pfn, 1, prot);
	}
	if (!mem)
		return -ENOMEM;
	access_copy(mem + offset, buf, len, write);
	if (!backing->paged && cached)
		memunmap(mem);
	else
		vunmap(mem);
	return 0;
}

/*
 * Called with mmap_lock held, so it waits for the lock and for fences where
 * ptrace would wait for a page.
 */
int exporter_access(struct vm_area_struct *vma, unsigned long addr, void *buf,
		    int len, int write)
{
	struct dma_buf_exporter *exporter = vma->vm_private_data;
	unsigned int offset = offset_in_page(addr);
	struct dma_buf_backing *backing;
	struct backing_cursor cur;
	int done = 0, ret;
	long wait;

	/* FOLL_FORCE does not write through a shared read-only mapping. */
	if (!(vma->vm_flags & (write ? VM_WRITE : VM_MAYREAD)))
		return -EFAULT;
	len = min_t(unsigned long, len, vma->vm_end - addr);

	ret = dma_resv_lock_interruptible(exporter->resv, NULL);
	if (ret)
		return ret;
	wait = dma_resv_wait_timeout(exporter->resv, DMA_RESV_USAGE_KERNEL, true,
				     MAX_SCHEDULE_TIMEOUT);
	if (wait < 0) {
		ret = wait;
		goto unlock;
	}
	backing = exporter_backing(exporter);
	if (IS_ERR(backing)) {
		ret = PTR_ERR(backing);
		goto unlock;
	}

	backing_seek(backing, &cur, exporter_pgoff(vma, addr));
	for (;;) {
		unsigned int n = min_t(unsigned int, len - done, PAGE_SIZE - offset);

		ret = access_page(backing, cur.pfn, offset, buf + done, n, write);
		if (ret)
			break;
		done += n;
		if (done == len)
			break;
		offset = 0;
		backing_next(&cur);
	}
unlock:
	dma_resv_unlock(exporter->resv);
	return done ?: ret;
}
