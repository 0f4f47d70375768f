// SPDX-License-Identifier: GPL-2.0
/*
 * Access by a kernel mapping. Users of the mapping hold a semaphore for reading;
 * who makes or drops it holds the dma_resv lock and takes the semaphore for writing.
 * A user that finds no mapping asks for one and never waits with the semaphore held.
 */
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/sched.h>

#include "internal.h"
#include "trace.h"

/*
 * Can the memory be had at the moment? The core warns of an exporter whose vmap
 * fails, and one whose buffer is revoked or suspended has no other answer. A DMA
 * mapping is asked for first, under the same lock: that is refused quietly. It is for
 * reading, so that nothing is written back at its end. Whatever else is wrong with it
 * says nothing about the processor.
 */
static int cpu_probe(struct dma_buf_importer *importer)
{
	struct dma_buf_attachment *attach = importer->attach;
	struct sg_table *sgt;

	if (!attach->importer_ops)
		return 0;	/* nor is it ever moved or revoked */
	sgt = dma_buf_map_attachment(attach, DMA_TO_DEVICE);
	if (!IS_ERR(sgt)) {
		dma_buf_unmap_attachment(attach, sgt, DMA_TO_DEVICE);
		return 0;
	}
	switch (PTR_ERR(sgt)) {
	case -ENODEV:
	case -EAGAIN:
	case -EINTR:
	case -ERESTARTSYS:
		return PTR_ERR(sgt);
	default:
		return 0;
	}
}

/*
 * -EAGAIN while somebody copies: to a place that the buffer was moved to before, or
 * that the exporter moves it to because it is to be mapped.
 */
static int cpu_map(struct dma_buf_importer *importer)
{
	struct dma_resv *resv = importer->dmabuf->resv;
	struct iosys_map map;
	int ret;

	dma_resv_assert_held(resv);

	if (importer->lost)
		return -ENODEV;
	if (!dma_resv_test_signaled(resv, DMA_RESV_USAGE_KERNEL))
		return -EAGAIN;
	if (importer->mapped)
		return 0;
	ret = cpu_probe(importer);
	if (!ret)
		ret = dma_buf_vmap(importer->dmabuf, &map);
	if (!ret && !dma_resv_test_signaled(resv, DMA_RESV_USAGE_KERNEL)) {
		dma_buf_vunmap(importer->dmabuf, &map);
		ret = -EAGAIN;
	}
	trace_dma_buf_importer_map(importer, ret);
	if (ret)
		return ret;

	down_write(&importer->access);
	importer->map = map;
	importer->mapped = true;
	up_write(&importer->access);
	return 0;
}

/* Waits for the lock, so that those who want the memory need not. */
static void cpu_work(struct work_struct *work)
{
	struct dma_buf_importer *importer = container_of(work, typeof(*importer), work);
	struct dma_resv *resv = importer->dmabuf->resv;
	int ret;

	dma_resv_lock(resv, NULL);
	ret = cpu_map(importer);
	dma_resv_unlock(resv);

	WRITE_ONCE(importer->result, ret);
	/* Pairs with the load in cpu_attempted(): whoever sees it sees the result. */
	smp_store_release(&importer->attempts, importer->attempts + 1);
	wake_up_all(&importer->wait);
}

/* -EAGAIN if somebody has to be waited for. */
static int cpu_try_map(struct dma_buf_importer *importer)
{
	struct dma_resv *resv = importer->dmabuf->resv;
	int ret;

	if (!dma_resv_trylock(resv))
		return -EAGAIN;
	ret = cpu_map(importer);
	dma_resv_unlock(resv);
	return ret;
}

static bool cpu_attempted(const struct dma_buf_importer *importer, unsigned int seen)
{
	/* Pairs with the store in cpu_work(). */
	return smp_load_acquire(&importer->attempts) != seen;
}

