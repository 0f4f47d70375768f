// SPDX-License-Identifier: GPL-2.0
/*
 * Access by DMA. Who is told to let go of a mapping may do so only when the devices
 * are done, and until then the exporter waits: first for the fences, then for the
 * mapping to go.
 */
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>

#include "internal.h"
#include "trace.h"

static void importer_dma_unmap(struct dma_buf_importer *importer)
{
	dma_resv_assert_held(importer->dmabuf->resv);

	if (importer->sgt)
		dma_buf_unmap_attachment(importer->attach, importer->sgt, importer->dir);
	importer->sgt = NULL;
	importer->stale = false;
	dma_fence_put(importer->busy);
	importer->busy = NULL;
	if (importer->lost)
		importer_unpin(importer);
}

/* 1 when the devices are done that were busy when the importer was told. */
static long importer_dma_wait(struct dma_buf_importer *importer, bool intr)
{
	if (importer->busy)
		return dma_fence_wait(importer->busy, intr) ?: 1;
	return dma_resv_wait_timeout(importer->dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP, intr,
				     MAX_SCHEDULE_TIMEOUT);
}

/* Waits without the lock for what is known, and with it only for what is not. */
static void importer_dma_work(struct work_struct *work)
{
	struct dma_buf_importer *importer = container_of(work, typeof(*importer), work);
	struct dma_resv *resv = importer->dmabuf->resv;
	struct dma_fence *busy;

	dma_resv_lock(resv, NULL);
	busy = dma_fence_get(importer->busy);
	dma_resv_unlock(resv);
	if (busy)
		dma_fence_wait(busy, false);
	dma_fence_put(busy);

	dma_resv_lock(resv, NULL);
	if (importer->stale && (!importer->busy || dma_fence_is_signaled(importer->busy))) {
		importer_dma_wait(importer, false);
		importer_dma_unmap(importer);
	} else if (importer->stale) {
		queue_work(importer_wq, &importer->work);	/* told once more */
	}
	dma_resv_unlock(resv);
}

void importer_dma_invalidate(struct dma_buf_importer *importer)
{
	struct dma_resv *resv = importer->dmabuf->resv;

	if (!importer->sgt || dma_resv_test_signaled(resv, DMA_RESV_USAGE_BOOKKEEP)) {
		importer_dma_unmap(importer);
		return;
	}
	if (importer->stale)
		return;
	/* Those that come later do not use this mapping. */
	if (dma_resv_get_singleton(resv, DMA_RESV_USAGE_BOOKKEEP, &importer->busy))
		importer->busy = NULL;
	importer->stale = true;
	queue_work(importer_wq, &importer->work);
}

/**
 * dma_buf_importer_map - where a device finds the memory
 * @importer: one with &DMA_BUF_IMPORTER_DMA
 *
 * Maps the buffer if it is not mapped, or was moved. Waits for fences of the kernel,
 * and after a move for what the devices were busy with then. What the device is then
 * told to do needs a fence of its own in the reservation object before the caller drops
 * the lock, and may use the addresses until that is signalled. Context: dma_resv lock
 * held; may sleep.
 *
 * Return: the table of DMA addresses, the caller's as long as it holds the lock, or
 * an ERR_PTR(): -ENODEV when the buffer is revoked; -EAGAIN while its exporter has
 * suspended it; -EACCES, -EOPNOTSUPP, -ENOMEM, or what the exporter says;
 * -ERESTARTSYS.
 */
struct sg_table *dma_buf_importer_map(struct dma_buf_importer *importer)
{
	struct dma_resv *resv = importer->dmabuf->resv;
	struct sg_table *sgt;
	long wait;

	dma_resv_assert_held(resv);

	if (WARN_ON_ONCE(importer->mode != DMA_BUF_IMPORTER_DMA))
		return ERR_PTR(-EINVAL);
	if (importer->stale) {
		wait = importer_dma_wait(importer, true);
		if (wait < 0)
			return ERR_PTR(wait);
		importer_dma_unmap(importer);
	}
	if (importer->lost)
		return ERR_PTR(-ENODEV);
	if (!importer->sgt) {
		sgt = dma_buf_map_attachment(importer->attach, importer->dir);
		trace_dma_buf_importer_map(importer, PTR_ERR_OR_ZERO(sgt));
		if (IS_ERR(sgt))
			return sgt;
		importer->sgt = sgt;
	}
	/* The exporter may have moved the memory so that it can be mapped. */
	wait = dma_resv_wait_timeout(resv, DMA_RESV_USAGE_KERNEL, true,
				     MAX_SCHEDULE_TIMEOUT);
	return wait < 0 ? ERR_PTR(wait) : importer->sgt;
}
EXPORT_SYMBOL_GPL(dma_buf_importer_map);

/* The device is idle. */
void importer_dma_drop(struct dma_buf_importer *importer)
{
	importer_dma_unmap(importer);
}

void importer_dma_init(struct dma_buf_importer *importer)
{
	INIT_WORK(&importer->work, importer_dma_work);
}
