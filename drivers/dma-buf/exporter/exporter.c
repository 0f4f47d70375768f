// SPDX-License-Identifier: GPL-2.0
/*
 * Life of an exporter: set up, export, release.
 */
#include <linux/dma-fence.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/slab.h>

#include <linux/dma-buf-compat.h>

#include "internal.h"
#define CREATE_TRACE_POINTS
#include "trace.h"

/**
 * DOC: exporter library
 *
 * A dma-buf belongs to its exporter: only the exporter knows where the memory
 * is, whether it has a struct page, and when it goes away. Yet every exporter
 * writes its own mmap, and a mapping that looks like normal memory lets anybody
 * take long-term references on its pages with get_user_pages(): O_DIRECT,
 * vmsplice(), io_uring, ibv_reg_mr(). This library writes that mmap once, such
 * that it cannot happen.
 *
 * A driver describes its memory as a &struct dma_buf_backing, embeds a
 * &struct dma_buf_exporter in its buffer, and calls
 *
 * 1. dma_buf_exporter_init(), with its &struct dma_buf_exporter_ops;
 * 2. dma_buf_exporter_set_backing(), unless it has an ops->populate;
 * 3. dma_buf_exporter_export(), which returns the &struct dma_buf;
 * 4. dma_buf_exporter_fini(), when its ops->release said that the dma-buf is
 *    gone and no mapping of its own node is left.
 *
 * The library then answers mmap(), page faults, ptrace, attachments, DMA
 * mappings, kernel mappings and CPU access. It keeps these rules:
 *
 * - Every user mapping is VM_PFNMAP and never VM_MIXEDMAP, and every entry in
 *   it, PTE or PMD, is special, so that neither the slow nor the fast variant of
 *   get_user_pages() finds a page. Private mappings are refused.
 * - A buffer exported without write access can be neither mapped nor imported
 *   for writing, whichever importer's file the mapping is made through, and
 *   not vmapped. Only the driver's own node writes it.
 * - The backing is read under the buffer's dma_resv lock only, and an entry is
 *   inserted only under it, with all KERNEL fences signalled.
 * - Importers see DMA addresses, not pages: the sg_table they get has none.
 *
 * So the driver stays the owner of the memory, and may move the buffer
 * (dma_buf_exporter_move()), take it away for a while
 * (dma_buf_exporter_suspend()) or for good (dma_buf_exporter_revoke()) while it
 * is mapped and imported.
 *
 * Lock order: mmap_lock, then dma_resv; dma_resv, then i_mmap_rwsem. A page
 * fault that does not get dma_resv at once, or has to wait for a fence, drops
 * mmap_lock before it sleeps.
 */

static int exporter_begin_cpu_access(struct dma_buf *dmabuf,
				     enum dma_data_direction dir)
{
	struct dma_buf_exporter *exporter = dmabuf->priv;
	bool write = dir == DMA_BIDIRECTIONAL || dir == DMA_TO_DEVICE;
	long wait;
	int ret;

	for (;;) {
		ret = exporter_wait_resumed(exporter);
		if (ret)
			return ret;
		if (READ_ONCE(exporter->revoked))
			return -ENODEV;
		/* The core waits after this only; the caches want it before. */
		wait = dma_resv_wait_timeout(exporter->resv, dma_resv_usage_rw(write), true,
					     MAX_SCHEDULE_TIMEOUT);
		if (wait < 0)
			return wait;
		ret = dma_resv_lock_interruptible(exporter->resv, NULL);
		if (ret)
			return ret;
		if (likely(!exporter->suspended || exporter->revoked))
			break;
		dma_resv_unlock(exporter->resv);
	}
	if (exporter->revoked) {
		ret = -ENODEV;
		goto unlock;
	}
	exporter_settle(exporter, false, false);
	exporter_sync_for_cpu(exporter);
	if (exporter->ops->begin_cpu_access)
		ret = exporter->ops->begin_cpu_access(exporter, dir);
unlock:
	dma_resv_unlock(exporter->resv);
	return ret;
}

static int exporter_end_cpu_access(struct dma_buf *dmabuf,
				   enum dma_data_direction dir)
{
	struct dma_buf_exporter *exporter = dmabuf->priv;
	int ret = 0;

