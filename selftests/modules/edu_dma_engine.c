// SPDX-License-Identifier: GPL-2.0
/*
 * The DMA engine, its queue and its fences. The device has a buffer of 4 KiB and
 * moves bytes between that and the bus: a copy is two transfers a piece.
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "edu_dma_internal.h"

#define EDU_REG_ID		0x00
#define EDU_REG_SRC		0x80
#define EDU_REG_DST		0x88
#define EDU_REG_COUNT		0x90
#define EDU_REG_CMD		0x98
#define EDU_CMD_RUN		BIT(0)
#define EDU_CMD_TO_BUS		BIT(1)
#define EDU_BUFFER		0x40000

#define EDU_ID			0xed
#define EDU_TIMEOUT_US		(5 * USEC_PER_SEC)

/**
 * struct edu_piece - bytes that the device moves at once
 * @src: where from
 * @dst: where to
 * @len: how many
 */
struct edu_piece {
	dma_addr_t src;
	dma_addr_t dst;
	size_t len;
};

/**
 * struct edu_job - a copy that is on its way
 * @work: in the queue of the device
 * @file: whose it is
 * @copy: what to copy
 * @src: memory to read, mapped
 * @dst: memory to write, mapped
 * @pieces: what the device is told, for the tables that say so may go
 * @nr_pieces: of them
 * @fence: signalled when it is done
 */
struct edu_job {
	struct work_struct work;
	struct edu_file *file;
	struct edu_copy copy;
	struct edu_mapping *src;
	struct edu_mapping *dst;
	struct edu_piece *pieces;
	unsigned int nr_pieces;
	struct dma_fence *fence;
};

static int engine_start(struct edu *edu, dma_addr_t addr, size_t len, bool to_bus)
{
	lockdep_assert_held(&edu->engine);

	/* A transfer that reaches the end of its buffer takes the emulator down. */
	if (WARN_ON(!len || len > EDU_MAX_TRANSFER))
		return -EINVAL;
	if (readq(edu->regs + EDU_REG_CMD) & EDU_CMD_RUN)
		return -EIO;
	writeq(to_bus ? EDU_BUFFER : addr, edu->regs + EDU_REG_SRC);
	writeq(to_bus ? addr : EDU_BUFFER, edu->regs + EDU_REG_DST);
	writeq(len, edu->regs + EDU_REG_COUNT);
	writeq(EDU_CMD_RUN | (to_bus ? EDU_CMD_TO_BUS : 0), edu->regs + EDU_REG_CMD);
	return 0;
}

/* One transfer between the buffer inside the device and the bus. */
int edu_transfer(struct edu *edu, dma_addr_t addr, size_t len, bool to_bus)
{
	int ret = engine_start(edu, addr, len, to_bus);
	u64 cmd;

	return ret ?: readq_poll_timeout(edu->regs + EDU_REG_CMD, cmd,
					 !(cmd & EDU_CMD_RUN), USEC_PER_MSEC,
					 EDU_TIMEOUT_US);
}

int edu_raw(struct edu *edu, const struct edu_raw *raw)
{
	u64 cmd;
	int ret;

	if (!raw->len || raw->len > EDU_MAX_TRANSFER || raw->to_bus > 1 || raw->pad)
		return -EINVAL;

	guard(mutex)(&edu->engine);
	local_bh_disable();
	ret = engine_start(edu, raw->addr, raw->len, raw->to_bus);
	if (!ret)
		ret = readq_poll_timeout_atomic(edu->regs + EDU_REG_CMD, cmd,
						!(cmd & EDU_CMD_RUN), 50, EDU_TIMEOUT_US);
	local_bh_enable();
	return ret;
}

/* The DMA address of @offset, and how many bytes follow it in one piece. */
dma_addr_t edu_seek(struct sg_table *sgt, u64 offset, u64 *left)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (offset < sg_dma_len(sg)) {
			*left = sg_dma_len(sg) - offset;
			return sg_dma_address(sg) + offset;
		}
		offset -= sg_dma_len(sg);
	}
	*left = 0;
	return DMA_MAPPING_ERROR;
}

/* Cuts a copy up. Only counts the pieces without room for them. */
static unsigned int copy_split(const struct edu_copy *copy, struct sg_table *src,
			       struct sg_table *dst, struct edu_piece *pieces)
{
	unsigned int n = 0;

