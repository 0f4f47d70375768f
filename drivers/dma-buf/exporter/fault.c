// SPDX-License-Identifier: GPL-2.0
/*
 * Page faults: one PMD-sized entry where the address, the memory and the
 * mapping allow it, otherwise all page-sized entries of the page table that
 * the fault needs. Every entry is special.
 */
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>

#include <linux/dma-buf-compat.h>

#include "internal.h"
#include "trace.h"

/*
 * Keeps the buffer, and the driver's module, while a fault sleeps without the
 * lock that pins the VMA.
 */
static struct file *fault_get(struct vm_area_struct *vma)
{
	struct dma_buf_exporter *exporter = vma->vm_private_data;

	if (vma->vm_ops == &exporter_node_vm_ops)
		exporter->ops->get(exporter);
	return get_file(vma->vm_file);
}

static void fault_put(struct dma_buf_exporter *exporter, struct file *file, bool node)
{
	if (node)
		exporter->ops->put(exporter);
	fput(file);
}

/*
 * A signal came where the fault may not end: a ww_mutex has no killable wait,
 * and a fault of the kernel itself is not ended by a signal that does not kill.
 * Backs off for a tick, so that trying again does not spin.
 */
static void fault_backoff(void)
{
	schedule_timeout_killable(1);
}

/*
 * Sleeps until the buffer is not suspended, its reservation object is free and
 * its KERNEL fences are signalled; not for fences once it is revoked.
 */
static void fault_sleep(struct dma_buf_exporter *exporter, unsigned int flags)
{
	int ret;

	ret = exporter_wait_resumed(exporter);
	if (!ret)
		ret = exporter_wait_fences(exporter);
	if (!ret) {
		ret = dma_resv_lock_interruptible(exporter->resv, NULL);
		if (!ret)
			dma_resv_unlock(exporter->resv);
	}
	if (ret < 0 && !(flags & FAULT_FLAG_USER))
		fault_backoff();
}

/* Lets go of mmap_lock, or of the VMA, and waits there; retry afterwards. */
static vm_fault_t fault_wait_unlocked(struct vm_fault *vmf)
{
	struct dma_buf_exporter *exporter = vmf->vma->vm_private_data;
	bool node = vmf->vma->vm_ops == &exporter_node_vm_ops;
	unsigned int flags = vmf->flags;
	struct file *file;

	trace_dma_buf_exporter_fault(exporter, vmf, 0, VM_FAULT_RETRY);
	if (flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;

	file = fault_get(vmf->vma);
	release_fault_lock(vmf);
	fault_sleep(exporter, flags);
	fault_put(exporter, file, node);
	return VM_FAULT_RETRY;
}

/* The same where the fault cannot be retried: end it if the task is to die. */
static vm_fault_t fault_interrupted(void)
{
	if (fatal_signal_pending(current))
		return VM_FAULT_SIGBUS;
	fault_backoff();
	return VM_FAULT_NOPAGE;
}

/*
 * Takes the reservation object with its KERNEL fences signalled. Never sleeps
 * with mmap_lock held where the fault may be retried; 0 when it is locked.
 */
static vm_fault_t fault_lock(struct vm_fault *vmf)
{
	struct dma_buf_exporter *exporter = vmf->vma->vm_private_data;
	struct dma_resv *resv = exporter->resv;
	bool retry = vmf->flags & FAULT_FLAG_ALLOW_RETRY;
	long ret;

	if (!dma_resv_trylock(resv)) {
		if (retry)
			return fault_wait_unlocked(vmf);
		if (dma_resv_lock_interruptible(resv, NULL))
			return fault_interrupted();
	}
	if (unlikely(exporter->revoked))
		return 0;	/* for good, whatever the fences say */
	if (unlikely(exporter->suspended)) {
		/* That may last: not with mmap_lock. */
		dma_resv_unlock(resv);
		return retry ? fault_wait_unlocked(vmf) : fault_interrupted();
	}
	if (likely(dma_resv_test_signaled(resv, DMA_RESV_USAGE_KERNEL)))
		return 0;

	if (retry) {
		dma_resv_unlock(resv);
		return fault_wait_unlocked(vmf);
	}
	ret = dma_resv_wait_timeout(resv, DMA_RESV_USAGE_KERNEL, true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret >= 0)
		return 0;
	dma_resv_unlock(resv);
	return fault_interrupted();
}

/* There is no memory behind the mapping: what a driver's own fault says then. */
static vm_fault_t fault_error(int err)
{
	return err == -EINTR || err == -ERESTARTSYS ? fault_interrupted() : VM_FAULT_SIGBUS;
}

/**
 * struct fill - carried through the walk over one page table
 * @mm: the address space
 * @write: the fault wants to write
 * @writable: the mapping allows it
 * @tracked: it does, and yet the core wants to hear of the first write
 * @entry: the faulting entry, as the core made it
 * @cur: the frame of the next entry
 * @left: entries the walk has not come to
 * @inserted: entries made so far
 */
struct fill {
	struct mm_struct *mm;
	bool write;
	bool writable;
	bool tracked;
	pte_t entry;
	struct backing_cursor cur;
	unsigned long left;
	unsigned long inserted;
};

/*
 * The core decided on the attributes of the faulting entry, the memory type
 * among them: the neighbours get the same. A write fault leaves a writable
 * entry even where writes are tracked (soft-dirty), for KVM looks the entry up
 * after the fault and gives up on another.
 */
static int fill_learn(pte_t *pte, unsigned long addr, void *data)
{
	struct fill *fill = data;
	pte_t entry = ptep_get(pte);

	/* A driver may zap its whole node without the lock: fault again. */
	if (!pte_present(entry))
		return -EAGAIN;
	fill->entry = pte_mkold(pte_mkclean(entry));
	fill->tracked = fill->writable && !pte_write(entry);
	if (fill->write && fill->tracked) {
		entry = pte_mkwrite_novma(pte_mkdirty(pte_mkyoung(entry)));
		set_pte_at(fill->mm, addr, pte, entry);
	}
	return 0;
}

static int fill_pte(pte_t *pte, unsigned long addr, void *data)
{
	struct fill *fill = data;

	if (pte_none(ptep_get(pte))) {
		set_pte_at(fill->mm, addr, pte,
			   pte_advance_pfn(fill->entry,
					   fill->cur.pfn - pte_pfn(fill->entry)));
		fill->inserted++;
	}
	/* There may be nothing behind the last one. */
	if (--fill->left)
		backing_next(&fill->cur);
	return 0;
}

/*
 * Fills the page table that the fault needs: user space that touches one page
 * of a buffer touches the others, and an entry costs a hundredth of a fault.
 */
static vm_fault_t fault_insert_ptes(struct vm_fault *vmf,
				    struct dma_buf_backing *backing)
{
	struct vm_area_struct *vma = vmf->vma;
	struct dma_buf_exporter *exporter = vma->vm_private_data;
	unsigned long addr = vmf->address & PAGE_MASK;
	unsigned long start = max(addr & PMD_MASK, vma->vm_start);
	unsigned long end = min((addr & PMD_MASK) + PMD_SIZE, vma->vm_end);
	struct fill fill = {
		.mm = vma->vm_mm,
		.write = vmf->flags & FAULT_FLAG_WRITE,
		.writable = vma->vm_flags & VM_WRITE,
	};
	vm_fault_t ret;

	backing_seek(backing, &fill.cur, exporter_pgoff(vma, addr));
	ret = vmf_insert_pfn_prot(vma, addr, fill.cur.pfn, vma->vm_page_prot);
	if (ret != VM_FAULT_NOPAGE)
		return ret;
	if (apply_to_page_range(fill.mm, addr, PAGE_SIZE, fill_learn, &fill))
		return VM_FAULT_NOPAGE;

	/*
	 * Where writes are tracked the neighbours would be read-only, and KVM
	 * takes a present read-only entry for the last word. Otherwise fill: the
	 * page table exists, so this cannot fail.
	 */
	if (!fill.tracked) {
		backing_seek(backing, &fill.cur, exporter_pgoff(vma, start));
		fill.left = (end - start) >> PAGE_SHIFT;
		apply_to_page_range(fill.mm, start, end - start, fill_pte, &fill);
	}

	exporter->stats.faults_pte++;
	exporter->stats.ptes += fill.inserted + 1;
	return ret;
}

/* Can the PMD around @addr be one entry? @pfn is its first frame if so. */
static bool fault_pmd_fits(struct vm_area_struct *vma, unsigned long addr,
			   struct dma_buf_backing *backing, unsigned long *pfn)
{
	struct backing_cursor cur;

	addr &= PMD_MASK;
	if (!IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP) ||
	    (!backing->paged && !DMA_BUF_COMPAT_UNPAGED_PMD) ||
	    addr < vma->vm_start || vma->vm_end - addr < PMD_SIZE)
		return false;

	backing_seek(backing, &cur, exporter_pgoff(vma, addr));
	*pfn = cur.pfn;
	return cur.left >= PTRS_PER_PTE && IS_ALIGNED(cur.pfn, PTRS_PER_PTE);
}

