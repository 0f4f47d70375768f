// SPDX-License-Identifier: GPL-2.0
/*
 * The life of an importer: attach, be told that the memory moves, detach.
 */
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <linux/dma-buf-compat.h>

#include "internal.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/**
 * DOC: importer library
 *
 * A driver that was handed a dma-buf, instead of an address to pin pages at, makes
 * an importer of it. That costs the same for a buffer of any size: nothing is mapped
 * and nothing pinned until the memory is used. The exporter may move the buffer at
 * any time. The library is told, takes the mapping away once nobody uses it, and
 * makes another one when the next access asks for it.
 *
 * A device that is software copies with the processor
 * (&DMA_BUF_IMPORTER_CPU)::
 *
 *	importer = dma_buf_importer_create(dmabuf, &config);
 *	...
 *	ret = dma_buf_importer_begin(importer, &map, timeout);
 *	if (ret)
 *		return ret;
 *	iosys_map_memcpy_to(&map, offset, data, len);
 *	dma_buf_importer_end(importer);
 *
 * Between the two calls the memory stays where it is, so that should be short: a
 * move waits for it, and so does reclaim, so nothing there may wait for memory. The
 * kernel mapping is one of the whole buffer, which all
 * importers share, and it may be of I/O memory: use the accessors of struct
 * iosys_map. Such a mapping cannot be had for reading only, so it takes a dma-buf
 * whose file is open for writing.
 *
 * A device that does DMA (&DMA_BUF_IMPORTER_DMA) gets a table of DMA addresses, and
 * says with a fence how long it uses them::
 *
 *	dma_resv_lock(dmabuf->resv, ctx);
 *	sgt = dma_buf_importer_map(importer);
 *	if (!IS_ERR(sgt)) {
 *		submit(sgt, fence);
 *		dma_resv_add_fence(dmabuf->resv, fence, DMA_RESV_USAGE_WRITE);
 *	}
 *	dma_resv_unlock(dmabuf->resv);
 *
 * The table is the importer's as long as the lock is held, and the addresses are
 * valid until the fence is signalled.
 *
 * An importer whose buffer is revoked gets -ENODEV.
 *
 * A driver that has nothing but an address can ask for the dma-buf behind it, with
 * dma_buf_importer_lookup().
 */

struct workqueue_struct *importer_wq;

/* Who attaches for a kernel mapping: a device that reaches all memory. */
static struct platform_device *cpu_device;

void importer_unpin(struct dma_buf_importer *importer)
{
	dma_resv_assert_held(importer->dmabuf->resv);

	if (importer->pinned)
		dma_buf_unpin(importer->attach);
	importer->pinned = false;
}

/* The memory goes elsewhere, or away. */
static void importer_invalidate(struct dma_buf_attachment *attach)
{
	struct dma_buf_importer *importer = attach->importer_priv;

	dma_resv_assert_held(importer->dmabuf->resv);

	trace_dma_buf_importer_invalidate(importer);
	/* It was promised that this would not happen: take it for the end. */
	if (importer->pinned)
		WRITE_ONCE(importer->lost, true);
	if (importer->mode == DMA_BUF_IMPORTER_CPU)
		importer_cpu_drop(importer);
	else
		importer_dma_invalidate(importer);
}

static const struct dma_buf_attach_ops importer_attach_ops = {
	DMA_BUF_COMPAT_INVALIDATE(importer_invalidate),
};

static const struct dma_buf_attach_ops importer_p2p_attach_ops = {
	.allow_peer2peer = true,
	DMA_BUF_COMPAT_INVALIDATE(importer_invalidate),
};

