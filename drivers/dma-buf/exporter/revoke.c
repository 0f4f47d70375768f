// SPDX-License-Identifier: GPL-2.0
/*
 * Taking the memory away: for good, when the device or the owner is gone, or for
 * a while, when the device is reset or loses power.
 */
#include <linux/export.h>
#include <linux/wait.h>

#include <linux/dma-buf-compat.h>

#include "internal.h"
#include "trace.h"

/*
 * As dma_buf_exporter_revoke(). With @intr a signal ends the wait for the lock as
 * well: -EINTR to somebody who is alive says that nothing has been done.
 */
int exporter_revoke(struct dma_buf_exporter *exporter, unsigned long timeout, bool intr)
{
	unsigned long start = jiffies;
	long left = 1;

	if (!intr)
		dma_resv_lock(exporter->resv, NULL);
	else if (dma_resv_lock_interruptible(exporter->resv, NULL))
		return -EINTR;
	if (!exporter->revoked) {
		WRITE_ONCE(exporter->revoked, true);
		trace_dma_buf_exporter_revoke(exporter);
		if (exporter->dmabuf)
			dma_buf_compat_invalidate(exporter->dmabuf);
		exporter_zap(exporter);
	}
	exporter_reap_revoked(exporter);
	dma_resv_unlock(exporter->resv);
	wake_up_all(&exporter->idle);

	if (READ_ONCE(exporter->backing))
		left = wait_event_killable_timeout(exporter->idle,
						   !READ_ONCE(exporter->backing),
						   exporter_time_left(start, timeout));
	if (left < 0)
		return -EINTR;
	if (!left)
		return -ETIMEDOUT;
	/* Whoever found that out may not be through with it. */
	exporter_reap(exporter);
	return 0;
}

/**
 * dma_buf_exporter_revoke - take a buffer's memory away for good
 * @exporter: the buffer, on which the caller has a reference
 * @timeout: how long to wait until the memory is back, in jiffies; 0 for not
 *	at all
 *
 * From here on a page fault is a SIGBUS, and attaching, mapping and pinning fail
 * with -ENODEV. Importers have been told. The memory goes to
 * &dma_buf_exporter_ops.free_backing as soon as no DMA mapping, no kernel mapping
 * and no fence is left; importers that cannot be told keep theirs until they are
 * done. The time it takes to get the lock counts, but @timeout does not end that
 * wait. Context: may sleep; without the dma_resv lock.
 *
 * Return: 0 when the memory has been handed back. Otherwise the revocation
 * stands, but somebody can still reach the memory: -ETIMEDOUT, or -EINTR when
 * the caller has been killed.
 */
int dma_buf_exporter_revoke(struct dma_buf_exporter *exporter, unsigned long timeout)
{
	return exporter_revoke(exporter, timeout, false);
}
EXPORT_SYMBOL_GPL(dma_buf_exporter_revoke);

/* 1 if somebody has to let go first. */
static int suspend_attempt(struct dma_buf_exporter *exporter, unsigned long timeout)
{
	int ret;

	if (exporter->revoked)
		return -ENODEV;
	if (exporter_pinned_for_good(exporter))
		return 1;
	ret = exporter_quiesce(exporter, timeout);
	/* Its fence is among those that have been waited for. */
	return ret ?: exporter_settle(exporter, false, false);
}

/**
 * dma_buf_exporter_suspend - take a buffer's memory away for a while
 * @exporter: the buffer, on which the caller has a reference
 * @timeout: how long to wait for those who use it, in jiffies
 *
 * Until dma_buf_exporter_resume() page faults wait, and mapping fails with
 * -EAGAIN. Importers have been told to unmap; those that have pinned the buffer and
 * can be told may take that for good. The driver may save and restore the
 * content, or move the buffer, meanwhile. Calls nest. Context: may sleep; without
 * the dma_resv lock.
 *
 * Return: 0 when nobody reaches the memory; -ETIMEDOUT when somebody still does
 * after @timeout, -EINTR, or -ENODEV when the buffer is revoked. It is not
 * suspended then.
 */
int dma_buf_exporter_suspend(struct dma_buf_exporter *exporter, unsigned long timeout)
{
	unsigned long start = jiffies, left;
	unsigned int seen;
	int ret;

	ret = dma_resv_lock_interruptible(exporter->resv, NULL);
	if (ret)
		return ret;
	if (exporter->revoked) {
		dma_resv_unlock(exporter->resv);
		return -ENODEV;
	}
	WRITE_ONCE(exporter->suspended, exporter->suspended + 1);
	trace_dma_buf_exporter_suspend(exporter);
	exporter_zap(exporter);
	dma_resv_unlock(exporter->resv);
	for (;;) {
		/* Most of the wait for fences is done without the lock. */
		ret = exporter_wait_users(exporter, start, timeout, &left);
		if (ret)
			break;
		dma_resv_lock(exporter->resv, NULL);
		ret = suspend_attempt(exporter, left);
		seen = exporter->nr_let_go;
		dma_resv_unlock(exporter->resv);
		if (ret <= 0)
			break;
		ret = exporter_wait_let_go(exporter, seen,
					   exporter_time_left(start, timeout));
		if (ret)
			break;
	}
	if (ret)
		dma_buf_exporter_resume(exporter);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_buf_exporter_suspend);

/**
 * dma_buf_exporter_resume - give the memory back to those who use the buffer
 * @exporter: a buffer for which dma_buf_exporter_suspend() returned 0
 *
 * Faults that waited find the memory, where it is now. Context: may sleep;
 * without the dma_resv lock.
 */
void dma_buf_exporter_resume(struct dma_buf_exporter *exporter)
{
	dma_resv_lock(exporter->resv, NULL);
	if (!WARN_ON(!exporter->suspended))
		WRITE_ONCE(exporter->suspended, exporter->suspended - 1);
	trace_dma_buf_exporter_resume(exporter);
	dma_resv_unlock(exporter->resv);
	wake_up_all(&exporter->idle);
}
EXPORT_SYMBOL_GPL(dma_buf_exporter_resume);

/* Interruptibly, without the lock, until the buffer can be used or never will. */
int exporter_wait_resumed(struct dma_buf_exporter *exporter)
{
	return wait_event_interruptible(exporter->idle,
					!READ_ONCE(exporter->suspended) ||
					READ_ONCE(exporter->revoked));
}

struct fence_waiter {
	struct dma_fence_cb cb;
	struct dma_buf_exporter *exporter;
};

static void fence_wake(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	wake_up_all(&container_of(cb, struct fence_waiter, cb)->exporter->idle);
}

static int wait_fence(struct dma_buf_exporter *exporter, struct dma_fence *fence)
{
	struct fence_waiter waiter = { .exporter = exporter };
	int ret;

	if (dma_fence_add_callback(fence, &waiter.cb, fence_wake))
		return 0;
	ret = wait_event_interruptible(exporter->idle,
				       dma_fence_is_signaled(fence) ||
				       READ_ONCE(exporter->revoked));
	dma_fence_remove_callback(fence, &waiter.cb);
	return ret;
}

/* The same until its KERNEL fences are signalled. */
int exporter_wait_fences(struct dma_buf_exporter *exporter)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	int ret = 0;

	dma_resv_iter_begin(&cursor, exporter->resv, DMA_RESV_USAGE_KERNEL);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		ret = wait_fence(exporter, fence);
		if (ret || READ_ONCE(exporter->revoked))
			break;
	}
	dma_resv_iter_end(&cursor);
	return ret;
}
