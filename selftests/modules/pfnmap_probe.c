// SPDX-License-Identifier: GPL-2.0
/*
 * Reports, through follow_pfnmap_start(), what maps an address: the level of
 * the entry, whether it is special, and the frame behind it. Tests do not
 * believe that an entry is special, they look. And it puts there what another
 * thread's fault would have, so that a fault on its way meets it for certain.
 */
#include <linux/build_bug.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page_ref.h>
#include <linux/pgtable.h>
#include <linux/uaccess.h>

#include <linux/dma-buf-compat.h>

#include "pfnmap_probe.h"

static_assert(PFNMAP_PROBE_VM_PFNMAP == VM_PFNMAP);
static_assert(PFNMAP_PROBE_VM_IO == VM_IO);
static_assert(PFNMAP_PROBE_VM_DONTEXPAND == VM_DONTEXPAND);
static_assert(PFNMAP_PROBE_VM_DONTDUMP == VM_DONTDUMP);
static_assert(PFNMAP_PROBE_VM_MIXEDMAP == VM_MIXEDMAP);

/* None of these modes uses the PAT bit, whose place depends on the level. */
static u32 cache_of(pgprot_t prot)
{
	unsigned long bits = pgprot_val(prot) & (_PAGE_PWT | _PAGE_PCD);

	if (bits == cachemode2protval(_PAGE_CACHE_MODE_WB))
		return PFNMAP_PROBE_WB;
	if (bits == cachemode2protval(_PAGE_CACHE_MODE_WC))
		return PFNMAP_PROBE_WC;
	if (bits == cachemode2protval(_PAGE_CACHE_MODE_UC_MINUS) ||
	    bits == cachemode2protval(_PAGE_CACHE_MODE_UC))
		return PFNMAP_PROBE_UC;
	return PFNMAP_PROBE_OTHER;
}

static int leave_pte(pte_t *pte, unsigned long addr, void *data)
{
	return 0;
}

/* A fault waits there: the levels above the PMD exist. */
static int make_huge(struct mm_struct *mm, const struct pfnmap_probe *p)
{
	struct vm_fault vmf = {
		.vma = vma_lookup(mm, p->addr),
		.address = p->addr,
		.pmd = pmd_off(mm, p->addr),
	};

	if (!vmf.vma)
		return -ENOENT;
	return dma_buf_insert_pfn_pmd(&vmf, p->pfn, true) == VM_FAULT_NOPAGE ? 0 : -EFAULT;
}

static int probe_first(struct mm_struct *mm, const struct pfnmap_probe *p)
{
	bool unlocked = false;

	switch ((enum pfnmap_probe_first)p->first) {
	case PFNMAP_PROBE_LOOK:
		return 0;
	case PFNMAP_PROBE_FAULT:
		return fixup_user_fault(mm, p->addr, FAULT_FLAG_WRITE, &unlocked);
	case PFNMAP_PROBE_FAULT_LOCKED:
		return fixup_user_fault(mm, p->addr, FAULT_FLAG_WRITE, NULL);
	case PFNMAP_PROBE_MAKE_TABLE:
		return apply_to_page_range(mm, p->addr, PAGE_SIZE, leave_pte, NULL);
	case PFNMAP_PROBE_MAKE_HUGE:
		return make_huge(mm, p);
	}
	return -EINVAL;
}

static int probe(struct pfnmap_probe *p)
{
	struct follow_pfnmap_args args = {};
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int ret;

	mmap_read_lock(mm);
	ret = probe_first(mm, p);
	if (ret)
		goto unlock;
	vma = vma_lookup(mm, p->addr);
	if (!vma) {
		ret = -ENOENT;
		goto unlock;
	}

	p->vm_flags = vma->vm_flags;
	p->level = PFNMAP_PROBE_NONE;
	args.vma = vma;
	args.address = p->addr;
	if (follow_pfnmap_start(&args))
		goto unlock;

	/* No output tells the level on 6.12: a PTE is the one with a pointer. */
	p->level = args.ptep ? PFNMAP_PROBE_PTE : PFNMAP_PROBE_HUGE;
	p->pfn = args.pfn;
	p->special = args.special;
	p->writable = args.writable;
	p->cache = cache_of(args.pgprot);
	p->refcount = pfn_valid(args.pfn) ? page_ref_count(pfn_to_page(args.pfn)) : -1;
	follow_pfnmap_end(&args);
unlock:
	mmap_read_unlock(mm);
	return ret;
}

static long probe_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *uarg = (void __user *)arg;
	struct pfnmap_probe p;
	int ret;

	if (cmd != PFNMAP_PROBE)
		return -ENOTTY;
	if (copy_from_user(&p, uarg, sizeof(p)))
		return -EFAULT;
	ret = probe(&p);
	if (ret)
		return ret;
	return copy_to_user(uarg, &p, sizeof(p)) ? -EFAULT : 0;
}

static const struct file_operations probe_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= probe_ioctl,
};

static struct miscdevice probe_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "pfnmap_probe",
	.fops	= &probe_fops,
	.mode	= 0600,
};
module_misc_device(probe_misc);

MODULE_DESCRIPTION("Tells what page table entry maps an address (test aid)");
MODULE_LICENSE("GPL");
