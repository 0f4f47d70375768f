// SPDX-License-Identifier: GPL-2.0
/*
 * A driver on the exporter library: buffers are counted objects that live as
 * long as their id, their dma-buf, or a mapping of the node does.
 */
#include <linux/atomic.h>
#include <linux/dma-buf.h>
#include <linux/dma-buf-exporter.h>
#include <linux/err.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "exporter_test_internal.h"

struct et_buffer {
	struct dma_buf_exporter exporter;
	struct kref ref;
	struct et_alloc how;
	u32 id;
};

static DEFINE_XARRAY_ALLOC1(et_buffers);
static atomic64_t et_populates, et_frees, et_begins, et_ends;

static struct et_buffer *to_buffer(struct dma_buf_exporter *exporter)
{
	return container_of(exporter, struct et_buffer, exporter);
}

static void et_buffer_destroy(struct kref *ref)
{
	struct et_buffer *buffer = container_of(ref, struct et_buffer, ref);

	dma_buf_exporter_fini(&buffer->exporter);
	kfree(buffer);
}

static void et_get(struct dma_buf_exporter *exporter)
{
	kref_get(&to_buffer(exporter)->ref);
}

static void et_put(struct dma_buf_exporter *exporter)
{
	kref_put(&to_buffer(exporter)->ref, et_buffer_destroy);
}

static struct dma_buf_backing *et_populate(struct dma_buf_exporter *exporter)
{
	struct et_buffer *buffer = to_buffer(exporter);

	atomic64_inc(&et_populates);
	if (buffer->how.flags & ET_FAIL_POPULATE)
		return ERR_PTR(-ENOMEM);
	return et_memory_get(&buffer->how);
}

static void et_free_backing(struct dma_buf_exporter *exporter,
			    struct dma_buf_backing *backing)
{
	atomic64_inc(&et_frees);
	et_memory_put(backing);
}

static int et_begin(struct dma_buf_exporter *exporter, enum dma_data_direction dir)
{
	atomic64_inc(&et_begins);
	return 0;
}

static int et_end(struct dma_buf_exporter *exporter, enum dma_data_direction dir)
{
	atomic64_inc(&et_ends);
	return 0;
}

static const struct dma_buf_exporter_ops et_ops = {
	.owner = THIS_MODULE,
	.name = "exporter_test",
	.release = et_put,
	.free_backing = et_free_backing,
	.populate = et_populate,
	.copy = et_copy,
	.begin_cpu_access = et_begin,
	.end_cpu_access = et_end,
	.get = et_get,
	.put = et_put,
};

static int buffer_export(struct et_buffer *buffer)
{
	struct dma_buf *dmabuf;
	int fd;

	kref_get(&buffer->ref);
	dmabuf = dma_buf_exporter_export(&buffer->exporter, buffer->how.fd_flags);
	if (IS_ERR(dmabuf)) {
		et_put(&buffer->exporter);
		return PTR_ERR(dmabuf);
	}
	fd = dma_buf_fd(dmabuf, buffer->how.fd_flags & O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

int et_buffer_alloc(struct et_alloc *how, struct address_space *node_mapping)
{
	struct dma_buf_backing *backing;
	struct et_buffer *buffer;
	int ret;

	if (how->size > SZ_1G && how->kind != ET_SPARSE)
		return -EINVAL;
	buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	kref_init(&buffer->ref);
	buffer->how = *how;
	ret = dma_buf_exporter_init(&buffer->exporter, &et_ops, how->size, NULL);
	if (ret) {
		kfree(buffer);
		return ret;
	}

	if (!(how->flags & (ET_LAZY | ET_FAIL_POPULATE))) {
		backing = et_memory_get(how);
		if (IS_ERR(backing)) {
			ret = PTR_ERR(backing);
			goto err;
		}
		ret = dma_buf_exporter_set_backing(&buffer->exporter, backing);
		if (ret) {
			et_memory_put(backing);
			goto err;
		}
	}
	ret = xa_alloc(&et_buffers, &buffer->id, NULL, XA_LIMIT(1, 1023), GFP_KERNEL);
	if (ret)
		goto err;
	buffer->exporter.node_mapping = node_mapping;
	buffer->exporter.node_pgoff = (pgoff_t)buffer->id * ET_NODE_WINDOW;
	if (!(how->flags & ET_NO_EXPORT)) {
		ret = buffer_export(buffer);
		if (ret < 0)
			goto err_id;
		how->fd = ret;
	}
	xa_store(&et_buffers, buffer->id, buffer, GFP_KERNEL);
	how->id = buffer->id;
	how->node_offset = (u64)buffer->exporter.node_pgoff << PAGE_SHIFT;
	return 0;

err_id:
	xa_erase(&et_buffers, buffer->id);
err:
	et_put(&buffer->exporter);
	return ret;
}

int et_buffer_free(u32 id)
{
	struct et_buffer *buffer = xa_erase(&et_buffers, id);

	if (!buffer)
		return -ENOENT;
	et_put(&buffer->exporter);
	return 0;
}

/* The caller holds the id: tests do not race ET_FREE against this. */
int et_buffer_export(u32 id)
{
	struct et_buffer *buffer = xa_load(&et_buffers, id);

	return buffer ? buffer_export(buffer) : -ENOENT;
}

struct dma_buf_exporter *et_buffer_get(u32 id)
{
	struct et_buffer *buffer;

	xa_lock(&et_buffers);
	buffer = xa_load(&et_buffers, id);
	if (buffer)
		kref_get(&buffer->ref);
	xa_unlock(&et_buffers);
	return buffer ? &buffer->exporter : NULL;
}

void et_buffer_put(struct dma_buf_exporter *exporter)
{
	et_put(exporter);
}

int et_buffer_mmap(struct vm_area_struct *vma)
{
	struct dma_buf_exporter *exporter = et_buffer_get(vma->vm_pgoff / ET_NODE_WINDOW);
	int ret;

	if (!exporter)
		return -EINVAL;
	ret = dma_buf_exporter_mmap(exporter, vma);
	et_put(exporter);
	return ret;
}

void et_buffer_stats(struct et_stats *stats)
{
	stats->populates = atomic64_read(&et_populates);
	stats->frees = atomic64_read(&et_frees);
	stats->begins = atomic64_read(&et_begins);
	stats->ends = atomic64_read(&et_ends);
	stats->invalidates = et_invalidates();
}

void et_buffer_exit(void)
{
	struct et_buffer *buffer;
	unsigned long id;

	xa_for_each(&et_buffers, id, buffer)
		et_put(&buffer->exporter);
	xa_destroy(&et_buffers);
}