	for (u64 done = 0; done < copy->len; n++) {
		u64 src_left, dst_left;
		struct edu_piece piece = {
			.src = edu_seek(src, copy->src_offset + done, &src_left),
			.dst = edu_seek(dst, copy->dst_offset + done, &dst_left),
		};

		piece.len = min3(min(copy->len - done, EDU_MAX_TRANSFER), src_left, dst_left);
		if (WARN_ON(!piece.len))
			break;
		if (pieces)
			pieces[n] = piece;
		done += piece.len;
	}
	return n;
}

static int job_split(struct edu_job *job, struct sg_table *src, struct sg_table *dst)
{
	unsigned int n = copy_split(&job->copy, src, dst, NULL);

	job->pieces = kvmalloc_array(n, sizeof(*job->pieces), GFP_KERNEL);
	if (!job->pieces)
		return -ENOMEM;
	job->nr_pieces = copy_split(&job->copy, src, dst, job->pieces);
	return 0;
}

static int job_run(struct edu_job *job)
{
	struct edu *edu = job->file->edu;
	int ret = 0;

	for (unsigned int i = 0; i < job->nr_pieces && !ret; i++) {
		const struct edu_piece *piece = &job->pieces[i];

		guard(mutex)(&edu->engine);
		ret = edu_transfer(edu, piece->src, piece->len, false);
		if (!ret)
			ret = edu_transfer(edu, piece->dst, piece->len, true);
	}
	return ret;
}

static void job_free(struct edu_job *job)
{
	if (job)
		kvfree(job->pieces);
	kfree(job);
}

/* Nothing between the hold and the fence takes dma_resv or allocates memory. */
static void job_work(struct work_struct *work)
{
	struct edu_job *job = container_of(work, struct edu_job, work);
	struct edu_file *file = job->file;
	struct edu *edu = file->edu;
	bool cookie;
	int ret;

	wait_event(edu->wait, !READ_ONCE(file->hold));
	cookie = dma_fence_begin_signalling();
	ret = job_run(job);
	if (ret) {
		atomic64_inc(&edu->errors);
		dma_fence_set_error(job->fence, ret);
	}
	atomic64_inc(&edu->jobs);
	/* Who waited for the fence finds the mappings idle. */
	atomic_dec(&job->src->jobs);
	atomic_dec(&job->dst->jobs);
	dma_fence_signal(job->fence);
	dma_fence_end_signalling(cookie);
	dma_fence_put(job->fence);
	job_free(job);
	atomic_dec(&file->jobs);
	wake_up_all(&edu->wait);
}

/* A fence may outlive everything through a sync_file: it holds the module. */
static const char *edu_fence_name(struct dma_fence *fence)
{
	return "edu_dma";
}

static void edu_fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops edu_fence_ops = {
	.get_driver_name = edu_fence_name,
	.get_timeline_name = edu_fence_name,
	.release = edu_fence_release,
};

static DEFINE_SPINLOCK(edu_fence_lock);

/* Locks one or two reservation objects, @b only together with @a. */
static int lock_both(struct dma_resv *a, struct dma_resv *b, struct ww_acquire_ctx *ctx)
{
	int ret;

	ww_acquire_init(ctx, &reservation_ww_class);
	ret = dma_resv_lock_interruptible(a, ctx);
	while (!ret && b && b != a) {
		ret = dma_resv_lock_interruptible(b, ctx);
		if (!ret)
			break;
		dma_resv_unlock(a);
		if (ret != -EDEADLK)
			break;
		ret = dma_resv_lock_slow_interruptible(b, ctx);
		swap(a, b);
	}
	if (ret)
		ww_acquire_fini(ctx);
	else
		ww_acquire_done(ctx);
	return ret;
}

static void unlock_both(struct dma_resv *a, struct dma_resv *b, struct ww_acquire_ctx *ctx)
{
	dma_resv_unlock(a);
	if (b && b != a)
		dma_resv_unlock(b);
	ww_acquire_fini(ctx);
}

