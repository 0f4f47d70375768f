// SPDX-License-Identifier: GPL-2.0
/*
 * Moves with a barrier in the middle: a copy that waits until the test says how
 * it ends, with the lock held or as a fence.
 */
#include <linux/completion.h>
#include <linux/dma-buf-exporter.h>
#include <linux/dma-fence.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pgtable.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "exporter_test_internal.h"

static DEFINE_MUTEX(move_mutex);
static DECLARE_COMPLETION(move_go);
static int move_error;

/* The asynchronous copy under way, if there is one. */
static struct dma_fence *move_fence;
static struct dma_buf_backing *move_to;
static const struct dma_buf_backing *move_from;

struct dma_fence *et_copy(struct dma_buf_exporter *exporter,
			  struct dma_buf_backing *to,
			  const struct dma_buf_backing *from)
{
	u32 flags = et_memory_flags(to);
	struct dma_fence *fence;

	if (flags & ET_MOVE_FAIL)
		return ERR_PTR(-EIO);
	if (flags & ET_MOVE_PAUSE) {
		if (wait_for_completion_killable(&move_go))
			return ERR_PTR(-EINTR);
		if (move_error)
			return ERR_PTR(move_error);
	}
	if (!(flags & ET_MOVE_ASYNC))
		return ERR_PTR(dma_buf_backing_copy(to, from));

	guard(mutex)(&move_mutex);
	if (move_fence)
		return ERR_PTR(-EBUSY);
	fence = et_fence_create(false);
	if (!fence)
		return ERR_PTR(-ENOMEM);
	move_to = to;
	move_from = from;
	move_fence = dma_fence_get(fence);
	return fence;
}

/* Ends an asynchronous copy, if there is one: does it, or fails it with @error. */
int et_move_finish(int error)
{
	struct dma_fence *fence;

	if (error > 0 || error < -MAX_ERRNO)
		return -EINVAL;
	guard(mutex)(&move_mutex);
	fence = move_fence;
	if (!fence)
		return -ENOENT;
	if (!error)
		error = dma_buf_backing_copy(move_to, move_from);
	if (error)
		dma_fence_set_error(fence, error);
	move_fence = NULL;
	dma_fence_signal(fence);
	dma_fence_put(fence);
	return 0;
}

/* Ends a copy that waits, of either kind. */
int et_move_go(int error)
{
	int ret = et_move_finish(error);

	if (ret != -ENOENT)
		return ret;
	move_error = error;
	complete(&move_go);
	return 0;
}

static unsigned long move_timeout(u32 ms)
{
	return ms == ET_FOREVER ? MAX_SCHEDULE_TIMEOUT : msecs_to_jiffies(ms);
}

/* Where @offset of a backing is in the kernel's own mapping, and how much of it. */
static void *backing_at(const struct dma_buf_backing *backing, u64 offset, u64 *len)
{
	const struct dma_buf_extent *e = backing->extents;

	while (offset >= e->offset + e->len)
		e++;
	*len = min(*len, e->offset + e->len - offset);
	return phys_to_virt(e->addr + offset - e->offset);
}

/* What a move is measured against: the kernel's memcpy(), of a PMD at once. */
static int move_memcpy(struct dma_buf_exporter *exporter, struct dma_buf_backing *to)
{
	const struct dma_buf_backing *from = exporter->backing;
	u64 len;

	if (!from->paged || !to->paged)
		return -EINVAL;
	for (u64 off = 0; off < from->size; off += len) {
		void *src, *dst;

		len = PMD_SIZE;
		src = backing_at(from, off, &len);
		dst = backing_at(to, off, &len);
		memcpy(dst, src, len);
	}
	et_memory_put(to);
	return 0;
}

int et_move(struct et_move *move)
{
	struct dma_buf_exporter *exporter = et_buffer_get(move->id);
	struct dma_buf_backing *to;
	u64 start;
	int ret;

	if (!exporter)
		return -ENOENT;
	to = et_memory_get(&(struct et_alloc) {
		.size = exporter->size,
		.kind = move->kind,
		.caching = move->caching,
		.chunk = move->chunk,
		.flags = move->flags & ET_MOVE_PROVIDER ? ET_PROVIDER : 0,
	});
	if (IS_ERR(to)) {
		ret = PTR_ERR(to);
		goto put;
	}
	et_memory_set_flags(to, move->flags);
	start = ktime_get_ns();
	if (move->flags & ET_MOVE_MEMCPY) {
		ret = move_memcpy(exporter, to);
	} else if (move->flags & ET_MOVE_LOCKED) {
		dma_resv_lock(exporter->resv, NULL);
		ret = dma_buf_exporter_move_locked(exporter, to, move->policy);
		dma_resv_unlock(exporter->resv);
	} else {
		ret = dma_buf_exporter_move(exporter, to, move->policy,
					    move_timeout(move->timeout_ms));
	}
	move->ns = ktime_get_ns() - start;
	if (ret)
		et_memory_put(to);
put:
	et_buffer_put(exporter);
	return ret;
}

int et_revoke(struct et_move *move)
{
	struct dma_buf_exporter *exporter = et_buffer_get(move->id);
	unsigned long timeout = move_timeout(move->timeout_ms);
	u64 start = ktime_get_ns();
	int ret;

	if (!exporter)
		return -ENOENT;
	if (move->flags & ET_REVOKE_SUSPEND)
		ret = dma_buf_exporter_suspend(exporter, timeout);
	else
		ret = dma_buf_exporter_revoke(exporter, timeout);
	move->ns = ktime_get_ns() - start;
	et_buffer_put(exporter);
	return ret;
}

int et_resume(u32 id)
{
	struct dma_buf_exporter *exporter = et_buffer_get(id);

	if (!exporter)
		return -ENOENT;
	dma_buf_exporter_resume(exporter);
	et_buffer_put(exporter);
	return 0;
}

void et_move_exit(void)
{
	if (move_fence)
		et_move_go(-ECANCELED);
}
