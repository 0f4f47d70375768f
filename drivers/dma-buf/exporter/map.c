// SPDX-License-Identifier: GPL-2.0
/*
 * DMA mappings. Each live mapping has an sg_table of its own, because importers
 * edit theirs in place (RDMA trims the first and last entry). What the importer
 * gets holds DMA addresses and no pages.
 */
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/pci-p2pdma.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "attach.h"
#include "trace.h"

/*
 * Several importers may map one buffer for writing at once, and fences say whose
 * turn it is. The DMA API takes that from mappings that synchronise nothing by
 * themselves: the caches are maintained here, explicitly. What no attribute can
 * help is a device whose DMA bounces: each of its mappings is a copy, and the end of
 * one that the device could write puts all of it back.
 */
#define MAP_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

/**
 * struct exporter_map - a live DMA mapping
 * @sgt: what the importer has
 * @own: the same as the DMA API mapped it, for unmapping and synchronising
 * @paged: @own has pages
 * @attach: whose it is
 * @dev: the importer's device
 * @dir: direction of the mapping
 * @node: in &dma_buf_exporter.maps
 */
struct exporter_map {
	struct sg_table sgt;
	struct sg_table own;
	bool paged;
	struct dma_buf_attachment *attach;
	struct device *dev;
	enum dma_data_direction dir;
	struct list_head node;
};

/* The largest segment the DMA API and the device can take. */
static u64 map_max_segment(struct device *dev)
{
	u64 max = min_t(u64, dma_max_mapping_size(dev), dma_get_max_seg_size(dev));

	return max_t(u64, ALIGN_DOWN(max, PAGE_SIZE), PAGE_SIZE);
}

static u64 map_segments(const struct dma_buf_backing *backing, u64 max)
{
	u64 n = 0;

	for (unsigned int i = 0; i < backing->nr_extents; i++)
		n += DIV_ROUND_UP_ULL(backing->extents[i].len, max);
	return n;
}

/* Memory with struct pages, by the DMA API's own sg_table. */
static int map_paged(struct exporter_map *map, const struct dma_buf_backing *backing,
		     u64 max)
{
	struct scatterlist *sg = map->own.sgl;

	for (unsigned int i = 0; i < backing->nr_extents; i++) {
		const struct dma_buf_extent *extent = &backing->extents[i];

		for (u64 off = 0; off < extent->len; off += max, sg = sg_next(sg))
			sg_set_page(sg, pfn_to_page(PHYS_PFN(extent->addr + off)),
				    min(max, extent->len - off), 0);
	}
	return dma_map_sgtable(map->dev, &map->own, map->dir, MAP_ATTRS);
}

static void unmap_unpaged(struct exporter_map *map, unsigned int nents)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(map->own.sgl, sg, nents, i)
		dma_unmap_resource(map->dev, sg_dma_address(sg), sg_dma_len(sg),
				   map->dir, MAP_ATTRS);
}

/* Memory without struct pages, each segment by its physical address. */
static int map_unpaged(struct exporter_map *map, const struct dma_buf_backing *backing,
		       u64 max)
{
	struct scatterlist *sg = map->own.sgl;
	unsigned int done = 0;

	for (unsigned int i = 0; i < backing->nr_extents; i++) {
		const struct dma_buf_extent *extent = &backing->extents[i];

		for (u64 off = 0; off < extent->len; off += max, sg = sg_next(sg)) {
			u64 len = min(max, extent->len - off);
			dma_addr_t addr = dma_map_resource(map->dev, extent->addr + off,
							   len, map->dir, MAP_ATTRS);

			if (dma_mapping_error(map->dev, addr)) {
				unmap_unpaged(map, done);
				return -EIO;
			}
			sg_dma_address(sg) = addr;
			sg_dma_len(sg) = len;
			done++;
		}
	}
	return 0;
}

static void map_undo(struct exporter_map *map)
{
	if (map->paged)
		dma_unmap_sgtable(map->dev, &map->own, map->dir, MAP_ATTRS);
	else
		unmap_unpaged(map, map->own.nents);
}

/* Maps the memory, and copies the DMA addresses to a table for the importer. */
static int map_backing(struct exporter_map *map, const struct dma_buf_backing *backing)
{
	u64 max = map_max_segment(map->dev);
	u64 nents = map_segments(backing, max);
	struct scatterlist *sg, *to;
	int ret, i;

	if (nents > UINT_MAX)
		return -EINVAL;
	ret = sg_alloc_table(&map->own, nents, GFP_KERNEL);
	if (ret)
		return ret;
	map->paged = backing->paged;
	ret = map->paged ? map_paged(map, backing, max) : map_unpaged(map, backing, max);
	if (ret)
		goto err_free;

	ret = sg_alloc_table(&map->sgt, map->own.nents, GFP_KERNEL);
	if (ret)
		goto err_undo;
	to = map->sgt.sgl;
	for_each_sgtable_dma_sg(&map->own, sg, i) {
		sg_dma_address(to) = sg_dma_address(sg);
		sg_dma_len(to) = sg_dma_len(sg);
		to = sg_next(to);
	}
	return 0;

err_undo:
	map_undo(map);
err_free:
	sg_free_table(&map->own);
	return ret;
}

