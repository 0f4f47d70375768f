// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/dma_buf_exporter: looking at any buffer of this library, and allocating
 * one together with its control handle.
 */
#include <linux/cleanup.h>
#include <linux/dma-buf.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>

#include <uapi/linux/dma-buf-exporter.h>

#include "control.h"
#include "internal.h"

static DEFINE_MUTEX(sources_mutex);
static LIST_HEAD(sources);

/* The source of that name, which keeps its module, or NULL. */
static struct dma_buf_source *source_get(const char *name)
{
	struct dma_buf_source *source;

	guard(mutex)(&sources_mutex);
	list_for_each_entry(source, &sources, node)
		if (!strcmp(source->name, name))
			return try_module_get(source->owner) ? source : NULL;
	return NULL;
}

/**
 * dma_buf_source_add - offer buffers through the control device
 * @source: name and allocator; the caller's until dma_buf_source_del()
 *
 * Context: may sleep.
 *
 * Return: 0, or -EEXIST when there is a source of that name.
 */
int dma_buf_source_add(struct dma_buf_source *source)
{
	struct dma_buf_source *other;

	guard(mutex)(&sources_mutex);
	list_for_each_entry(other, &sources, node)
		if (!strcmp(source->name, other->name))
			return -EEXIST;
	list_add_tail(&source->node, &sources);
	return 0;
}
EXPORT_SYMBOL_GPL(dma_buf_source_add);

/**
 * dma_buf_source_del - take that back
 * @source: what dma_buf_source_add() was given
 *
 * Nobody is in its allocator when the module that owns it is unloaded. Context:
 * may sleep.
 */
void dma_buf_source_del(struct dma_buf_source *source)
{
	guard(mutex)(&sources_mutex);
	list_del(&source->node);
}
EXPORT_SYMBOL_GPL(dma_buf_source_del);

static int control_info(void __user *arg)
{
	struct dma_buf_exporter_info info;
	struct dma_buf_exporter *exporter;
	struct dma_buf *dmabuf;
	int ret;

	ret = control_read_info(&info, arg);
	if (ret)
		return ret;
	dmabuf = dma_buf_get(info.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	exporter = exporter_of(dmabuf);
	ret = exporter ? exporter_info(exporter, &info) : -EOPNOTSUPP;
	dma_buf_put(dmabuf);
	return ret ?: control_write(arg, &info, sizeof(info));
}

/* Two descriptors or none: nothing can fail once one is visible. */
static int control_install(struct dma_buf_exporter_alloc *alloc, struct dma_buf *dmabuf,
			   void __user *arg)
{
	struct file *control;
	int ret;

	alloc->fd = get_unused_fd_flags(alloc->fd_flags & O_CLOEXEC);
	if (alloc->fd < 0)
		return alloc->fd;
	alloc->control_fd = get_unused_fd_flags(O_CLOEXEC);
	if (alloc->control_fd < 0) {
		ret = alloc->control_fd;
		goto err_fd;
	}
	control = handle_create(dmabuf);
	if (IS_ERR(control)) {
		ret = PTR_ERR(control);
		goto err_control_fd;
	}
	ret = control_write(arg, alloc, sizeof(*alloc));
	if (ret)
		goto err_control;
	fd_install(alloc->control_fd, control);
	fd_install(alloc->fd, dmabuf->file);
	return 0;

err_control:
	fput(control);
err_control_fd:
	put_unused_fd(alloc->control_fd);
err_fd:
	put_unused_fd(alloc->fd);
	return ret;
}

static int control_alloc(void __user *arg)
{
	struct dma_buf_exporter_alloc alloc = {};
	struct dma_buf_source *source;
	struct dma_buf *dmabuf;
	u64 len;
	int ret;

	ret = control_read(&alloc, sizeof(alloc), sizeof(alloc), arg);
	if (ret)
		return ret;
	len = PAGE_ALIGN(alloc.length);
	if (alloc.flags || alloc.reserved || alloc.fd || alloc.control_fd ||
	    alloc.fd_flags & ~(O_ACCMODE | O_CLOEXEC) || !len || len > SIZE_MAX ||
	    control_check_name(alloc.source, sizeof(alloc.source)) ||
	    control_check_name(alloc.placement, sizeof(alloc.placement)))
		return -EINVAL;

	source = source_get(alloc.source);
	if (!source)
		return -ENOENT;
	dmabuf = source->alloc(source, len, alloc.fd_flags,
			       alloc.placement[0] ? alloc.placement : NULL);
	module_put(source->owner);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	/* A handle takes the dma-buf's word for whose it is. */
	ret = -EOPNOTSUPP;
	if (!WARN_ON(!exporter_of(dmabuf)))
		ret = control_install(&alloc, dmabuf, arg);
	if (ret)
		dma_buf_put(dmabuf);
	return ret;
}

static long control_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case DMA_BUF_EXPORTER_INFO:
		return control_info((void __user *)arg);
	case DMA_BUF_EXPORTER_ALLOC:
		return control_alloc((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.unlocked_ioctl = control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* Allocating is root's to permit, as with the nodes of heaps. */
static struct miscdevice control_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dma_buf_exporter",
	.fops = &control_fops,
	.mode = 0600,
};

int exporter_control_init(void)
{
	return misc_register(&control_misc);
}

void exporter_control_exit(void)
{
	misc_deregister(&control_misc);
}
