// SPDX-License-Identifier: GPL-2.0
/*
 * Control handles: the right to move and revoke a buffer, as a file descriptor.
 * Whoever allocates gets it; the dma-buf's own descriptor, which is passed around
 * to those who shall use the memory, gives no such right.
 */
#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/jiffies.h>

#include <uapi/linux/dma-buf-exporter.h>

#include "control.h"
#include "internal.h"

static int handle_release(struct inode *inode, struct file *file)
{
	dma_buf_put(file->private_data);
	return 0;
}

static int handle_info(struct dma_buf_exporter *exporter, void __user *arg)
{
	struct dma_buf_exporter_info info;
	int ret;

	ret = control_read_info(&info, arg);
	if (ret)
		return ret;
	if (info.fd)
		return -EINVAL;
	ret = exporter_info(exporter, &info);
	return ret ?: control_write(arg, &info, sizeof(info));
}

static int handle_move(struct dma_buf_exporter *exporter, void __user *arg)
{
	struct dma_buf_exporter_move_args move = {};
	struct dma_buf_relocation how;
	int ret;

	ret = control_read(&move, sizeof(move), sizeof(move), arg);
	if (ret)
		return ret;
	if (move.flags & ~DMA_BUF_EXPORTER_COMPACT || move.policy > DMA_BUF_EXPORTER_BLOCK ||
	    control_check_name(move.placement, sizeof(move.placement)))
		return -EINVAL;
	if (!exporter->ops->relocate)
		return -EOPNOTSUPP;

	how = (struct dma_buf_relocation) {
		.placement = move.placement[0] ? move.placement : NULL,
		.compact = move.flags & DMA_BUF_EXPORTER_COMPACT,
		.policy = (enum dma_buf_move_policy)move.policy,
		.timeout = msecs_to_jiffies(move.timeout_ms),
	};
	return exporter->ops->relocate(exporter, &how);
}

static int handle_revoke(struct dma_buf_exporter *exporter, void __user *arg)
{
	struct dma_buf_exporter_revoke_args revoke = {};
	int ret;

	ret = control_read(&revoke, sizeof(revoke), sizeof(revoke), arg);
	if (ret)
		return ret;
	if (revoke.flags || revoke.reserved)
		return -EINVAL;
	return exporter_revoke(exporter, msecs_to_jiffies(revoke.timeout_ms), true);
}

static long handle_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct dma_buf *dmabuf = file->private_data;
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case DMA_BUF_EXPORTER_INFO:
		return handle_info(dmabuf->priv, uarg);
	case DMA_BUF_EXPORTER_MOVE:
		return handle_move(dmabuf->priv, uarg);
	case DMA_BUF_EXPORTER_REVOKE:
		return handle_revoke(dmabuf->priv, uarg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations handle_fops = {
	.owner = THIS_MODULE,
	.release = handle_release,
	.unlocked_ioctl = handle_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* A handle that keeps the buffer; the caller's reference stays the caller's. */
struct file *handle_create(struct dma_buf *dmabuf)
{
	struct file *file;

	get_dma_buf(dmabuf);
	file = anon_inode_getfile("[dma_buf_control]", &handle_fops, dmabuf, O_RDWR);
	if (IS_ERR(file))
		dma_buf_put(dmabuf);
	return file;
}

/**
 * dma_buf_exporter_control_fd - make a control handle of a buffer
 * @dmabuf: the dma-buf, of an exporter on this library
 *
 * For a driver that lets its clients move or revoke what they allocated, in an
 * ioctl of its own. The handle keeps the buffer alive. Context: may sleep.
 *
 * Return: a file descriptor, close-on-exec; -EOPNOTSUPP for another exporter's
 * buffer, -EMFILE, -ENFILE or -ENOMEM.
 */
int dma_buf_exporter_control_fd(struct dma_buf *dmabuf)
{
	struct file *file;
	int fd;

	if (!exporter_of(dmabuf))
		return -EOPNOTSUPP;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = handle_create(dmabuf);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}
EXPORT_SYMBOL_GPL(dma_buf_exporter_control_fd);
