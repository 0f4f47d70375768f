// SPDX-License-Identifier: GPL-2.0
/*
 * The places where memory of buffers can be, by name. The list is made when the
 * module is loaded, before the first heap, and does not change after that.
 */
#include <linux/dma-buf-exporter.h>
#include <linux/errno.h>
#include <linux/string.h>

#include "internal.h"

LIST_HEAD(heap_placements);

/* -EEXIST when there is a place of that name. */
int heap_placement_add(struct heap_placement *placement)
{
	if (heap_placement_find(placement->name))
		return -EEXIST;
	list_add_tail(&placement->node, &heap_placements);
	return 0;
}

void heap_placement_del(struct heap_placement *placement)
{
	list_del(&placement->node);
}

/* The place of that name, or NULL. */
struct heap_placement *heap_placement_find(const char *name)
{
	struct heap_placement *placement;

	list_for_each_entry(placement, &heap_placements, node)
		if (!strcmp(placement->name, name))
			return placement;
	return NULL;
}

/* Gives the memory of a buffer back to where it came from. */
void heap_backing_free(struct dma_buf_backing *backing)
{
	struct heap_placement *placement = backing->priv;

	placement->free(placement, backing);
}
