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
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include <linux/dma-buf-compat.h>

#include "exporter_test_internal.h"

struct et_mapping {
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;		/* protected by resv */
	enum dma_data_direction dir;
	unsigned int pins;		/* protected by resv */
};

static DEFINE_XARRAY_ALLOC1(et_mappings);
static atomic64_t invalidates;

static void et_invalidate_late(struct dma_buf_attachment *attach)
{
	atomic64_inc(&invalidates);
}

static void et_invalidate(struct dma_buf_attachment *attach)
{
	struct et_mapping *m = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	atomic64_inc(&invalidates);
	if (m->sgt)
		dma_buf_unmap_attachment(m->attach, m->sgt, m->dir);
	m->sgt = NULL;
}

u64 et_invalidates(void)
{
	return atomic64_read(&invalidates);
}

static const struct dma_buf_attach_ops et_dynamic_ops[] = {
	[ET_DYNAMIC] = {
		DMA_BUF_COMPAT_INVALIDATE(et_invalidate),
	},
	[ET_P2P] = {
		.allow_peer2peer = true,
		DMA_BUF_COMPAT_INVALIDATE(et_invalidate),
	},
	[ET_LATE] = {
		.allow_peer2peer = true,
		DMA_BUF_COMPAT_INVALIDATE(et_invalidate_late),
	},
};

static int mapping_map(struct et_mapping *m)
{
	struct sg_table *sgt;

	dma_resv_assert_held(m->dmabuf->resv);

	if (m->sgt)
		return 0;
	sgt = dma_buf_map_attachment(m->attach, m->dir);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	m->sgt = sgt;
	return 0;
}

static void mapping_unmap(struct et_mapping *m)
{
	if (m->sgt)
		dma_buf_unmap_attachment(m->attach, m->sgt, m->dir);
	m->sgt = NULL;
}

/* With the lock held: a move takes the table away. */
static void mapping_describe(struct et_mapping *m, struct et_import *import)
{
	struct scatterlist *sg;
	int i;

	import->nents = m->sgt->nents;
	import->len = 0;
	import->pages = 0;
	for_each_sgtable_dma_sg(m->sgt, sg, i) {
		unsigned long link = sg->page_link;

		/* What the core of 6.12 does to all of them. */
		if (IS_ENABLED(CONFIG_DMABUF_DEBUG))
			link ^= ~0xffUL;
		import->len += sg_dma_len(sg);
		if (link & ~(SG_CHAIN | SG_END))
			import->pages++;
	}
	sg_dma_address(m->sgt->sgl) += import->trim;
	sg_dma_len(m->sgt->sgl) -= import->trim;
}

static int mapping_make(struct et_mapping *m, struct et_import *import,
			struct device *dev)
{
	const struct dma_buf_attach_ops *ops = NULL;
	int ret = 0;

	if (import->dynamic >= ARRAY_SIZE(et_dynamic_ops))
		return -EINVAL;
	if (import->dynamic)
		ops = &et_dynamic_ops[import->dynamic];
	m->attach = dma_buf_dynamic_attach(m->dmabuf, dev, ops, m);
	if (IS_ERR(m->attach))
		return PTR_ERR(m->attach);

	dma_resv_lock(m->dmabuf->resv, NULL);
	if (import->pin && ops) {
		ret = dma_buf_pin(m->attach);
		m->pins = !ret;
	}
	if (!ret)
		ret = mapping_map(m);
	if (!ret)
		mapping_describe(m, import);
	else if (m->pins)
		dma_buf_unpin(m->attach);
	dma_resv_unlock(m->dmabuf->resv);
	if (ret)
		dma_buf_detach(m->dmabuf, m->attach);
	return ret;
}

static void mapping_drop(struct et_mapping *m)
{
	dma_resv_lock(m->dmabuf->resv, NULL);
	mapping_unmap(m);
	while (m->pins--)
		dma_buf_unpin(m->attach);
	dma_resv_unlock(m->dmabuf->resv);
	dma_buf_detach(m->dmabuf, m->attach);
	dma_buf_put(m->dmabuf);
	kfree(m);
}