vm_fault_t exporter_fault(struct vm_fault *vmf)
{
	struct dma_buf_exporter *exporter = vmf->vma->vm_private_data;
	struct dma_buf_backing *backing;
	vm_fault_t ret;

	ret = fault_lock(vmf);
	if (ret)
		return ret;

	backing = exporter_backing_usable(exporter);
	if (IS_ERR(backing))
		ret = fault_error(PTR_ERR(backing));
	else if (pmd_leaf(pmdp_get_lockless(vmf->pmd)))
		ret = VM_FAULT_NOPAGE;	/* another thread got the whole PMD */
	else
		ret = fault_insert_ptes(vmf, backing);
	trace_dma_buf_exporter_fault(exporter, vmf, PAGE_SIZE, ret);
	dma_resv_unlock(exporter->resv);
	return ret;
}

vm_fault_t exporter_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct dma_buf_exporter *exporter = vmf->vma->vm_private_data;
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	struct dma_buf_backing *backing;
	unsigned long pfn;
	vm_fault_t ret;
	pmd_t pmd;

	if (order != PMD_ORDER)
		return VM_FAULT_FALLBACK;

	/* mmap_lock may not be held here: the VMA's own lock may be. */
	ret = fault_lock(vmf);
	if (ret)
		return ret;

	backing = exporter_backing_usable(exporter);
	pmd = pmdp_get_lockless(vmf->pmd);
	if (IS_ERR(backing)) {
		ret = fault_error(PTR_ERR(backing));
	} else if (!pmd_none(pmd) && !pmd_leaf(pmd)) {
		/* A thread for which huge entries are off was faster. */
		ret = VM_FAULT_FALLBACK;
	} else if (fault_pmd_fits(vmf->vma, vmf->address, backing, &pfn)) {
		ret = dma_buf_insert_pfn_pmd(vmf, pfn, write);
		if (ret == VM_FAULT_NOPAGE)
			exporter->stats.faults_pmd++;
	} else if (pmd_none(pmd)) {
		/* Not worth a second trip through the core. */
		ret = fault_insert_ptes(vmf, backing);
	} else {
		ret = VM_FAULT_FALLBACK;
	}
	trace_dma_buf_exporter_fault(exporter, vmf, PMD_SIZE, ret);
	dma_resv_unlock(exporter->resv);
	return ret;
}
