// SPDX-License-Identifier: GPL-2.0
/* Barriers: a reservation lock or a fence that a test holds as long as it likes. */
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "exporter_test_internal.h"

static DEFINE_MUTEX(sync_mutex);

/* The lock is taken and dropped by a worker: the test's thread can go on. */
struct et_holder {
	struct work_struct work;
	struct dma_buf *dmabuf;
	struct completion held;
	struct completion release;
};

static struct et_holder *holder;

static void hold_work(struct work_struct *work)
{
	struct et_holder *h = container_of(work, struct et_holder, work);

	dma_resv_lock(h->dmabuf->resv, NULL);
	complete(&h->held);
	wait_for_completion(&h->release);
	dma_resv_unlock(h->dmabuf->resv);
}

int et_hold(int fd)
{
	struct et_holder *h;
	int ret;

	guard(mutex)(&sync_mutex);
	if (holder)
		return -EBUSY;
	h = kzalloc(sizeof(*h), GFP_KERNEL);
	if (!h)
		return -ENOMEM;
	h->dmabuf = dma_buf_get(fd);
	if (IS_ERR(h->dmabuf)) {
		ret = PTR_ERR(h->dmabuf);
		kfree(h);
		return ret;
	}
	init_completion(&h->held);
	init_completion(&h->release);
	INIT_WORK(&h->work, hold_work);
	schedule_work(&h->work);
	wait_for_completion(&h->held);
	holder = h;
	return 0;
}

int et_release(void)
{
	guard(mutex)(&sync_mutex);
	if (!holder)
		return -ENOENT;
	complete(&holder->release);
	flush_work(&holder->work);
	dma_buf_put(holder->dmabuf);
	kfree(holder);
	holder = NULL;
	return 0;
}

/* A fence may outlive the test through a sync_file: it holds the module. */
static const char *et_fence_name(struct dma_fence *fence)
{
	return "exporter_test";
}

static void et_fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops et_fence_ops = {
	.get_driver_name = et_fence_name,
	.get_timeline_name = et_fence_name,
	.release = et_fence_release,
};

/*
 * A loose one does not, so that a test sees what else holds it. It must not leave
 * this module's own buffers, all of which are gone when the module goes.
 */
static const struct dma_fence_ops et_loose_fence_ops = {
	.get_driver_name = et_fence_name,
	.get_timeline_name = et_fence_name,
};

static DEFINE_SPINLOCK(fence_lock);
static struct dma_fence *pending;

struct dma_fence *et_fence_create(bool loose)
{
	struct dma_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	if (!fence)
		return NULL;
	if (!loose)
		__module_get(THIS_MODULE);
	dma_fence_init(fence, loose ? &et_loose_fence_ops : &et_fence_ops, &fence_lock,
		       dma_fence_context_alloc(1), 1);
	return fence;
}

int et_fence(int fd, enum dma_resv_usage usage, bool loose)
{
	struct dma_fence *fence;
	struct dma_buf *dmabuf;
	int ret;

	guard(mutex)(&sync_mutex);
	if (pending)
		return -EBUSY;
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	fence = et_fence_create(loose);
	if (!fence) {
		ret = -ENOMEM;
		goto put;
	}

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dma_resv_reserve_fences(dmabuf->resv, 1);
	if (!ret)
		dma_resv_add_fence(dmabuf->resv, fence, usage);
	dma_resv_unlock(dmabuf->resv);
	if (ret)
		dma_fence_put(fence);
	else
		pending = fence;
put:
	dma_buf_put(dmabuf);
	return ret;
}

int et_signal(void)
{
	guard(mutex)(&sync_mutex);
	if (!pending)
		return -ENOENT;
	dma_fence_signal(pending);
	dma_fence_put(pending);
	pending = NULL;
	return 0;
}

void et_sync_exit(void)
{
	et_release();
	et_signal();
}
