// SPDX-License-Identifier: GPL-2.0
/*
 * An importer in single steps. Without an IOMMU a DMA address is a physical
 * one: copying by it shows whether the sg_table names the right memory.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include <linux/dma-buf-compat.h>

#include "exporter_test_internal.h"

struct et_mapping {
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	enum dma_data_direction dir;
	bool pinned;
};

static DEFINE_XARRAY_ALLOC1(et_mappings);

static void et_invalidate(struct dma_buf_attachment *attach)
{
}

static const struct dma_buf_attach_ops et_dynamic_ops = {
	DMA_BUF_COMPAT_INVALIDATE(et_invalidate),
};

static const struct dma_buf_attach_ops et_p2p_ops = {
	.allow_peer2peer = true,
	DMA_BUF_COMPAT_INVALIDATE(et_invalidate),
};

static int mapping_make(struct et_mapping *m, const struct et_import *import,
			struct device *dev)
{
	const struct dma_buf_attach_ops *ops = NULL;
	int ret = 0;

	if (import->dynamic)
		ops = import->dynamic == 2 ? &et_p2p_ops : &et_dynamic_ops;
	m->attach = dma_buf_dynamic_attach(m->dmabuf, dev, ops, m);
	if (IS_ERR(m->attach))
		return PTR_ERR(m->attach);

	dma_resv_lock(m->dmabuf->resv, NULL);
	if (import->pin && ops) {
		ret = dma_buf_pin(m->attach);
		m->pinned = !ret;
	}
	if (!ret) {
		m->sgt = dma_buf_map_attachment(m->attach, m->dir);
		ret = PTR_ERR_OR_ZERO(m->sgt);
	}
	if (ret && m->pinned)
		dma_buf_unpin(m->attach);
	dma_resv_unlock(m->dmabuf->resv);
	if (ret)
		dma_buf_detach(m->dmabuf, m->attach);
	return ret;
}

static void mapping_drop(struct et_mapping *m)
{
	dma_resv_lock(m->dmabuf->resv, NULL);
	dma_buf_unmap_attachment(m->attach, m->sgt, m->dir);
	if (m->pinned)
		dma_buf_unpin(m->attach);
	dma_resv_unlock(m->dmabuf->resv);
	dma_buf_detach(m->dmabuf, m->attach);
	dma_buf_put(m->dmabuf);
	kfree(m);
}

int et_import(struct et_import *import, struct device *dev)
{
	struct et_mapping *m;
	struct scatterlist *sg;
	int i, ret;

	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return -ENOMEM;
	m->dir = import->dir;
	m->dmabuf = dma_buf_get(import->fd);
	if (IS_ERR(m->dmabuf)) {
		ret = PTR_ERR(m->dmabuf);
		kfree(m);
		return ret;
	}
	ret = mapping_make(m, import, dev);
	if (ret) {
		dma_buf_put(m->dmabuf);
		kfree(m);
		return ret;
	}

	import->nents = m->sgt->nents;
	import->len = 0;
	import->pages = 0;
	for_each_sgtable_dma_sg(m->sgt, sg, i) {
		import->len += sg_dma_len(sg);
		if (sg_page(sg))
			import->pages++;
	}
	sg_dma_address(m->sgt->sgl) += import->trim;
	sg_dma_len(m->sgt->sgl) -= import->trim;
	ret = xa_alloc(&et_mappings, &import->id, m, xa_limit_31b, GFP_KERNEL);
	if (ret)
		mapping_drop(m);
	return ret;
}

int et_unimport(u32 id)
{
	struct et_mapping *m = xa_erase(&et_mappings, id);

	if (!m)
		return -ENOENT;
	mapping_drop(m);
	return 0;
}

int et_dma(const struct et_copy *copy)
{
	struct et_mapping *m = xa_load(&et_mappings, copy->id);
	u64 offset = copy->offset;
	struct scatterlist *sg;
	int i, ret = -EINVAL;
	void *mem;

	if (!m)
		return -ENOENT;
	for_each_sgtable_dma_sg(m->sgt, sg, i) {
		if (offset < sg_dma_len(sg))
			break;
		offset -= sg_dma_len(sg);
	}
	if (!sg || copy->len > PAGE_SIZE - offset_in_page(offset))
		return -EINVAL;
	mem = memremap(sg_dma_address(sg) + ALIGN_DOWN(offset, PAGE_SIZE), PAGE_SIZE,
		       MEMREMAP_WB | MEMREMAP_WT | MEMREMAP_WC);
	if (!mem)
		return -ENOMEM;
	if (copy->write)
		ret = copy_from_user(mem + offset_in_page(offset),
				     u64_to_user_ptr(copy->user), copy->len);
	else
		ret = copy_to_user(u64_to_user_ptr(copy->user),
				   mem + offset_in_page(offset), copy->len);
	memunmap(mem);
	return ret ? -EFAULT : 0;
}

static int vmap_copy(struct iosys_map *map, const struct et_copy *copy, void *bounce)
{
	if (!copy->write) {
		iosys_map_memcpy_from(bounce, map, copy->offset, copy->len);
		if (copy_to_user(u64_to_user_ptr(copy->user), bounce, copy->len))
			return -EFAULT;
		return 0;
	}
	if (copy_from_user(bounce, u64_to_user_ptr(copy->user), copy->len))
		return -EFAULT;
	iosys_map_memcpy_to(map, copy->offset, bounce, copy->len);
	return 0;
}

int et_vmap(struct et_copy *copy)
{
	struct dma_buf *dmabuf;
	struct iosys_map map;
	void *bounce;
	int ret;

	if (copy->len > PAGE_SIZE)
		return -EINVAL;
	dmabuf = dma_buf_get(copy->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	bounce = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!bounce) {
		ret = -ENOMEM;
		goto put;
	}
	if (copy->offset > dmabuf->size || copy->len > dmabuf->size - copy->offset) {
		ret = -EINVAL;
		goto free;
	}
	ret = dma_buf_vmap_unlocked(dmabuf, &map);
	if (ret)
		goto free;
	copy->iomem = map.is_iomem;
	ret = vmap_copy(&map, copy, bounce);
	dma_buf_vunmap_unlocked(dmabuf, &map);
free:
	kfree(bounce);
put:
	dma_buf_put(dmabuf);
	return ret;
}

void et_import_exit(void)
{
	struct et_mapping *m;
	unsigned long id;

	xa_for_each(&et_mappings, id, m)
		mapping_drop(m);
	xa_destroy(&et_mappings);
}
