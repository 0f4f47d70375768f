// SPDX-License-Identifier: GPL-2.0
/*
 * User mappings: what is refused, and what every mapping is marked with.
 */
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/sched.h>

#include <linux/dma-buf-compat.h>

#include "internal.h"

/*
 * EPERM for what no mapping of a dma-buf may have, EACCES for what this file
 * does not allow, EINVAL for a kind of mapping that cannot exist: the errors
 * mmap(2) has for a noexec mount, a read-only file and a bad flag.
 */
static int mmap_check(struct dma_buf_exporter *exporter,
		      struct vm_area_struct *vma, pgoff_t pgoff, bool readonly)
{
	u64 pages = exporter->size >> PAGE_SHIFT;

	if (pgoff >= pages || vma_pages(vma) > pages - pgoff)
		return -EINVAL;

	/* A copied page would be normal memory that looks like the buffer. */
	if (!(vma->vm_flags & VM_MAYSHARE)) {
		exporter_refuse(exporter, "%s[%d]: mmap: only MAP_SHARED is possible",
				current->comm, task_pid_nr(current));
		return -EINVAL;
	}
	if (vma->vm_flags & VM_EXEC) {
		exporter_refuse(exporter, "%s[%d]: mmap: PROT_EXEC is not permitted",
				current->comm, task_pid_nr(current));
		return -EPERM;
	}
	if (readonly && vma->vm_flags & VM_WRITE) {
		exporter_refuse(exporter, "%s[%d]: mmap: PROT_WRITE of a read-only buffer",
				current->comm, task_pid_nr(current));
		return -EACCES;
	}
	return 0;
}

/* The one path by which a buffer gets into an address space. */
static int mmap_buffer(struct dma_buf_exporter *exporter,
		       struct vm_area_struct *vma,
		       const struct vm_operations_struct *vm_ops, bool readonly)
{
	struct dma_buf_backing *backing;
	int ret = 0;

	/* mmap(2) knows no EINTR: it starts again behind the signal handler. */
	if (dma_resv_lock_interruptible(exporter->resv, NULL))
		return -ERESTARTNOINTR;
	backing = exporter_backing(exporter);
	if (IS_ERR(backing))
		ret = PTR_ERR(backing);
	else
		vma->vm_page_prot = backing_pgprot(backing, vma->vm_page_prot);
	dma_resv_unlock(exporter->resv);
	if (ret)
		return ret;

	/*
	 * Nothing is populated here: the VMA is not in i_mmap yet, and a move
	 * could not zap what this put into it.
	 */
	vm_flags_mod(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP,
		     VM_MAYEXEC | (readonly ? VM_MAYWRITE : 0));
	vma->vm_private_data = exporter;
	vma->vm_ops = vm_ops;
	vm_ops->open(vma);
	return 0;
}

int exporter_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	bool readonly = exporter_readonly(dmabuf);
	int ret;

	ret = mmap_check(dmabuf->priv, vma, vma->vm_pgoff, readonly);
	if (ret)
		return ret;
	return mmap_buffer(dmabuf->priv, vma, &exporter_dma_buf_vm_ops, readonly);
}

/**
 * dma_buf_exporter_mmap - map a buffer through the driver's own device node
 * @exporter: the buffer; its node_pgoff and node_mapping say where the node has it
 * @vma: the mapping; vm_pgoff counts from the start of the node
 *
 * For the mmap file operation of a driver that, beside the dma-buf, lets user
 * space map buffers at an offset of its device node. It follows the rules of a
 * mapping of the dma-buf. The mapping holds a reference by ops->get and
 * ops->put, both of which the driver must have, and which the mapping takes by
 * itself: a driver whose core took one for it (drm_gem_mmap_obj()) drops that.
 * Context: mmap_lock held for writing.
 *
 * Return: 0; -EINVAL for a range outside the buffer, a private mapping, missing
 * operations or a file that does not share the address space node_mapping;
 * -EPERM for PROT_EXEC, -ERESTARTNOINTR when a signal came while it waited for the
 * dma_resv lock, or what ops->populate returned.
 */
int dma_buf_exporter_mmap(struct dma_buf_exporter *exporter,
			  struct vm_area_struct *vma)
{
	int ret;

	mmap_assert_write_locked(vma->vm_mm);

	if (WARN_ON(!exporter->ops->get || !exporter->ops->put ||
		    exporter->node_mapping != vma->vm_file->f_mapping))
		return -EINVAL;
	if (vma->vm_pgoff < exporter->node_pgoff)
		return -EINVAL;
	ret = mmap_check(exporter, vma, vma->vm_pgoff - exporter->node_pgoff, false);
	if (ret)
		return ret;
	return mmap_buffer(exporter, vma, &exporter_node_vm_ops, false);
}
EXPORT_SYMBOL_GPL(dma_buf_exporter_mmap);

/*
 * fork() copies special PMDs without a second look: one that is zapped while it
 * is copied comes to life in the child, where the zap may have been already.
 * Here, before the child's mapping can be found by a zap and before anything is
 * copied, the parent's entries are taken away; it cannot fault until the fork is
 * over, so there is nothing to copy.
 */
static void mmap_forked(struct vm_area_struct *vma)
{
	struct vm_area_struct *parent;

	mmap_assert_write_locked(current->mm);

	parent = vma_lookup(current->mm, vma->vm_start);
	if (!WARN_ON_ONCE(!parent || parent->vm_private_data != vma->vm_private_data))
		dma_buf_compat_zap_vma(parent);
}

static void exporter_vm_open(struct vm_area_struct *vma)
{
	struct dma_buf_exporter *exporter = vma->vm_private_data;

	atomic_inc(&exporter->nr_vmas);
	if (vma->vm_mm != current->mm)
		mmap_forked(vma);
}

static void exporter_vm_close(struct vm_area_struct *vma)
{
	struct dma_buf_exporter *exporter = vma->vm_private_data;

	atomic_dec(&exporter->nr_vmas);
}

static void exporter_node_vm_open(struct vm_area_struct *vma)
{
	struct dma_buf_exporter *exporter = vma->vm_private_data;

	exporter->ops->get(exporter);
	exporter_vm_open(vma);
}

static void exporter_node_vm_close(struct vm_area_struct *vma)
{
	struct dma_buf_exporter *exporter = vma->vm_private_data;

	exporter_vm_close(vma);
	exporter->ops->put(exporter);
}

/* A mapping of the dma-buf: the file behind the VMA keeps the buffer. */
const struct vm_operations_struct exporter_dma_buf_vm_ops = {
	.open = exporter_vm_open,
	.close = exporter_vm_close,
	.fault = exporter_fault,
	.huge_fault = exporter_huge_fault,
	.access = exporter_access,
};

/* A mapping of the driver's node: the VMA holds a reference on the object. */
const struct vm_operations_struct exporter_node_vm_ops = {
	.open = exporter_node_vm_open,
	.close = exporter_node_vm_close,
	.fault = exporter_fault,
	.huge_fault = exporter_huge_fault,
	.access = exporter_access,
};
