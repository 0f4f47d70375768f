// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest driver that exports through the library: /dev/example_exporter
 * has one ioctl, which takes a size in bytes and returns a dma-buf of as much
 * zeroed memory. "make check" compiles, loads and uses it.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-exporter.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <linux/dma-buf-compat.h>

#define EXAMPLE_ALLOC	_IO('X', 0)	/* argument: bytes; returns: fd */

/* The driver's buffer. The library's part is embedded in it. */
struct example_buffer {
	struct dma_buf_exporter exporter;
	void *memory;
};

/* Nothing refers to the memory any more: no mapping, no device, no importer. */
static void example_free_backing(struct dma_buf_exporter *exporter,
				 struct dma_buf_backing *backing)
{
	free_pages_exact(backing->priv, backing->size);
	dma_buf_backing_free(backing);
}

/* The dma-buf is gone, and with it the last user of the buffer. */
static void example_release(struct dma_buf_exporter *exporter)
{
	struct example_buffer *buffer =
		container_of(exporter, struct example_buffer, exporter);

	dma_buf_exporter_fini(exporter);
	kfree(buffer);
}

static const struct dma_buf_exporter_ops example_ops = {
	.owner = THIS_MODULE,
	.name = "example",
	.release = example_release,
	.free_backing = example_free_backing,
};

/* Where the memory is: here, one contiguous piece. */
static struct dma_buf_backing *example_memory(size_t size)
{
	struct dma_buf_backing *backing = dma_buf_backing_alloc(1, GFP_KERNEL);
	void *memory = alloc_pages_exact(size, GFP_KERNEL | __GFP_ZERO);

	if (backing && memory &&
	    !dma_buf_backing_add(backing, virt_to_phys(memory), size)) {
		backing->priv = memory;
		return backing;
	}
	if (memory)
		free_pages_exact(memory, size);
	dma_buf_backing_free(backing);
	return ERR_PTR(-ENOMEM);
}

static struct dma_buf *example_alloc(size_t size)
{
	struct dma_buf_backing *backing;
	struct example_buffer *buffer;
	struct dma_buf *dmabuf;
	int ret;

	buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	ret = dma_buf_exporter_init(&buffer->exporter, &example_ops, size, NULL);
	if (ret) {
		kfree(buffer);
		return ERR_PTR(ret);
	}

	/* From here on example_release() undoes whatever has been done. */
	backing = example_memory(size);
	if (IS_ERR(backing)) {
		dmabuf = ERR_CAST(backing);
		goto err;
	}
	ret = dma_buf_exporter_set_backing(&buffer->exporter, backing);
	if (ret) {
		example_free_backing(&buffer->exporter, backing);
		dmabuf = ERR_PTR(ret);
		goto err;
	}
	dmabuf = dma_buf_exporter_export(&buffer->exporter, O_RDWR);
	if (IS_ERR(dmabuf))
		goto err;
	return dmabuf;

err:
	example_release(&buffer->exporter);
	return dmabuf;
}

static long example_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct dma_buf *dmabuf;
	int fd;

	if (cmd != EXAMPLE_ALLOC)
		return -ENOTTY;
	if (arg > SZ_4M)
		return -EINVAL;
	dmabuf = example_alloc(PAGE_ALIGN(arg));
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

static const struct file_operations example_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = example_ioctl,
};

static struct miscdevice example_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "example_exporter",
	.fops = &example_fops,
};
module_misc_device(example_misc);

MODULE_DESCRIPTION("Example of a driver on the dma-buf exporter library");
MODULE_LICENSE("GPL");
DMA_BUF_IMPORT_NS(DMA_BUF);
