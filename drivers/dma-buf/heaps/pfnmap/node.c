// SPDX-License-Identifier: GPL-2.0
/*
 * How a heap gets its node below /dev/dma_heap and its ioctl. Where the core
 * lets modules add heaps, it does both; where it does not, this file provides
 * the same node with the same ABI. The heap cannot tell the difference.
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>
#include <uapi/linux/dma-heap.h>

#include <linux/dma-buf-compat.h>

#include "internal.h"

#if DMA_BUF_COMPAT_HEAP_ADD

static struct dma_buf *node_allocate(struct dma_heap *heap, unsigned long len,
				     u32 fd_flags, u64 heap_flags)
{
	struct heap_node *node = dma_heap_get_drvdata(heap);

	return node->allocate(node, len, fd_flags);
}

static const struct dma_heap_ops node_ops = {
	.allocate = node_allocate,
};

int heap_node_init(void)
{
	return 0;
}

void heap_node_exit(void)
{
}

/* The core cannot remove a heap: from here on the module stays. */
int heap_node_add(struct heap_node *node)
{
	const struct dma_heap_export_info info = {
		.name = node->name,
		.ops = &node_ops,
		.priv = node,
	};
	struct dma_heap *heap = dma_heap_add(&info);

	if (IS_ERR(heap))
		return PTR_ERR(heap);
	__module_get(THIS_MODULE);
	return 0;
}

void heap_node_remove(struct heap_node *node)
{
}

bool heap_mem_accounting(void)
{
	return mem_accounting;
}

DMA_BUF_IMPORT_NS(DMA_BUF_HEAP);

#else

static bool mem_accounting;
module_param(mem_accounting, bool, 0444);
MODULE_PARM_DESC(mem_accounting,
		 "Charge allocations to the memory cgroup of the caller (default=false)");

#define NODE_MINORS	16

/* The core has the class name "dma_heap"; devnode gives the same path. */
static struct class *node_class;
static dev_t node_devt;
static DEFINE_XARRAY_ALLOC(node_minors);

static int node_open(struct inode *inode, struct file *file)
{
	struct heap_node *node = xa_load(&node_minors, iminor(inode));

	if (!node)
		return -ENODEV;
	file->private_data = node;
	return nonseekable_open(inode, file);
}

static struct dma_buf *node_allocate(struct heap_node *node,
				     const struct dma_heap_allocation_data *data)
{
	u64 len = PAGE_ALIGN(data->len);

	if (!len || len > SIZE_MAX || data->fd ||
	    data->fd_flags & ~DMA_HEAP_VALID_FD_FLAGS ||
	    data->heap_flags & ~DMA_HEAP_VALID_HEAP_FLAGS)
		return ERR_PTR(-EINVAL);
	return node->allocate(node, len, data->fd_flags);
}

/*
 * As in the core a caller's structure may be shorter than ours, then the rest is
 * zero, or longer, then its tail is neither read nor written.
 */
static long node_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct dma_heap_allocation_data data = {};
	size_t size = min_t(size_t, _IOC_SIZE(cmd), sizeof(data));
	void __user *uarg = (void __user *)arg;
	struct dma_buf *dmabuf;
	int fd;

	if (_IOC_TYPE(cmd) != DMA_HEAP_IOC_MAGIC || _IOC_NR(cmd) != 0 ||
	    _IOC_DIR(cmd) != (_IOC_READ | _IOC_WRITE))
		return -EINVAL;
	if (copy_from_user(&data, uarg, size))
		return -EFAULT;

	dmabuf = node_allocate(file->private_data, &data);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	fd = get_unused_fd_flags(data.fd_flags);
	if (fd < 0) {
		dma_buf_put(dmabuf);
		return fd;
	}
	data.fd = fd;
	if (copy_to_user(uarg, &data, size)) {
		put_unused_fd(fd);
		dma_buf_put(dmabuf);
		return -EFAULT;
	}
	fd_install(fd, dmabuf->file);
	return 0;
}

static const struct file_operations node_fops = {
	.owner		= THIS_MODULE,
	.open		= node_open,
	.unlocked_ioctl	= node_ioctl,
	.compat_ioctl	= node_ioctl,
};

static struct cdev node_cdev;

static char *node_devnode(const struct device *dev, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, "dma_heap/%s", dev_name(dev));
}

int heap_node_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&node_devt, 0, NODE_MINORS, KBUILD_MODNAME);
	if (ret)
		return ret;
	cdev_init(&node_cdev, &node_fops);
	node_cdev.owner = THIS_MODULE;
	ret = cdev_add(&node_cdev, node_devt, NODE_MINORS);
	if (ret)
		goto err_region;
	node_class = class_create(KBUILD_MODNAME);
	if (IS_ERR(node_class)) {
		ret = PTR_ERR(node_class);
		goto err_cdev;
	}
	node_class->devnode = node_devnode;
	return 0;

err_cdev:
	cdev_del(&node_cdev);
err_region:
	unregister_chrdev_region(node_devt, NODE_MINORS);
	return ret;
}

void heap_node_exit(void)
{
	class_destroy(node_class);
	cdev_del(&node_cdev);
	unregister_chrdev_region(node_devt, NODE_MINORS);
	xa_destroy(&node_minors);
}

int heap_node_add(struct heap_node *node)
{
	struct device *dev;
	u32 minor;
	int ret;

	ret = xa_alloc(&node_minors, &minor, node, XA_LIMIT(0, NODE_MINORS - 1),
		       GFP_KERNEL);
	if (ret)
		return ret;
	node->minor = minor;
	dev = device_create(node_class, NULL, MKDEV(MAJOR(node_devt), minor), NULL,
			    "%s", node->name);
	if (IS_ERR(dev)) {
		xa_erase(&node_minors, minor);
		return PTR_ERR(dev);
	}
	return 0;
}

void heap_node_remove(struct heap_node *node)
{
	device_destroy(node_class, MKDEV(MAJOR(node_devt), node->minor));
	xa_erase(&node_minors, node->minor);
}

bool heap_mem_accounting(void)
{
	return mem_accounting;
}

#endif