	dma_resv_lock(exporter->resv, NULL);
	if (exporter->ops->end_cpu_access && !exporter->revoked && !exporter->suspended)
		ret = exporter->ops->end_cpu_access(exporter, dir);
	exporter_sync_for_device(exporter);
	dma_resv_unlock(exporter->resv);
	return ret;
}

static void exporter_release(struct dma_buf *dmabuf)
{
	struct dma_buf_exporter *exporter = dmabuf->priv;
	struct inode *inode;

	trace_dma_buf_exporter_release(exporter);

	dma_resv_lock(exporter->resv, NULL);
	inode = exporter->mapping->host;
	exporter->mapping = NULL;
	exporter->dmabuf = NULL;
	exporter->exported = false;
	dma_resv_unlock(exporter->resv);
	iput(inode);

	exporter->ops->release(exporter);
}

static const struct dma_buf_ops exporter_dma_buf_ops = {
	.attach = exporter_attach,
	.detach = exporter_detach,
	.pin = exporter_pin,
	.unpin = exporter_unpin,
	.map_dma_buf = exporter_map,
	.unmap_dma_buf = exporter_unmap,
	.release = exporter_release,
	.begin_cpu_access = exporter_begin_cpu_access,
	.end_cpu_access = exporter_end_cpu_access,
	.mmap = exporter_mmap,
	.vmap = exporter_vmap,
	.vunmap = exporter_vunmap,
};

/* The buffer behind a dma-buf, or NULL if its exporter is not on this library. */
struct dma_buf_exporter *exporter_of(const struct dma_buf *dmabuf)
{
	return dmabuf->ops == &exporter_dma_buf_ops ? dmabuf->priv : NULL;
}

/**
 * dma_buf_exporter_init - set up a buffer
 * @exporter: zeroed, embedded in the driver's buffer object
 * @ops: what the driver does for it; must outlive the buffer
 * @size: size in bytes, a multiple of the page size
 * @resv: the driver's reservation object, which must outlive the buffer, or
 *	NULL for one of the library's
 *
 * Context: may sleep.
 *
 * Return: 0, or -EINVAL for a size that is zero, not page aligned or too large
 * for the machine, or for missing operations.
 */
int dma_buf_exporter_init(struct dma_buf_exporter *exporter,
			  const struct dma_buf_exporter_ops *ops,
			  u64 size, struct dma_resv *resv)
{
	if (WARN_ON(!ops->release || !ops->free_backing || !ops->name))
		return -EINVAL;
	if (!size || !PAGE_ALIGNED(size) || size > SIZE_MAX)
		return -EINVAL;

	exporter->ops = ops;
	exporter->size = size;
	INIT_LIST_HEAD(&exporter->attachments);
	INIT_LIST_HEAD(&exporter->maps);
	init_waitqueue_head(&exporter->idle);
	exporter_reap_setup(exporter);
	atomic_set(&exporter->nr_vmas, 0);
	dma_resv_init(&exporter->own_resv);
	exporter->resv = resv ?: &exporter->own_resv;
	exporter_live_add(exporter);
	return 0;
}
EXPORT_SYMBOL_GPL(dma_buf_exporter_init);

/**
 * dma_buf_exporter_fini - the end of a buffer
 * @exporter: a buffer without dma-buf and without mappings
 *
 * Hands the backing back through ops->free_backing, after an asynchronous copy
 * that is under way. The driver frees the object that embeds @exporter afterwards.
 * Context: may sleep; without the dma_resv lock.
 */
void dma_buf_exporter_fini(struct dma_buf_exporter *exporter)
{
	WARN_ON(exporter->exported || atomic_read(&exporter->nr_vmas));
	exporter_live_del(exporter);

	exporter_reap_all(exporter);
	dma_resv_fini(&exporter->own_resv);
}
EXPORT_SYMBOL_GPL(dma_buf_exporter_fini);

/**
 * dma_buf_exporter_set_backing - say where the memory of a new buffer is
 * @exporter: a buffer that has no backing yet
 * @backing: zeroed memory of the buffer's size; the buffer's from here on,
 *	until ops->free_backing hands it back
 *
 * Context: may sleep; without the dma_resv lock.
 *
 * Return: 0, or -EINVAL when @backing is not of the buffer's size or is cached
 * I/O memory, or -EBUSY when the buffer has a backing; the caller keeps
 * @backing then.
 */
int dma_buf_exporter_set_backing(struct dma_buf_exporter *exporter,
				 struct dma_buf_backing *backing)
{
	int ret = 0;