int et_import(struct et_import *import, struct device *dev)
{
	struct et_mapping *m;
	int ret;

	if (import->device == ET_BAR)
		dev = et_memory_device();
	if (!dev)
		return -ENODEV;
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

/* For an importer that unmaps late. */
int et_unmap(u32 id)
{
	struct et_mapping *m = xa_load(&et_mappings, id);

	if (!m)
		return -ENOENT;
	dma_resv_lock(m->dmabuf->resv, NULL);
	mapping_unmap(m);
	dma_resv_unlock(m->dmabuf->resv);
	return 0;
}

int et_pin(u32 id, bool pin)
{
	struct et_mapping *m = xa_load(&et_mappings, id);
	int ret = 0;

	if (!m || !m->attach->importer_ops)
		return -ENOENT;
	dma_resv_lock(m->dmabuf->resv, NULL);
	if (pin) {
		ret = dma_buf_pin(m->attach);
		m->pins += !ret;
	} else if (m->pins) {
		dma_buf_unpin(m->attach);
		m->pins--;
	} else {
		ret = -EINVAL;
	}
	dma_resv_unlock(m->dmabuf->resv);
	return ret;
}

/* What is at @offset as the device sees it, mapped with its page. */
static void *mapping_at(struct et_mapping *m, u64 offset, u64 len)
{
	struct scatterlist *sg;
	void *mem;
	int i;

	for_each_sgtable_dma_sg(m->sgt, sg, i) {
		if (offset < sg_dma_len(sg))
			break;
		offset -= sg_dma_len(sg);
	}
	if (!sg || len > PAGE_SIZE - offset_in_page(offset))
		return ERR_PTR(-EINVAL);
	mem = memremap(sg_dma_address(sg) + ALIGN_DOWN(offset, PAGE_SIZE), PAGE_SIZE,
		       MEMREMAP_WB | MEMREMAP_WT | MEMREMAP_WC);
	return mem ? mem + offset_in_page(offset) : ERR_PTR(-ENOMEM);
}

static int mapping_copy(struct et_mapping *m, const struct et_copy *copy, void *bounce)
{
	void *mem = mapping_at(m, copy->offset, copy->len);

	if (IS_ERR(mem))
		return PTR_ERR(mem);
	et_device_copy(mem, copy, bounce);
	return 0;
}

/* As mapping_at(), with @fence for what is done there without the lock. */
void *et_device_begin(const struct et_copy *copy, struct dma_fence *fence)
{
	struct et_mapping *m = xa_load(&et_mappings, copy->id);
	void *mem;
	int ret;

	if (!m)
		return ERR_PTR(-ENOENT);
	dma_resv_lock(m->dmabuf->resv, NULL);
	ret = mapping_map(m);
	if (!ret)
		ret = dma_resv_reserve_fences(m->dmabuf->resv, 1);
	mem = ret ? ERR_PTR(ret) : mapping_at(m, copy->offset, copy->len);
	if (!IS_ERR(mem))
		dma_resv_add_fence(m->dmabuf->resv, fence, copy->write ?
				   DMA_RESV_USAGE_WRITE : DMA_RESV_USAGE_READ);
	dma_resv_unlock(m->dmabuf->resv);
	return mem;
}

/* One job of the device, over before the lock is dropped. */
int et_dma(const struct et_copy *copy)
{
	struct et_mapping *m = xa_load(&et_mappings, copy->id);
	void __user *user = u64_to_user_ptr(copy->user);
	void *bounce;
	int ret;

	if (!m)
		return -ENOENT;
	if (copy->len > PAGE_SIZE)
		return -EINVAL;
	bounce = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!bounce)
		return -ENOMEM;
	ret = -EFAULT;
	if (copy->write && copy_from_user(bounce, user, copy->len))
		goto free;

	dma_resv_lock(m->dmabuf->resv, NULL);
	ret = mapping_map(m);
	if (!ret)
		ret = mapping_copy(m, copy, bounce);
	dma_resv_unlock(m->dmabuf->resv);

	if (!ret && !copy->write && copy_to_user(user, bounce, copy->len))
		ret = -EFAULT;
free:
	kfree(bounce);
	return ret;
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

/* A kernel mapping that stays, of one buffer at once. */
static DEFINE_MUTEX(vhold_mutex);
static struct dma_buf *vheld;
static struct iosys_map vheld_map;

int et_vhold(int fd)
{
	struct dma_buf *dmabuf;
	int ret;

	guard(mutex)(&vhold_mutex);
	if (vheld)
		return -EBUSY;
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = dma_buf_vmap_unlocked(dmabuf, &vheld_map);
	if (ret)
		dma_buf_put(dmabuf);
	else
		vheld = dmabuf;
	return ret;
}

int et_vdrop(void)
{
	guard(mutex)(&vhold_mutex);
	if (!vheld)
		return -ENOENT;
	dma_buf_vunmap_unlocked(vheld, &vheld_map);
	dma_buf_put(vheld);
	vheld = NULL;
	return 0;
}

void et_import_exit(void)
{
	struct et_mapping *m;
	unsigned long id;

	et_vdrop();
	xa_for_each(&et_mappings, id, m)
		mapping_drop(m);
	xa_destroy(&et_mappings);
}
