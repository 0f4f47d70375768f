// SPDX-License-Identifier: GPL-2.0
/*
 * From an address to the dma-buf that is mapped there: for a driver whose user
 * interface knows only pointers.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "trace.h"

/*
 * The dma-buf that a VMA is a mapping of, or NULL. Some exporters still map pages that
 * get_user_pages() takes: who always took those goes on to.
 */
static struct dma_buf *vma_dmabuf(struct vm_area_struct *vma)
{
	struct file *file = vma->vm_file;

	if (!file || file_inode(file)->i_sb->s_magic != DMA_BUF_MAGIC ||
	    !(vma->vm_flags & (VM_PFNMAP | VM_IO)))
		return NULL;
	return file->private_data;
}

/*
 * Does vm_pgoff say where in the buffer the mapping begins? Not in a private mapping
 * of frames, where it holds the first of them; nor where the exporter has put the
 * address_space of its device into the file, as DRM drivers do, because such a
 * mapping is at the device's offset. Nobody else changes it.
 */
static bool vma_offset_known(struct vm_area_struct *vma)
{
	return vma->vm_file->f_mapping == file_inode(vma->vm_file)->i_mapping &&
	       (vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) != VM_MAYWRITE;
}

static u64 vma_offset(struct vm_area_struct *vma, unsigned long addr)
{
	return ((u64)vma->vm_pgoff << PAGE_SHIFT) + (addr - vma->vm_start);
}

static int vma_check(struct vm_area_struct *vma, bool write)
{
	struct dma_buf *dmabuf = vma_dmabuf(vma);

	if (!vma_offset_known(vma)) {
		importer_refuse(dmabuf, "%#lx: where in the buffer that is only its exporter knows",
				vma->vm_start);
		return -EOPNOTSUPP;
	}
	if (!(vma->vm_flags & (write ? VM_WRITE : VM_READ))) {
		importer_refuse(dmabuf, "%#lx is not mapped for %s", vma->vm_start,
				write ? "writing" : "reading");
		return -EACCES;
	}
	return 0;
}

/*
 * Pieces of one mapping may differ in their flags: rdma-core cuts it up with
 * MADV_DONTFORK. They have to follow one another as the buffer does.
 */
static struct dma_buf *lookup_locked(struct mm_struct *mm, unsigned long start,
				     unsigned long end, bool write, u64 *offset)
{
	struct dma_buf *dmabuf = NULL;
	unsigned long next = start;
	struct vm_area_struct *vma;
	bool whole = true;
	int ret = 0;

	VMA_ITERATOR(vmi, mm, start);

	mmap_assert_locked(mm);

	for_each_vma_range(vmi, vma, end) {
		unsigned long addr = max(vma->vm_start, start);
		struct dma_buf *found = vma_dmabuf(vma);

		if (found && !dmabuf) {
			dmabuf = found;
			*offset = vma_offset(vma, addr);
		}
		if (!found || found != dmabuf || addr != next ||
		    vma_offset(vma, addr) != *offset + (addr - start))
			whole = false;
		else if (!ret)
			ret = vma_check(vma, write);
		next = min(vma->vm_end, end);
	}
	if (!dmabuf)
		return ERR_PTR(-ENOENT);
	if (!whole || next != end) {
		importer_refuse(dmabuf, "%#lx to %#lx is not all of one mapping of it",
				start, end);
		return ERR_PTR(-EINVAL);
	}
	if (ret)
		return ERR_PTR(ret);
	/* Not every exporter keeps mremap() from making its mappings longer. */
	if (*offset > dmabuf->size || end - start > dmabuf->size - *offset) {
		importer_refuse(dmabuf, "%#lx to %#lx reaches beyond its end", start, end);
		return ERR_PTR(-EINVAL);
	}
	get_dma_buf(dmabuf);
	return dmabuf;
}

/**
 * dma_buf_importer_lookup - find the dma-buf behind an address
 * @mm: whose address, with a reference of the caller's
 * @start: the address
 * @length: bytes
 * @write: the caller is going to write
 * @offset: where in the buffer @start is, in bytes
 *
 * The address means something only now: the mapping may go away, and the dma-buf
 * stays. Context: may sleep; without mmap_lock.
 *
 * Return: the dma-buf with a reference, for dma_buf_put(), or an ERR_PTR(): -ENOENT
 * when no part of the range is a mapping of a dma-buf without pages, which is then
 * somebody else's affair; -EINVAL when a part of it is not, or is another buffer or another
 * place of it, or behind its end; -EACCES when the mapping is not for reading, or
 * writing if @write; -EOPNOTSUPP when nobody but the exporter knows what part of the
 * buffer is mapped there; -EINTR when the caller has been killed.
 */
struct dma_buf *dma_buf_importer_lookup(struct mm_struct *mm, unsigned long start,
					u64 length, bool write, u64 *offset)
{
	struct dma_buf *dmabuf;
	unsigned long end;

	if (mmap_read_lock_killable(mm))
		return ERR_PTR(-EINTR);
	start = untagged_addr_remote(mm, start);
	if (!length || check_add_overflow(start, length, &end))
		dmabuf = ERR_PTR(-ENOENT);
	else
		dmabuf = lookup_locked(mm, start, end, write, offset);
	mmap_read_unlock(mm);
	if (!IS_ERR(dmabuf))
		trace_dma_buf_importer_lookup(dmabuf, start, length, *offset);
	return dmabuf;
}
EXPORT_SYMBOL_GPL(dma_buf_importer_lookup);
