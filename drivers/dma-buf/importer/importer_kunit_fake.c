// SPDX-License-Identifier: GPL-2.0
/*
 * An exporter that answers as it is told to, and counts what it was asked.
 */
#include <linux/err.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include <linux/dma-buf-compat.h>

#include "importer_kunit.h"

static int fake_copy(struct fake *fake);

static int fake_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct fake *fake = dmabuf->priv;

	fake->attached++;
	return 0;
}

static void fake_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct fake *fake = dmabuf->priv;

	fake->attached--;
}

static int fake_pin(struct dma_buf_attachment *attach)
{
	struct fake *fake = attach->dmabuf->priv;

	fake->pins++;
	return 0;
}

static void fake_unpin(struct dma_buf_attachment *attach)
{
	struct fake *fake = attach->dmabuf->priv;

	fake->pins--;
}

static struct sg_table *fake_map(struct dma_buf_attachment *attach,
				 enum dma_data_direction dir)
{
	struct fake *fake = attach->dmabuf->priv;
	struct sg_table *sgt;

	if (fake->map_error)
		return ERR_PTR(fake->map_error);
	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt || sg_alloc_table(sgt, 1, GFP_KERNEL)) {
		kfree(sgt);
		return ERR_PTR(-ENOMEM);
	}
	sg_set_page(sgt->sgl, virt_to_page(fake->page), PAGE_SIZE, 0);
	sg_dma_address(sgt->sgl) = virt_to_phys(fake->page);
	sg_dma_len(sgt->sgl) = PAGE_SIZE;
	fake->maps++;
	fake->mapped++;
	return sgt;
}

static void fake_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
		       enum dma_data_direction dir)
{
	struct fake *fake = attach->dmabuf->priv;

	fake->mapped--;
	sg_free_table(sgt);
	kfree(sgt);
}

static int fake_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct fake *fake = dmabuf->priv;

	if (fake->copies && fake_copy(fake))
		return -ENOMEM;
	fake->vmaps++;
	fake->vmapped++;
	iosys_map_set_vaddr(map, fake->page);
	return 0;
}

static void fake_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct fake *fake = dmabuf->priv;

	fake->vmapped--;
}

static void fake_release(struct dma_buf *dmabuf)
{
}

const struct dma_buf_ops fake_ops = {
	.attach = fake_attach,
	.detach = fake_detach,
	.pin = fake_pin,
	.unpin = fake_unpin,
	.map_dma_buf = fake_map,
	.unmap_dma_buf = fake_unmap,
	.vmap = fake_vmap,
	.vunmap = fake_vunmap,
	.release = fake_release,
};

/* One that never moves, and one that cannot be mapped by the kernel. */
const struct dma_buf_ops fake_static_ops = {
	.attach = fake_attach,
	.detach = fake_detach,
	.map_dma_buf = fake_map,
	.unmap_dma_buf = fake_unmap,
	.vmap = fake_vmap,
	.vunmap = fake_vunmap,
	.release = fake_release,
};

const struct dma_buf_ops fake_no_vmap_ops = {
	.pin = fake_pin,
	.unpin = fake_unpin,
	.map_dma_buf = fake_map,
	.unmap_dma_buf = fake_unmap,
	.release = fake_release,
};

void fake_export(struct kunit *test, const struct dma_buf_ops *ops, int flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct fake *fake = test->priv;

	info.ops = ops;
	info.size = PAGE_SIZE;
	info.flags = flags;
	info.priv = fake;
	fake->dmabuf = dma_buf_export(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fake->dmabuf);
}

/* What an exporter does before it moves a buffer. */
void fake_move(struct fake *fake)
{
	dma_resv_lock(fake->dmabuf->resv, NULL);
	dma_buf_compat_invalidate(fake->dmabuf);
	dma_resv_unlock(fake->dmabuf->resv);
}

static const char *fake_fence_name(struct dma_fence *fence)
{
	return "fake";
}

static const struct dma_fence_ops fake_fence_ops = {
	.get_driver_name = fake_fence_name,
	.get_timeline_name = fake_fence_name,
};

static DEFINE_SPINLOCK(fake_fence_lock);

/* A fence, with the lock. */
static int fake_fence(struct fake *fake, enum dma_resv_usage usage)
{
	struct dma_resv *resv = fake->dmabuf->resv;

	if (dma_resv_reserve_fences(resv, 1))
		return -ENOMEM;
	fake->fence = kzalloc(sizeof(*fake->fence), GFP_KERNEL);
	if (!fake->fence)
		return -ENOMEM;
	dma_fence_init(fake->fence, &fake_fence_ops, &fake_fence_lock,
		       dma_fence_context_alloc(1), 1);
	dma_resv_add_fence(resv, fake->fence, usage);
	return 0;
}

/* The first mapping makes the exporter move the memory to where it can be mapped. */
static int fake_copy(struct fake *fake)
{
	fake->copies = false;
	return fake_fence(fake, DMA_RESV_USAGE_KERNEL);
}

void fake_busy(struct kunit *test, enum dma_resv_usage usage)
{
	struct fake *fake = test->priv;

	dma_resv_lock(fake->dmabuf->resv, NULL);
	KUNIT_EXPECT_EQ(test, fake_fence(fake, usage), 0);
	dma_resv_unlock(fake->dmabuf->resv);
}

void fake_idle(struct fake *fake)
{
	if (fake->fence) {
		dma_fence_signal(fake->fence);
		dma_fence_put(fake->fence);
	}
	fake->fence = NULL;
}
