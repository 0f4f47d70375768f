// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/dma_heap/pfnmap: system memory, for whoever allocates from a heap today
 * and wants mappings that cannot be pinned. All it adds to the exporter library
 * is where the pages come from.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-exporter.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <linux/dma-buf-compat.h>

#include "internal.h"

/**
 * struct pfnmap_buffer - a buffer of the heap
 * @exporter: what the library has of it
 * @account: its pages are charged to a memory cgroup
 */
struct pfnmap_buffer {
	struct dma_buf_exporter exporter;
	bool account;
};

static struct pfnmap_buffer *to_buffer(struct dma_buf_exporter *exporter)
{
	return container_of(exporter, struct pfnmap_buffer, exporter);
}

static void pfnmap_free_backing(struct dma_buf_exporter *exporter,
				struct dma_buf_backing *backing)
{
	heap_pages_free(backing, to_buffer(exporter)->account);
}

static void pfnmap_release(struct dma_buf_exporter *exporter)
{
	dma_buf_exporter_fini(exporter);
	kfree(to_buffer(exporter));
}

static const struct dma_buf_exporter_ops pfnmap_ops = {
	.owner = THIS_MODULE,
	.name = "pfnmap",
	.release = pfnmap_release,
	.free_backing = pfnmap_free_backing,
};

static struct dma_buf *pfnmap_allocate(struct heap_node *node, unsigned long len,
				       u32 fd_flags)
{
	bool account = heap_mem_accounting();
	struct dma_buf_backing *backing;
	struct pfnmap_buffer *buffer;
	struct dma_buf *dmabuf;
	int ret;

	buffer = kzalloc(sizeof(*buffer), account ? GFP_KERNEL_ACCOUNT : GFP_KERNEL);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	buffer->account = account;

	ret = dma_buf_exporter_init(&buffer->exporter, &pfnmap_ops, len, NULL);
	if (ret) {
		kfree(buffer);
		return ERR_PTR(ret);
	}

	backing = heap_pages_alloc(len, account);
	if (IS_ERR(backing)) {
		dmabuf = ERR_CAST(backing);
		goto err;
	}
	ret = dma_buf_exporter_set_backing(&buffer->exporter, backing);
	if (WARN_ON(ret)) {
		heap_pages_free(backing, account);
		dmabuf = ERR_PTR(ret);
		goto err;
	}
	dmabuf = dma_buf_exporter_export(&buffer->exporter, fd_flags);
	if (IS_ERR(dmabuf))
		goto err;
	return dmabuf;

err:
	pfnmap_release(&buffer->exporter);
	return dmabuf;
}

static struct heap_node pfnmap_node = {
	.name = "pfnmap",
	.allocate = pfnmap_allocate,
};

static int __init pfnmap_heap_init(void)
{
	int ret;

	ret = heap_pool_init();
	if (ret)
		return ret;
	ret = heap_node_init();
	if (ret)
		goto err_pool;
	/* Last, for some kernels cannot take a heap back. */
	ret = heap_node_add(&pfnmap_node);
	if (ret)
		goto err_node;
	return 0;

err_node:
	heap_node_exit();
err_pool:
	heap_pool_exit();
	return ret;
}
module_init(pfnmap_heap_init);

static void __exit pfnmap_heap_exit(void)
{
	heap_node_remove(&pfnmap_node);
	heap_node_exit();
	heap_pool_exit();
}
module_exit(pfnmap_heap_exit);

MODULE_DESCRIPTION("dma-buf heap of system memory whose mappings cannot be pinned");
MODULE_LICENSE("GPL");
DMA_BUF_IMPORT_NS(DMA_BUF);
