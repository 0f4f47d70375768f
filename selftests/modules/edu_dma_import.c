// SPDX-License-Identifier: GPL-2.0
/*
 * Attachments. A dynamic one is mapped when a job needs it and unmapped when the
 * exporter says that the buffer moves: at once if no job uses the mapping, or
 * by a worker once they are done. That by hand, or by the importer library.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-importer.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <linux/dma-buf-compat.h>

#include "edu_dma_internal.h"

static void mapping_unmap(struct edu_mapping *m)
{
	dma_resv_assert_held(m->dmabuf->resv);
	WARN_ON(atomic_read(&m->jobs));

	dma_buf_unmap_attachment(m->attach, m->sgt, m->dir);
	m->sgt = NULL;
	WRITE_ONCE(m->stale, false);
	atomic64_inc(&m->file->edu->unmaps);
	wake_up_all(&m->file->edu->wait);
}

static int mapping_map(struct edu_mapping *m)
{
	struct sg_table *sgt;

	dma_resv_assert_held(m->dmabuf->resv);

	sgt = dma_buf_map_attachment(m->attach, m->dir);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	m->sgt = sgt;
	atomic64_inc(&m->file->edu->maps);
	return 0;
}

/* May the worker go on? Not if somebody else unmapped meanwhile. */
static bool mapping_ready(struct edu_mapping *m)
{
	return !READ_ONCE(m->stale) ||
	       (!READ_ONCE(m->file->hold) && !atomic_read(&m->jobs));
}

static void mapping_late_unmap(struct work_struct *work)
{
	struct edu_mapping *m = container_of(work, struct edu_mapping, unmap);

	wait_event(m->file->edu->wait, mapping_ready(m));
	dma_resv_lock(m->dmabuf->resv, NULL);
	/* With jobs again it went stale again, and the work is queued again. */
	if (m->stale && !atomic_read(&m->jobs))
		mapping_unmap(m);
	dma_resv_unlock(m->dmabuf->resv);
}

static void mapping_invalidate(struct dma_buf_attachment *attach)
{
	struct edu_mapping *m = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	atomic64_inc(&m->file->edu->invalidations);
	if (!m->sgt)
		return;
	if (m->late || atomic_read(&m->jobs)) {
		WRITE_ONCE(m->stale, true);
		queue_work(m->file->edu->late, &m->unmap);
	} else {
		mapping_unmap(m);
	}
}

static const struct dma_buf_attach_ops mapping_ops = {
	DMA_BUF_COMPAT_INVALIDATE(mapping_invalidate),
};

static const struct dma_buf_attach_ops mapping_p2p_ops = {
	.allow_peer2peer = true,
	DMA_BUF_COMPAT_INVALIDATE(mapping_invalidate),
};

/* Makes a dynamic mapping current. */
static int mapping_refresh(struct edu_mapping *m)
{
	long wait;
	int ret;

	dma_resv_assert_held(m->dmabuf->resv);

	wait = dma_resv_wait_timeout(m->dmabuf->resv, DMA_RESV_USAGE_KERNEL, true,
				     MAX_SCHEDULE_TIMEOUT);
	if (wait < 0)
		return wait;
	if (m->stale) {
		ret = wait_event_interruptible(m->file->edu->wait,
					       !atomic_read(&m->jobs));
		if (ret)
			return ret;
		mapping_unmap(m);
	}
	return m->sgt ? 0 : mapping_map(m);
}

/*
 * The addresses for a job, as a driver asks for them before each. The caller, who
 * holds the lock of a dynamic mapping, adds the job's fence before it unlocks: from
 * then on the table is not its any more, and the addresses are until the fence.
 */
struct sg_table *edu_prepare(struct edu_mapping *m)
{
	int ret = 0;

	if (m->importer)
		return dma_buf_importer_map(m->importer);
	if (m->dynamic)
		ret = mapping_refresh(m);
	return ret ? ERR_PTR(ret) : m->sgt;
}

/* The mapping has no job, and gets none. */
static void mapping_destroy(struct edu_mapping *m)
{
	if (m->importer) {
		dma_buf_importer_destroy(m->importer);
	} else {
		dma_resv_lock(m->dmabuf->resv, NULL);
		if (m->sgt)
			mapping_unmap(m);
		dma_resv_unlock(m->dmabuf->resv);
		cancel_work_sync(&m->unmap);
		dma_buf_detach(m->dmabuf, m->attach);
	}
	dma_buf_put(m->dmabuf);
	kfree(m);
}

