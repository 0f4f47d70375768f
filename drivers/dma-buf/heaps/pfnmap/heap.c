// SPDX-License-Identifier: GPL-2.0
/*
 * The heaps: /dev/dma_heap/pfnmap for system memory, and pfnmap-NAME for each
 * carveout and PCI BAR. Whoever allocates from a heap today gets mappings that
 * cannot be pinned. The control device of the exporter library knows them by the
 * same names.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-exporter.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <linux/dma-buf-compat.h>
#include <uapi/linux/dma-buf-exporter.h>

#include "internal.h"

/**
 * struct heap - a heap
 * @name: its name
 * @placement: where its buffers are unless somebody wants them elsewhere
 * @node: below /dev/dma_heap
 * @source: at the control device
 * @has_node: @node has been added
 * @has_source: @source has been added
 * @list: in the list of heaps
 */
struct heap {
	char name[DMA_BUF_EXPORTER_NAME_LEN];
	struct heap_placement *placement;
	struct heap_node node;
	struct dma_buf_source source;
	bool has_node;
	bool has_source;
	struct list_head list;
};

static LIST_HEAD(heaps);

static struct dma_buf *heap_allocate(struct heap_node *node, unsigned long len,
				     u32 fd_flags)
{
	const struct heap *heap = container_of(node, struct heap, node);

	return heap_buffer_alloc(heap->placement, len, fd_flags);
}

static struct dma_buf *heap_source_alloc(struct dma_buf_source *source, u64 len,
					 u32 fd_flags, const char *name)
{
	const struct heap *heap = container_of(source, struct heap, source);
	struct heap_placement *placement = heap->placement;

	if (name)
		placement = heap_placement_find(name);
	if (!placement)
		return ERR_PTR(-EINVAL);
	return heap_buffer_alloc(placement, len, fd_flags);
}

static int __init heap_create(struct heap_placement *placement)
{
	struct heap *heap = kzalloc(sizeof(*heap), GFP_KERNEL);

	if (!heap)
		return -ENOMEM;
	if (placement->own_heap)
		snprintf(heap->name, sizeof(heap->name), "pfnmap-%s", placement->name);
	else
		strscpy(heap->name, "pfnmap");
	heap->placement = placement;
	heap->node.name = heap->name;
	heap->node.allocate = heap_allocate;
	heap->source.name = heap->name;
	heap->source.owner = THIS_MODULE;
	heap->source.alloc = heap_source_alloc;
	list_add_tail(&heap->list, &heaps);
	return 0;
}

static int __init heaps_create(void)
{
	struct heap_placement *placement;
	int ret;

	ret = heap_create(heap_placement_find("system"));
	list_for_each_entry(placement, &heap_placements, node)
		if (!ret && placement->own_heap)
			ret = heap_create(placement);
	return ret;
}

static void heaps_destroy(void)
{
	struct heap *heap, *next;

	list_for_each_entry_safe(heap, next, &heaps, list) {
		if (heap->has_source)
			dma_buf_source_del(&heap->source);
		if (heap->has_node)
			heap_node_remove(&heap->node);
		list_del(&heap->list);
		kfree(heap);
	}
}

/*
 * Once one heap is there the module must stay: somebody may be using it, and some
 * kernels cannot take it back. So only the first can fail.
 */
static int __init heaps_publish(void)
{
	struct heap *heap;
	int ret;

	list_for_each_entry(heap, &heaps, list) {
		ret = heap_node_add(&heap->node);
		if (ret && list_is_first(&heap->list, &heaps))
			return ret;
		if (ret)
			pr_err("%s: no node in /dev/dma_heap: %pe\n", heap->name,
			       ERR_PTR(ret));
		heap->has_node = !ret;
		ret = dma_buf_source_add(&heap->source);
		if (ret)
			pr_err("%s: unknown to the control device: %pe\n", heap->name,
			       ERR_PTR(ret));
		heap->has_source = !ret;
	}
	return 0;
}

static int __init pfnmap_heap_init(void)
{
	int ret;

	ret = heap_pool_init();
	if (ret)
		return ret;
	ret = heap_pages_init();
	if (ret)
		goto err_pool;
	ret = heap_carveouts_init();
	if (ret)
		goto err_pages;
	ret = heap_bars_init();
	if (ret)
		goto err_carveouts;
	ret = heap_node_init();
	if (ret)
		goto err_bars;
	ret = heaps_create();
	if (!ret)
		ret = heaps_publish();
	if (ret)
		goto err_heaps;
	return 0;

err_heaps:
	heaps_destroy();
	heap_node_exit();
err_bars:
	heap_bars_exit();
err_carveouts:
	heap_carveouts_exit();
err_pages:
	heap_pages_exit();
err_pool:
	heap_pool_exit();
	return ret;
}
module_init(pfnmap_heap_init);

static void __exit pfnmap_heap_exit(void)
{
	heaps_destroy();
	heap_node_exit();
	heap_bars_exit();
	heap_carveouts_exit();
	heap_pages_exit();
	heap_pool_exit();
}
module_exit(pfnmap_heap_exit);

MODULE_DESCRIPTION("dma-buf heaps whose mappings cannot be pinned");
MODULE_LICENSE("GPL");
DMA_BUF_IMPORT_NS(DMA_BUF);