/* The device sees what the CPU wrote; nothing to do for one that snoops. */
static void map_sync_for_device(struct exporter_map *map)
{
	if (map->paged)
		dma_sync_sgtable_for_device(map->dev, &map->own, map->dir);
}

/* The reverse. */
static void map_sync_for_cpu(struct exporter_map *map)
{
	if (map->paged)
		dma_sync_sgtable_for_cpu(map->dev, &map->own, map->dir);
}

/*
 * A platform device that no firmware describes and no driver drives is on no bus: it
 * stands for software that uses the memory with the processor, which reaches all of it.
 */
static bool map_by_software(const struct dma_buf_attachment *attach)
{
	const struct device *dev = attach->dev;

	return dev->parent == &platform_bus && !dev->driver && !dev_fwnode(dev);
}

/*
 * Why the importer cannot map such memory, or NULL if it can. A kernel without
 * PCI_P2PDMA knows no way from device to device.
 */
const char *exporter_map_obstacle(const struct dma_buf_backing *backing,
				  const struct dma_buf_attachment *attach)
{
	if (backing->paged)
		return NULL;
	if (!attach->peer2peer)
		return "the importer needs memory with struct page";
	if (map_by_software(attach))
		return NULL;
	if (backing->provider &&
	    pci_p2pdma_distance(backing->provider, attach->dev, false) < 0)
		return "PCI peer-to-peer traffic does not get to the memory";
	if (!backing->io && !dev_is_dma_coherent(attach->dev))
		return "the device does not snoop, and nothing maintains the caches";
	return NULL;
}

/*
 * -EACCES for a device that would write a read-only buffer, -EOPNOTSUPP for an
 * importer that cannot map such memory; -ENODEV when the buffer is revoked,
 * -EAGAIN while it is suspended.
 */
struct sg_table *exporter_map(struct dma_buf_attachment *attach,
			      enum dma_data_direction dir)
{
	struct dma_buf_exporter *exporter = attach->dmabuf->priv;
	struct exporter_attachment *ea = attach->priv;
	struct dma_buf_backing *backing;
	struct exporter_map *map;
	const char *obstacle;
	int ret;

	dma_resv_assert_held(exporter->resv);

	if (dir != DMA_TO_DEVICE && exporter_readonly(attach->dmabuf)) {
		exporter_refuse(exporter, "%s: DMA to a read-only buffer",
				dev_name(attach->dev));
		return ERR_PTR(-EACCES);
	}
	backing = exporter_backing_usable(exporter);
	if (IS_ERR(backing))
		return ERR_CAST(backing);
	obstacle = exporter_map_obstacle(backing, attach);
	if (obstacle) {
		exporter_refuse(exporter, "%s: %s", dev_name(attach->dev), obstacle);
		return ERR_PTR(-EOPNOTSUPP);
	}

	map = kzalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return ERR_PTR(-ENOMEM);
	map->attach = attach;
	map->dev = attach->dev;
	map->dir = dir;
	ret = map_backing(map, backing);
	if (ret) {
		/* Some of it may have been mapped, and unmapped again. */
		ea->unflushed = true;
		kfree(map);
		return ERR_PTR(ret);
	}
	map_sync_for_device(map);
	list_add_tail(&map->node, &exporter->maps);
	ea->nr_maps++;
	/* The core's pin for this mapping is not one of the importer's. */
	exporter_pin_account(exporter, ea);
	trace_dma_buf_exporter_map(exporter, attach->dev, dir, map->sgt.nents);
	return &map->sgt;
}

void exporter_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		    enum dma_data_direction dir)
{
	struct exporter_map *map = container_of(sgt, struct exporter_map, sgt);
	struct dma_buf_exporter *exporter = attach->dmabuf->priv;
	struct exporter_attachment *ea = attach->priv;

	dma_resv_assert_held(exporter->resv);

	trace_dma_buf_exporter_unmap(exporter, attach->dev, dir, map->sgt.nents);
	list_del(&map->node);
	ea->nr_maps--;
	map_sync_for_cpu(map);
	map_undo(map);
	ea->unflushed = true;
	sg_free_table(&map->own);
	sg_free_table(&map->sgt);
	kfree(map);
	exporter_let_go(exporter);
}

/* What an importer that detaches has left: its device may go next. */
void exporter_unmap_left(struct dma_buf_attachment *attach)
{
	struct dma_buf_exporter *exporter = attach->dmabuf->priv;
	struct exporter_map *map, *next;

	list_for_each_entry_safe(map, next, &exporter->maps, node)
		if (map->attach == attach)
			exporter_unmap(attach, &map->sgt, map->dir);
}

/* Devices that do not snoop: what they wrote becomes visible to the CPU. */
void exporter_sync_for_cpu(struct dma_buf_exporter *exporter)
{
	struct exporter_map *map;

	dma_resv_assert_held(exporter->resv);

	list_for_each_entry(map, &exporter->maps, node)
		map_sync_for_cpu(map);
}

/* The reverse, once the CPU is done. */
void exporter_sync_for_device(struct dma_buf_exporter *exporter)
{
	struct exporter_map *map;

	dma_resv_assert_held(exporter->resv);

	list_for_each_entry(map, &exporter->maps, node)
		map_sync_for_device(map);
}