static int mapping_first_map(struct edu_mapping *m, struct edu_attach *how)
{
	struct sg_table *sgt;
	int ret;

	ret = dma_resv_lock_interruptible(m->dmabuf->resv, NULL);
	if (ret)
		return ret;
	if (!m->dynamic)
		ret = mapping_map(m);
	sgt = ret ? ERR_PTR(ret) : edu_prepare(m);
	if (!IS_ERR(sgt)) {
		how->nents = sgt->nents;
		how->addr = sg_dma_address(sgt->sgl);
	}
	dma_resv_unlock(m->dmabuf->resv);
	return PTR_ERR_OR_ZERO(sgt);
}

static int mapping_attach(struct edu_mapping *m, const struct edu_attach *how)
{
	const struct dma_buf_attach_ops *ops = NULL;
	struct device *dev = m->file->edu->dev;
	struct dma_buf_importer_config config = {
		.mode = DMA_BUF_IMPORTER_DMA,
		.dev = dev,
		.write = how->dir != DMA_TO_DEVICE,
		.pin = how->flags & EDU_PIN,
		.peer2peer = how->flags & EDU_P2P,
	};

	if (how->mode == EDU_LIBRARY) {
		m->importer = dma_buf_importer_create(m->dmabuf, &config);
		return PTR_ERR_OR_ZERO(m->importer);
	}
	if (how->mode != EDU_STATIC)
		ops = how->flags & EDU_P2P ? &mapping_p2p_ops : &mapping_ops;
	m->attach = dma_buf_dynamic_attach(m->dmabuf, dev, ops, m);
	return PTR_ERR_OR_ZERO(m->attach);
}

static bool how_is_valid(const struct edu_attach *how)
{
	u32 flags = 0;

	if (how->mode != EDU_STATIC)
		flags |= EDU_P2P;
	if (how->mode == EDU_LIBRARY)
		flags |= EDU_PIN;
	return how->mode <= EDU_LIBRARY && how->dir <= DMA_FROM_DEVICE &&
	       !(how->flags & ~flags);
}

int edu_attach(struct edu_file *file, struct edu_attach *how)
{
	struct edu_mapping *m;
	int ret;

	if (!how_is_valid(how))
		return -EINVAL;
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return -ENOMEM;
	m->file = file;
	m->dynamic = how->mode != EDU_STATIC;
	m->late = how->mode == EDU_DYNAMIC_LATE;
	m->dir = how->dir;
	INIT_WORK(&m->unmap, mapping_late_unmap);
	m->dmabuf = dma_buf_get(how->fd);
	if (IS_ERR(m->dmabuf)) {
		ret = PTR_ERR(m->dmabuf);
		goto err_free;
	}
	m->size = m->dmabuf->size;
	ret = mapping_attach(m, how);
	if (ret)
		goto err_put;
	ret = mapping_first_map(m, how);
	if (!ret)
		ret = xa_alloc(&file->mappings, &how->id, m, xa_limit_31b, GFP_KERNEL);
	if (ret)
		mapping_destroy(m);
	return ret;

err_put:
	dma_buf_put(m->dmabuf);
err_free:
	kfree(m);
	return ret;
}

int edu_detach(struct edu_file *file, u32 id)
{
	struct edu_mapping *m;
	int ret;

	for (;;) {
		ret = mutex_lock_interruptible(&file->lock);
		if (ret)
			return ret;
		m = xa_load(&file->mappings, id);
		if (!m || !atomic_read(&m->jobs))
			break;
		mutex_unlock(&file->lock);
		ret = wait_event_interruptible(file->edu->wait,
					       !atomic_read(&file->jobs));
		if (ret)
			return ret;
	}
	if (m)
		xa_erase(&file->mappings, id);
	mutex_unlock(&file->lock);
	if (!m)
		return -ENOENT;
	mapping_destroy(m);
	return 0;
}

/* The file is closed and has no job. */
void edu_detach_all(struct edu_file *file)
{
	struct edu_mapping *m;
	unsigned long id;

	xa_for_each(&file->mappings, id, m)
		mapping_destroy(m);
	xa_destroy(&file->mappings);
}

int edu_query(struct edu_file *file, struct edu_query *query)
{
	struct edu_mapping *m;
	struct sg_table *sgt;
	int ret;

	guard(mutex)(&file->lock);
	m = xa_load(&file->mappings, query->id);
	if (!m)
		return -ENOENT;
	if (query->offset >= m->size)
		return -EINVAL;
	ret = dma_resv_lock_interruptible(m->dmabuf->resv, NULL);
	if (ret)
		return ret;
	sgt = m->importer ? dma_buf_importer_map(m->importer) : m->sgt;
	query->nents = 0;
	if (!IS_ERR_OR_NULL(sgt)) {
		query->nents = sgt->nents;
		query->addr = edu_seek(sgt, query->offset, &query->len);
	}
	dma_resv_unlock(m->dmabuf->resv);
	return PTR_ERR_OR_ZERO(sgt);
}