	if (!exporter_backing_fits(exporter, backing))
		return -EINVAL;

	dma_resv_lock(exporter->resv, NULL);
	if (exporter->backing)
		ret = -EBUSY;
	else
		exporter->backing = backing;
	dma_resv_unlock(exporter->resv);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_buf_exporter_set_backing);

/**
 * dma_buf_exporter_export - make a dma-buf of a buffer
 * @exporter: a buffer that has no dma-buf at the moment
 * @flags: O_CLOEXEC and an access mode, as for dma_buf_export()
 *
 * The dma-buf holds the module ops->owner. A driver whose object can outlive
 * the dma-buf takes a reference on it for the dma-buf, and drops that in
 * ops->release. Context: may sleep; without the dma_resv lock.
 *
 * Return: the dma-buf, whose only reference is the caller's; -EBUSY when the
 * buffer has a dma-buf already, -EINVAL for unknown flags, -ENOENT when the
 * module is on its way out, -ENOMEM.
 */
struct dma_buf *dma_buf_exporter_export(struct dma_buf_exporter *exporter, int flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	bool busy;

	if (flags & ~(O_ACCMODE | O_CLOEXEC))
		return ERR_PTR(-EINVAL);

	info.exp_name = exporter->ops->name;
	info.owner = exporter->ops->owner;
	info.ops = &exporter_dma_buf_ops;
	info.size = exporter->size;
	info.flags = flags;
	info.resv = exporter->resv;
	info.priv = exporter;

	/* The core takes its list's mutex outside dma_resv: so must this. */
	dma_resv_lock(exporter->resv, NULL);
	busy = exporter->exported;
	if (!busy) {
		exporter->exported = true;
		exporter->readonly = !(OPEN_FMODE(flags) & FMODE_WRITE);
	}
	dma_resv_unlock(exporter->resv);
	if (busy)
		return ERR_PTR(-EBUSY);

	dmabuf = dma_buf_export(&info);

	dma_resv_lock(exporter->resv, NULL);
	if (IS_ERR(dmabuf)) {
		exporter->exported = false;
	} else {
		exporter->dmabuf = dmabuf;
		/* The core drops the inode before it says that it releases. */
		ihold(file_inode(dmabuf->file));
		exporter->mapping = dmabuf->file->f_mapping;
		exporter->id = file_inode(dmabuf->file)->i_ino;
		trace_dma_buf_exporter_export(exporter);
	}
	dma_resv_unlock(exporter->resv);
	return dmabuf;
}
EXPORT_SYMBOL_GPL(dma_buf_exporter_export);

/*
 * Show lockdep where the library's mutexes stand, on a buffer that nobody has. That
 * of the live table is inside dma_resv, because drivers create buffers that share a
 * reservation object with it locked; dma_resv is inside the one that is held while
 * old memory goes back to the driver. The one of the control device's sources has
 * nothing inside. The order of the other locks taken here is primed by dma_resv
 * itself.
 */
static void __init exporter_lockdep(void)
{
	struct dma_buf_exporter *exporter;

	if (!IS_ENABLED(CONFIG_LOCKDEP))
		return;
	exporter = kzalloc(sizeof(*exporter), GFP_KERNEL);
	if (!exporter)
		return;

	dma_resv_init(&exporter->own_resv);
	exporter->resv = &exporter->own_resv;
	exporter_reap_setup(exporter);
	dma_resv_lock(exporter->resv, NULL);
	exporter_live_prime();
	dma_resv_unlock(exporter->resv);
	exporter_reap_all(exporter);
	dma_resv_fini(&exporter->own_resv);
	kfree(exporter);
}

static int __init exporter_module_init(void)
{
	int ret;

	ret = exporter_reap_init();
	if (ret)
		return ret;
	ret = exporter_control_init();
	if (ret) {
		exporter_reap_exit();
		return ret;
	}
	exporter_lockdep();
	exporter_debugfs_init();
	return 0;
}
module_init(exporter_module_init);

static void __exit exporter_module_exit(void)
{
	exporter_debugfs_exit();
	exporter_control_exit();
	exporter_reap_exit();
}
module_exit(exporter_module_exit);

MODULE_DESCRIPTION("dma-buf exporter library: user mappings that cannot be pinned");
MODULE_LICENSE("GPL");
DMA_BUF_IMPORT_NS(DMA_BUF);
