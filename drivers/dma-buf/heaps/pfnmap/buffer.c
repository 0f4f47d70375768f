// SPDX-License-Identifier: GPL-2.0
/*
 * The buffers of the heaps: memory of a placement and the exporter library, and
 * how a buffer gets from one placement to another.
 */
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-exporter.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "internal.h"

static void buffer_free_backing(struct dma_buf_exporter *exporter,
				struct dma_buf_backing *backing)
{
	heap_backing_free(backing);
}

static void buffer_release(struct dma_buf_exporter *exporter)
{
	dma_buf_exporter_fini(exporter);
	kfree(exporter);
}

/* Where a buffer is and in how many pieces; 0, -EINTR, or -ENODEV when revoked. */
static int buffer_where(struct dma_buf_exporter *exporter,
			struct heap_placement **placement, u64 *size,
			unsigned int *extents)
{
	const struct dma_buf_backing *backing;
	int ret;

	ret = dma_resv_lock_interruptible(exporter->resv, NULL);
	if (ret)
		return ret;
	backing = dma_buf_exporter_backing(exporter);
	if (backing) {
		*placement = heap_placement_find(backing->placement);
		*size = backing->size;
		*extents = backing->nr_extents;
	} else {
		ret = -ENODEV;
	}
	dma_resv_unlock(exporter->resv);
	return ret;
}

static int buffer_relocate(struct dma_buf_exporter *exporter,
			   const struct dma_buf_relocation *how)
{
	struct heap_placement *placement;
	struct dma_buf_backing *to;
	unsigned int extents;
	u64 size;
	int ret;

	ret = buffer_where(exporter, &placement, &size, &extents);
	if (ret)
		return ret;
	if (how->placement)
		placement = heap_placement_find(how->placement);
	if (!placement)
		return -EINVAL;

	to = placement->alloc(placement, size, how->compact);
	if (IS_ERR(to))
		return PTR_ERR(to);
	if (how->compact && to->nr_extents >= extents)
		ret = -EALREADY;
	else
		ret = dma_buf_exporter_move(exporter, to, how->policy, how->timeout);
	if (ret)
		heap_backing_free(to);
	return ret;
}

static const struct dma_buf_exporter_ops buffer_ops = {
	.owner = THIS_MODULE,
	.name = "pfnmap",
	.release = buffer_release,
	.free_backing = buffer_free_backing,
	.relocate = buffer_relocate,
};

/**
 * heap_buffer_alloc - allocate a buffer
 * @placement: where its memory is to be
 * @len: bytes, a multiple of the page size
 * @fd_flags: file flags of the dma-buf
 *
 * Return: a dma-buf, or the ERR_PTR of whatever failed.
 */
struct dma_buf *heap_buffer_alloc(struct heap_placement *placement, u64 len,
				  u32 fd_flags)
{
	gfp_t gfp = heap_mem_accounting() ? GFP_KERNEL_ACCOUNT : GFP_KERNEL;
	struct dma_buf_exporter *exporter;
	struct dma_buf_backing *backing;
	struct dma_buf *dmabuf;
	int ret;

	exporter = kzalloc(sizeof(*exporter), gfp);
	if (!exporter)
		return ERR_PTR(-ENOMEM);
	ret = dma_buf_exporter_init(exporter, &buffer_ops, len, NULL);
	if (ret) {
		kfree(exporter);
		return ERR_PTR(ret);
	}

	backing = placement->alloc(placement, len, false);
	if (IS_ERR(backing)) {
		dmabuf = ERR_CAST(backing);
		goto err;
	}
	ret = dma_buf_exporter_set_backing(exporter, backing);
	if (WARN_ON(ret)) {
		heap_backing_free(backing);
		dmabuf = ERR_PTR(ret);
		goto err;
	}
	dmabuf = dma_buf_exporter_export(exporter, fd_flags);
	if (IS_ERR(dmabuf))
		goto err;
	return dmabuf;

err:
	buffer_release(exporter);
	return dmabuf;
}
