// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a backing. Whoever finds, with the dma_resv lock held, that nothing
 * reaches a backing any more puts it on the buffer's list of the dead; it is
 * handed back to the driver without locks. Asynchronous copies end here too: the
 * first who wants the memory after the fence decides which of two places it is.
 */
#include <linux/workqueue.h>

#include "internal.h"
#include "trace.h"

static struct workqueue_struct *reap_wq;

/* How often fences that keep a revoked buffer's memory are looked at again. */
#define REAP_INTERVAL	(HZ / 10)

void exporter_reap_later(struct dma_buf_exporter *exporter)
{
	mod_delayed_work(reap_wq, &exporter->reap, 0);
}

void exporter_bury(struct dma_buf_exporter *exporter, struct dma_buf_backing *backing)
{
	dma_resv_assert_held(exporter->resv);

	list_add_tail(&backing->dead, &exporter->dead);
}

static void copied(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	exporter_reap_later(container_of(cb, struct dma_buf_exporter, copied));
}

/* Starts the wait for an asynchronous copy to @to; -ENOENT when it is over. */
int exporter_copying(struct dma_buf_exporter *exporter, struct dma_buf_backing *to,
		     struct dma_fence *fence)
{
	int ret;

	dma_resv_assert_held(exporter->resv);

	ret = dma_fence_add_callback(fence, &exporter->copied, copied);
	if (ret)
		return ret;
	exporter->next = to;
	exporter->copying = fence;
	return 0;
}

/**
 * exporter_settle - bring an asynchronous copy to its end
 * @exporter: the buffer
 * @wait: sleep until it is done, else give up if it is not
 * @intr: a signal ends the wait
 *
 * Context: dma_resv lock held. Since the copy began nobody reached either place.
 *
 * Return: 0 when &dma_buf_exporter.backing is the place of the data, -EBUSY or
 * -EINTR when that is not known yet.
 */
int exporter_settle(struct dma_buf_exporter *exporter, bool wait, bool intr)
{
	struct dma_fence *fence = exporter->copying;
	int status;

	dma_resv_assert_held(exporter->resv);

	if (likely(!fence))
		return 0;
	if (!dma_fence_is_signaled(fence)) {
		if (!wait)
			return -EBUSY;
		if (dma_fence_wait(fence, intr))
			return -EINTR;
	}
	dma_fence_remove_callback(fence, &exporter->copied);

	status = dma_fence_get_status(fence);
	if (status < 0) {
		exporter_bury(exporter, exporter->next);
		exporter->stats.moves_failed++;
	} else {
		exporter_bury(exporter, exporter->backing);
		exporter->backing = exporter->next;
		exporter->stats.moves++;
	}
	exporter->next = NULL;
	exporter->copying = NULL;
	trace_dma_buf_exporter_copied(exporter, min(status, 0));
	dma_fence_put(fence);
	exporter_reap_later(exporter);
	return 0;
}

/*
 * Hands the dead back; when it returns, those that others were about to hand back
 * are too. Without the dma_resv lock.
 */
void exporter_reap(struct dma_buf_exporter *exporter)
{
	struct dma_buf_backing *backing, *next;
	LIST_HEAD(dead);

	guard(mutex)(&exporter->reap_mutex);

	dma_resv_lock(exporter->resv, NULL);
	list_splice_init(&exporter->dead, &dead);
	dma_resv_unlock(exporter->resv);

	list_for_each_entry_safe(backing, next, &dead, dead)
		exporter->ops->free_backing(exporter, backing);
}

/* The memory of a revoked buffer goes with the last who could reach it. */
void exporter_reap_revoked(struct dma_buf_exporter *exporter)
{
	dma_resv_assert_held(exporter->resv);

	exporter_settle(exporter, false, false);
	if (!exporter->backing || exporter->copying || !list_empty(&exporter->maps) ||
	    exporter->vmap_addr)
		return;
	if (!dma_resv_test_signaled(exporter->resv, DMA_RESV_USAGE_BOOKKEEP)) {
		queue_delayed_work(reap_wq, &exporter->reap, REAP_INTERVAL);
		return;
	}
	exporter_flush_iotlbs(exporter);
	exporter_bury(exporter, exporter->backing);
	WRITE_ONCE(exporter->backing, NULL);
}

static void reap_work(struct work_struct *work)
{
	struct dma_buf_exporter *exporter =
		container_of(to_delayed_work(work), struct dma_buf_exporter, reap);

	dma_resv_lock(exporter->resv, NULL);
	exporter_settle(exporter, false, false);
	if (exporter->revoked)
		exporter_reap_revoked(exporter);
	dma_resv_unlock(exporter->resv);

	exporter_reap(exporter);
	wake_up_all(&exporter->idle);
}

void exporter_reap_setup(struct dma_buf_exporter *exporter)
{
	INIT_LIST_HEAD(&exporter->dead);
	mutex_init(&exporter->reap_mutex);
	INIT_DELAYED_WORK(&exporter->reap, reap_work);
}

/* The end of the buffer itself. */
void exporter_reap_all(struct dma_buf_exporter *exporter)
{
	dma_resv_lock(exporter->resv, NULL);
	exporter_settle(exporter, true, false);
	if (exporter->backing)
		exporter_bury(exporter, exporter->backing);
	exporter->backing = NULL;
	dma_resv_unlock(exporter->resv);

	cancel_delayed_work_sync(&exporter->reap);
	exporter_reap(exporter);
	mutex_destroy(&exporter->reap_mutex);
}

int exporter_reap_init(void)
{
	/* Reclaim does not wait for it, nor could it: dma_resv is held over allocations. */
	reap_wq = alloc_workqueue(KBUILD_MODNAME, WQ_UNBOUND, 0);
	return reap_wq ? 0 : -ENOMEM;
}

void exporter_reap_exit(void)
{
	destroy_workqueue(reap_wq);
}