/* 0 when it is worth looking for the mapping again. */
static int cpu_refault(struct dma_buf_importer *importer, unsigned long timeout)
{
	struct dma_resv *resv = importer->dmabuf->resv;
	unsigned int seen = READ_ONCE(importer->attempts);
	long left;
	int ret;

	/* A copy is waited for by those who know for how long, holding nothing. */
	left = dma_resv_wait_timeout(resv, DMA_RESV_USAGE_KERNEL, false, timeout);
	if (left <= 0)
		return -EAGAIN;
	ret = cpu_try_map(importer);
	if (ret != -EAGAIN)
		return ret;
	queue_work(importer_wq, &importer->work);
	if (!timeout ||
	    !wait_event_timeout(importer->wait, cpu_attempted(importer, seen), left))
		return -EAGAIN;
	ret = READ_ONCE(importer->result);
	if (ret != -EAGAIN)
		return ret;
	/* Suspended, or being copied again: nobody says when that is over. */
	schedule_timeout_uninterruptible(1);
	return 0;
}

/*
 * With the semaphore, which is given up if there is no mapping; or somebody clears the
 * memory or fills it, which takes no move.
 */
static bool cpu_enter(struct dma_buf_importer *importer, struct iosys_map *map)
{
	if (likely(importer->mapped &&
		   dma_resv_test_signaled(importer->dmabuf->resv, DMA_RESV_USAGE_KERNEL))) {
		*map = importer->map;
		return true;
	}
	up_read(&importer->access);
	return false;
}

static unsigned long time_left(unsigned long start, unsigned long timeout)
{
	unsigned long passed = jiffies - start;

	return timeout == MAX_SCHEDULE_TIMEOUT ? timeout :
	       passed < timeout ? timeout - passed : 0;
}

/**
 * dma_buf_importer_begin - begin to use the memory with the processor
 * @importer: one with &DMA_BUF_IMPORTER_CPU
 * @map: where the whole buffer is mapped, until dma_buf_importer_end()
 * @timeout: how long to wait for moves and fences of the kernel, in jiffies; 0 for
 *	not at all
 *
 * When the buffer has moved since the last access this makes a new mapping, which
 * costs something for each page. If that would have to wait for longer than
 * @timeout the caller should come back later. What the
 * exporter itself does to bring the memory here is not within @timeout. Several may
 * use the memory at a time. Between begin and end the caller must not take the
 * dma_resv lock, nor wait for somebody who does, nor for memory: reclaim moves buffers.
 * Context: may sleep; without the dma_resv lock.
 *
 * Return: 0, and dma_buf_importer_end() has to follow; -EAGAIN when it takes longer
 * than @timeout; -ENODEV when the buffer is revoked; -ENOMEM; or what the exporter says
 * to the mapping.
 */
int dma_buf_importer_begin(struct dma_buf_importer *importer, struct iosys_map *map,
			   unsigned long timeout)
{
	unsigned long start = jiffies;
	bool tried = false;
	int ret;

	if (WARN_ON_ONCE(importer->mode != DMA_BUF_IMPORTER_CPU))
		return -EINVAL;
	/* Most of the time there is nothing to sleep for, nor a reason to be preempted. */
	if (down_read_trylock(&importer->access) && cpu_enter(importer, map))
		return 0;
	might_sleep();
	for (;;) {
		unsigned long left = time_left(start, timeout);

		down_read(&importer->access);
		if (cpu_enter(importer, map))
			return 0;
		if (READ_ONCE(importer->lost))
			return -ENODEV;
		if (tried && !left)
			return -EAGAIN;
		ret = cpu_refault(importer, left);
		if (ret)
			return ret;
		tried = true;
	}
}
EXPORT_SYMBOL_GPL(dma_buf_importer_begin);

/**
 * dma_buf_importer_end - the memory is not used any more
 * @importer: the importer, after dma_buf_importer_begin() has returned 0
 *
 * Context: any in which a semaphore can be given up, by the task that began.
 */
void dma_buf_importer_end(struct dma_buf_importer *importer)
{
	up_read(&importer->access);
}
EXPORT_SYMBOL_GPL(dma_buf_importer_end);

/* Waits for those who are using the mapping, and they for nobody. */
void importer_cpu_drop(struct dma_buf_importer *importer)
{
	dma_resv_assert_held(importer->dmabuf->resv);

	if (importer->mapped) {
		down_write(&importer->access);
		importer->mapped = false;
		up_write(&importer->access);
		dma_buf_vunmap(importer->dmabuf, &importer->map);
	}
	if (importer->lost)
		importer_unpin(importer);
}

void importer_cpu_init(struct dma_buf_importer *importer)
{
	init_rwsem(&importer->access);
	INIT_WORK(&importer->work, cpu_work);
}