/* Queues the job. Its fence protects the mappings once it is in their dma_resv. */
static void job_queue(struct edu_job *job, struct dma_resv *src, struct dma_resv *dst)
{
	bool bookkeep = job->copy.flags & EDU_BOOKKEEP;
	struct edu *edu = job->file->edu;

	guard(mutex)(&edu->submit);
	__module_get(THIS_MODULE);
	dma_fence_init(job->fence, &edu_fence_ops, &edu_fence_lock, edu->context,
		       ++edu->seqno);
	atomic_inc(&job->src->jobs);
	atomic_inc(&job->dst->jobs);
	atomic_inc(&job->file->jobs);
	if (src)
		dma_resv_add_fence(src, job->fence, bookkeep ? DMA_RESV_USAGE_BOOKKEEP :
							       DMA_RESV_USAGE_READ);
	if (dst)
		dma_resv_add_fence(dst, job->fence, bookkeep ? DMA_RESV_USAGE_BOOKKEEP :
							       DMA_RESV_USAGE_WRITE);
	dma_fence_get(job->fence);
	queue_work(edu->queue, &job->work);
}

/* Maps what is not mapped and queues the job, under the locks of its buffers. */
static int job_submit(struct edu_job *job)
{
	struct dma_resv *src = job->src->dynamic ? job->src->dmabuf->resv : NULL;
	struct dma_resv *dst = job->dst->dynamic ? job->dst->dmabuf->resv : NULL;
	struct dma_resv *first = src ?: dst, *second = src ? dst : NULL;
	struct sg_table *from, *to = NULL;
	struct ww_acquire_ctx ctx;
	int ret;

	if (first) {
		ret = lock_both(first, second, &ctx);
		if (ret)
			return ret;
	}
	from = edu_prepare(job->src);
	if (!IS_ERR(from))
		to = edu_prepare(job->dst);
	ret = IS_ERR(from) ? PTR_ERR(from) : PTR_ERR_OR_ZERO(to);
	if (!ret)
		ret = job_split(job, from, to);
	if (!ret && first)
		ret = dma_resv_reserve_fences(first, 2);
	if (!ret && second)
		ret = dma_resv_reserve_fences(second, 2);
	if (!ret)
		job_queue(job, src, dst);
	if (first)
		unlock_both(first, second, &ctx);
	return ret;
}

static bool range_ok(const struct edu_mapping *m, u64 offset, u64 len)
{
	return len && offset <= m->size && len <= m->size - offset;
}

/* Starts a copy. Returns its fence, with a reference for the caller. */
struct dma_fence *edu_submit(struct edu_file *file, const struct edu_copy *copy,
			     struct edu_mapping *src, struct edu_mapping *dst)
{
	struct dma_fence *fence;
	struct edu_job *job;
	int ret;

	lockdep_assert_held(&file->lock);

	if (!range_ok(src, copy->src_offset, copy->len) ||
	    !range_ok(dst, copy->dst_offset, copy->len))
		return ERR_PTR(-EINVAL);
	if (src->dir == DMA_FROM_DEVICE || dst->dir == DMA_TO_DEVICE)
		return ERR_PTR(-EACCES);

	job = kzalloc(sizeof(*job), GFP_KERNEL);
	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!job || !fence) {
		ret = -ENOMEM;
		goto err;
	}
	INIT_WORK(&job->work, job_work);
	job->file = file;
	job->copy = *copy;
	job->src = src;
	job->dst = dst;
	job->fence = fence;
	ret = job_submit(job);
	if (ret)
		goto err;
	return fence;

err:
	kfree(fence);
	job_free(job);
	return ERR_PTR(ret);
}

int edu_engine_init(struct edu *edu)
{
	if ((readl(edu->regs + EDU_REG_ID) & 0xff) != EDU_ID)
		return -ENODEV;
	mutex_init(&edu->engine);
	mutex_init(&edu->submit);
	init_waitqueue_head(&edu->wait);
	edu->context = dma_fence_context_alloc(1);
	edu->queue = alloc_ordered_workqueue("edu_dma", 0);
	edu->late = alloc_workqueue("edu_dma_late", WQ_PERCPU, 0);
	if (edu->queue && edu->late)
		return 0;
	edu_engine_exit(edu);
	return -ENOMEM;
}

void edu_engine_exit(struct edu *edu)
{
	if (edu->queue)
		destroy_workqueue(edu->queue);
	if (edu->late)
		destroy_workqueue(edu->late);
}
