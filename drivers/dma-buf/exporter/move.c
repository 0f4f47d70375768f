// SPDX-License-Identifier: GPL-2.0
/*
 * Moving a buffer to other memory while it is in use. This is the only place
 * that knows the order of things; each step can fail and leaves the buffer whole
 * where it was.
 */
#include <linux/dma-fence.h>
#include <linux/export.h>

#include <linux/dma-buf-compat.h>

#include "attach.h"
#include "trace.h"

/**
 * DOC: moves
 *
 * dma_buf_exporter_move() gives a buffer other memory. With the dma_resv lock
 * held it
 *
 * 1. checks that no pin is in the way, as the policy says;
 * 2. tells all importers, and waits until their fences are signalled;
 * 3. sees that no DMA mapping and no kernel mapping is left. If one is, it drops
 *    the lock, waits until its owner has let go, and starts again: the data is
 *    still at the old place, where faults and new mappings find it meanwhile;
 * 4. flushes the IOTLB of every importer that has unmapped;
 * 5. zaps the entries of all user mappings. From here on nobody reaches the
 *    memory, and nobody can get there: that takes the lock;
 * 6. copies, and makes the new memory the buffer's.
 *
 * When it drops the lock the next page fault, DMA mapping or kernel mapping
 * finds the new place. The old memory is handed back to the driver.
 *
 * A copy that a device makes ends with a fence instead. It is one of the KERNEL
 * fences of the buffer, which faults wait for without mmap_lock, and importers
 * before they map. Only when it is signalled is the new memory the buffer's, and
 * only if it is signalled without an error.
 */

/* 0 when no pin is in the way, 1 when one is, -EBUSY when it would stay. */
static int move_check_pins(struct dma_buf_exporter *exporter,
			   enum dma_buf_move_policy policy)
{
	if (policy == DMA_BUF_MOVE_REVOKE)
		return exporter_pinned_for_good(exporter) ? -EBUSY : 0;
	return exporter_pinned(exporter);
}

/* Importers are promised memory they can map when they attach. */
static int move_check_importers(struct dma_buf_exporter *exporter,
				const struct dma_buf_backing *to)
{
	struct exporter_attachment *ea;
	const char *obstacle;

	list_for_each_entry(ea, &exporter->attachments, node) {
		obstacle = exporter_map_obstacle(to, ea->attach);
		if (!obstacle)
			continue;
		exporter_refuse(exporter, "move: %s: %s", dev_name(ea->attach->dev),
				obstacle);
		return -EOPNOTSUPP;
	}
	return 0;
}

/* The last step: nobody reaches the memory, and the lock is held. */
static int move_memory(struct dma_buf_exporter *exporter, struct dma_buf_backing *to)
{
	const struct dma_buf_exporter_ops *ops = exporter->ops;
	struct dma_fence *fence = NULL;
	int ret;

	if (ops->copy) {
		fence = ops->copy(exporter, to, exporter->backing);
		ret = PTR_ERR_OR_ZERO(fence);
	} else {
		ret = dma_buf_backing_copy(to, exporter->backing);
	}
	if (ret)
		return ret;

	if (fence) {
		dma_resv_add_fence(exporter->resv, fence, DMA_RESV_USAGE_KERNEL);
		if (!exporter_copying(exporter, to, fence))
			return 0;
		ret = min(dma_fence_get_status(fence), 0);
		dma_fence_put(fence);
		if (ret)
			return ret;
	}
	exporter_bury(exporter, exporter->backing);
	exporter->backing = to;
	exporter->stats.moves++;
	return 0;
}

/* One attempt, with the lock held; 1 if somebody has to let go first. */
static int move_attempt(struct dma_buf_exporter *exporter, struct dma_buf_backing *to,
			enum dma_buf_move_policy policy, unsigned long timeout)
{
	int ret;

	if (exporter->revoked)
		return -ENODEV;
	ret = move_check_importers(exporter, to);
	if (ret)
		return ret;
	ret = move_check_pins(exporter, policy);
	if (ret)
		return ret;
	ret = dma_resv_reserve_fences(exporter->resv, 1);
	if (ret)
		return ret;
	ret = exporter_quiesce(exporter, timeout);
	if (ret)
		return ret;
	/* The fence of an earlier copy is among those that have been waited for. */
	ret = exporter_settle(exporter, false, false);
	if (ret)
		return ret;
	if (!exporter->backing) {
		exporter->backing = to;
		return 0;
	}
	if (!exporter_caching_fits(exporter, to))
		return -EOPNOTSUPP;
	exporter_zap(exporter);
	return move_memory(exporter, to);
}