static int importer_check(struct dma_buf *dmabuf,
			  const struct dma_buf_importer_config *config)
{
	bool cpu = config->mode == DMA_BUF_IMPORTER_CPU;

	if (cpu != !config->dev)
		return -EINVAL;
	if (!(dmabuf->file->f_mode & FMODE_WRITE) && (cpu || config->write)) {
		importer_refuse(dmabuf, "the file is open for reading only");
		return -EACCES;
	}
	if (cpu && !dmabuf->ops->vmap) {
		importer_refuse(dmabuf, "the exporter has no kernel mappings");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int importer_attach(struct dma_buf_importer *importer,
			   const struct dma_buf_importer_config *config)
{
	bool cpu = config->mode == DMA_BUF_IMPORTER_CPU;
	struct device *dev = cpu ? &cpu_device->dev : config->dev;
	struct dma_buf *dmabuf = importer->dmabuf;
	struct dma_buf_attachment *attach;
	int ret;

	/* An exporter that never moves its buffers pins them for who attaches. */
	if (cpu && !dma_buf_is_dynamic(dmabuf))
		attach = dma_buf_attach(dmabuf, dev);
	else
		attach = dma_buf_dynamic_attach(dmabuf, dev, cpu || config->peer2peer ?
						&importer_p2p_attach_ops :
						&importer_attach_ops, importer);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	importer->attach = attach;
	if (!config->pin || !dma_buf_is_dynamic(dmabuf))
		return 0;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_buf_pin(attach);
	importer->pinned = !ret;
	dma_resv_unlock(dmabuf->resv);
	if (ret)
		dma_buf_detach(dmabuf, attach);
	return ret;
}

/**
 * dma_buf_importer_create - begin to use a dma-buf
 * @dmabuf: the buffer; the importer takes a reference of its own
 * @config: how it is going to be used
 *
 * Context: may sleep; without the dma_resv lock.
 *
 * Return: the importer, or an ERR_PTR(): -EACCES when the file of the dma-buf is not
 * open for writing and would have to be; -EOPNOTSUPP when its exporter has no kernel
 * mappings and one is wanted; -EINVAL for a device where none belongs, or the
 * reverse; -ENODEV when the buffer is revoked; -ENOMEM, also when no more may be
 * pinned; or what the exporter says to an attachment.
 */
struct dma_buf_importer *
dma_buf_importer_create(struct dma_buf *dmabuf,
			const struct dma_buf_importer_config *config)
{
	struct dma_buf_importer *importer;
	int ret;

	ret = importer_check(dmabuf, config);
	if (ret)
		return ERR_PTR(ret);
	importer = kzalloc(sizeof(*importer), GFP_KERNEL);
	if (!importer)
		return ERR_PTR(-ENOMEM);

	importer->dmabuf = dmabuf;
	importer->mode = config->mode;
	importer->dir = config->write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
	init_waitqueue_head(&importer->wait);
	if (config->mode == DMA_BUF_IMPORTER_CPU)
		importer_cpu_init(importer);
	else
		importer_dma_init(importer);
	ret = importer_attach(importer, config);
	if (ret) {
		kfree(importer);
		return ERR_PTR(ret);
	}
	get_dma_buf(dmabuf);
	trace_dma_buf_importer_create(importer);
	return importer;
}
EXPORT_SYMBOL_GPL(dma_buf_importer_create);

/**
 * dma_buf_importer_destroy - stop using a dma-buf
 * @importer: nobody is using it, or begins to
 *
 * With &DMA_BUF_IMPORTER_DMA the device is idle. Context: may sleep; without the
 * dma_resv lock.
 */
void dma_buf_importer_destroy(struct dma_buf_importer *importer)
{
	struct dma_buf *dmabuf = importer->dmabuf;

	trace_dma_buf_importer_destroy(importer);
	dma_resv_lock(dmabuf->resv, NULL);
	WRITE_ONCE(importer->lost, true);	/* for the work, and for the pin */
	if (importer->mode == DMA_BUF_IMPORTER_CPU)
		importer_cpu_drop(importer);
	else
		importer_dma_drop(importer);
	dma_resv_unlock(dmabuf->resv);
	cancel_work_sync(&importer->work);
	dma_buf_detach(dmabuf, importer->attach);
	dma_buf_put(dmabuf);
	kfree(importer);
}
EXPORT_SYMBOL_GPL(dma_buf_importer_destroy);

/**
 * dma_buf_importer_dmabuf - the buffer of an importer
 * @importer: the importer
 *
 * Context: any.
 *
 * Return: the dma-buf, which stays as long as the importer does.
 */
struct dma_buf *dma_buf_importer_dmabuf(const struct dma_buf_importer *importer)
{
	return importer->dmabuf;
}
EXPORT_SYMBOL_GPL(dma_buf_importer_dmabuf);

/**
 * dma_buf_importer_writable - may an importer write?
 * @importer: the importer
 *
 * Context: any.
 *
 * Return: what was said when it was made.
 */
bool dma_buf_importer_writable(const struct dma_buf_importer *importer)
{
	return importer->dir != DMA_TO_DEVICE;
}
EXPORT_SYMBOL_GPL(dma_buf_importer_writable);

/* Teaches lockdep the order of the locks before anybody gets it wrong. */
static void __init importer_lockdep(void)
{
	struct dma_buf_importer *importer;
	struct dma_resv resv;

	importer = kzalloc(sizeof(*importer), GFP_KERNEL);
	if (!importer)
		return;
	importer_cpu_init(importer);
	dma_resv_init(&resv);
	dma_resv_lock(&resv, NULL);
	down_write(&importer->access);
	up_write(&importer->access);
	dma_resv_unlock(&resv);
	/* Reclaim may move buffers: whoever uses one must not wait for memory. */
	fs_reclaim_acquire(GFP_KERNEL);
	down_write(&importer->access);
	up_write(&importer->access);
	fs_reclaim_release(GFP_KERNEL);
	dma_resv_fini(&resv);
	kfree(importer);
}

static int __init importer_init(void)
{
	int ret;

	if (IS_ENABLED(CONFIG_LOCKDEP))
		importer_lockdep();
	/* Not for reclaim: what maps waits for fences, and for memory. */
	importer_wq = alloc_workqueue("dma_buf_importer", WQ_UNBOUND, 0);
	if (!importer_wq)
		return -ENOMEM;
	cpu_device = platform_device_register_simple("dma_buf_importer",
						     PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(cpu_device)) {
		ret = PTR_ERR(cpu_device);
		goto err_wq;
	}
	ret = dma_coerce_mask_and_coherent(&cpu_device->dev, DMA_BIT_MASK(64));
	if (ret)
		goto err_device;
	dma_set_max_seg_size(&cpu_device->dev, UINT_MAX);
	return 0;

err_device:
	platform_device_unregister(cpu_device);
err_wq:
	destroy_workqueue(importer_wq);
	return ret;
}
module_init(importer_init);

static void __exit importer_exit(void)
{
	platform_device_unregister(cpu_device);
	destroy_workqueue(importer_wq);
}
module_exit(importer_exit);

MODULE_DESCRIPTION("DMA-BUF importer library");
MODULE_LICENSE("GPL");
DMA_BUF_IMPORT_NS(DMA_BUF);
