// SPDX-License-Identifier: GPL-2.0
/*
 * ptrace() and /proc/pid/mem: the kernel reads and writes a mapping that it
 * cannot pin by asking the exporter. generic_access_phys() will not do: it
 * takes the frame from the page table, and warns of RAM.
 */
#include <linux/io.h>

#include "internal.h"

/* Within one page. */
static int access_page(const struct dma_buf_backing *backing, unsigned long pfn,
		       unsigned int offset, void *buf, unsigned int len, bool write)
{
	void __iomem *io;
	struct window w;
	int ret;

	ret = window_map(&w, backing, pfn, 1);
	if (ret)
		return ret;
	io = (void __iomem __force *)w.addr + offset;
	if (w.io && write)
		memcpy_toio(io, buf, len);
	else if (w.io)
		memcpy_fromio(buf, io, len);
	else if (write)
		memcpy(w.addr + offset, buf, len);
	else
		memcpy(buf, w.addr + offset, len);
	window_unmap(&w);
	return 0;
}

/*
 * Called with mmap_lock held, so it waits for the lock and for fences where
 * ptrace would wait for a page. For fences without the lock, if it can be helped:
 * a revocation wants it.
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

	ret = exporter_wait_fences(exporter);
	if (ret)
		return ret;
	ret = dma_resv_lock_interruptible(exporter->resv, NULL);
	if (ret)
		return ret;
	if (exporter->revoked) {
		ret = -ENODEV;
		goto unlock;
	}
	wait = dma_resv_wait_timeout(exporter->resv, DMA_RESV_USAGE_KERNEL, true,
				     MAX_SCHEDULE_TIMEOUT);
	if (wait < 0) {
		ret = wait;
		goto unlock;
	}
	backing = exporter_backing_usable(exporter);
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