/**
 * dma_buf_exporter_move - give a buffer other memory
 * @exporter: the buffer, on which the caller has a reference
 * @to: memory of the buffer's size, zeroed if the buffer may have none yet; the
 *	buffer's if this returns 0
 * @policy: what to do about users that are in the way
 * @timeout: how long to wait for them, in jiffies, or MAX_SCHEDULE_TIMEOUT
 *
 * When it returns 0, no mapping of user space shows the old memory, no importer
 * can reach it, and its content is at the new place, or on its way there by
 * &dma_buf_exporter_ops.copy; whoever wants it waits for that. The old memory
 * has been handed to &dma_buf_exporter_ops.free_backing, or will be when the
 * copy is done. Should an asynchronous copy fail it is the new memory that is
 * handed back. Context: may sleep; without the dma_resv lock.
 *
 * Return: 0; -EBUSY when @policy is DMA_BUF_MOVE_BLOCK and the buffer is in use,
 * or DMA_BUF_MOVE_REVOKE and an importer that cannot be told has pinned it;
 * -ETIMEDOUT when it was still in use after @timeout; -EINTR; -EINVAL when @to is
 * not of the buffer's size or is cached I/O memory; -EOPNOTSUPP when an importer
 * that is attached cannot map @to, or where the architecture takes the caching or
 * encryption of an entry from its mapping and @to differs in that; -ENODEV when
 * the buffer is revoked; -ENOMEM; or what the copy returned. The buffer is then
 * where it was, and @to the caller's.
 */
int dma_buf_exporter_move(struct dma_buf_exporter *exporter,
			  struct dma_buf_backing *to,
			  enum dma_buf_move_policy policy, unsigned long timeout)
{
	bool block = policy == DMA_BUF_MOVE_BLOCK;
	unsigned long start = jiffies;
	bool copying = false;
	unsigned long left = 0;
	unsigned int seen;
	int ret;

	if (!exporter_backing_fits(exporter, to))
		return -EINVAL;

	trace_dma_buf_exporter_move_start(exporter, to, policy);
	for (;;) {
		/* Most of the wait for fences is done without the lock. */
		if (!block) {
			ret = exporter_wait_users(exporter, start, timeout, &left);
			if (ret)
				break;
		}
		ret = dma_resv_lock_interruptible(exporter->resv, NULL);
		if (ret)
			break;
		ret = move_attempt(exporter, to, policy, left);
		seen = exporter->nr_let_go;
		copying = exporter->copying;
		dma_resv_unlock(exporter->resv);
		if (ret > 0 && block)
			ret = -EBUSY;
		if (ret <= 0)
			break;
		ret = exporter_wait_let_go(exporter, seen,
					   exporter_time_left(start, timeout));
		if (ret)
			break;
	}
	trace_dma_buf_exporter_move_end(exporter, ret);
	/* Who wants the memory may wait for the copy with the lock: do not wait for them. */
	if (!copying)
		exporter_reap(exporter);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_buf_exporter_move);

/**
 * dma_buf_exporter_move_locked - the same for a caller that has the lock
 * @exporter: the buffer, on which the caller has a reference
 * @to: memory of the buffer's size, zeroed if the buffer may have none yet; the
 *	buffer's if this returns 0
 * @policy: what to do about users that are in the way
 *
 * For eviction, where the dma_resv locks of several buffers are held. Waits for
 * fences unless @policy is DMA_BUF_MOVE_BLOCK, but not for importers that do not
 * unmap when they are told to. The old memory is handed back by a worker.
 * Context: dma_resv lock held; may sleep.
 *
 * Return: as dma_buf_exporter_move(), with -EBUSY where that would wait for a
 * pin or a mapping.
 */
int dma_buf_exporter_move_locked(struct dma_buf_exporter *exporter,
				 struct dma_buf_backing *to,
				 enum dma_buf_move_policy policy)
{
	int ret;

	dma_resv_assert_held(exporter->resv);

	if (!exporter_backing_fits(exporter, to))
		return -EINVAL;
	trace_dma_buf_exporter_move_start(exporter, to, policy);
	ret = move_attempt(exporter, to, policy,
			   policy == DMA_BUF_MOVE_BLOCK ? 0 : MAX_SCHEDULE_TIMEOUT);
	if (ret > 0)
		ret = -EBUSY;
	trace_dma_buf_exporter_move_end(exporter, ret);
	exporter_reap_later(exporter);
	return ret;
}
EXPORT_SYMBOL_GPL(dma_buf_exporter_move_locked);
