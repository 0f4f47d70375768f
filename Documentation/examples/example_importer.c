// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest driver that imports through the library: an open file of
 * /dev/example_importer takes one dma-buf, by descriptor or by an address where it
 * is mapped, and can then be read and written at an offset in the buffer. "make
 * check" compiles, loads and uses it.
 */
#include <linux/dma-buf.h>
#include <linux/dma-buf-importer.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/jiffies.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/dma-buf-compat.h>

#define EXAMPLE_IMPORT		_IO('Y', 0)	/* argument: fd */
#define EXAMPLE_IMPORT_RANGE	_IOW('Y', 1, struct example_range)

#define EXAMPLE_WAIT_MS		100

struct example_range {
	__u64 start;
	__u64 length;
};

/* The driver's own: which part of the buffer it was given. */
struct example_file {
	struct dma_buf_importer *importer;
	u64 offset;
	u64 length;
};

/* What is open for reading does not write. Nothing is mapped here, nor pinned. */
static int example_import(struct file *filp, struct dma_buf *dmabuf, u64 offset, u64 length)
{
	struct dma_buf_importer_config config = {
		.mode = DMA_BUF_IMPORTER_CPU,
		.write = filp->f_mode & FMODE_WRITE,
	};
	struct dma_buf_importer *importer;
	struct example_file *file;

	file = kzalloc(sizeof(*file), GFP_KERNEL);
	if (!file)
		return -ENOMEM;
	importer = dma_buf_importer_create(dmabuf, &config);
	if (IS_ERR(importer)) {
		kfree(file);
		return PTR_ERR(importer);
	}
	file->importer = importer;
	file->offset = offset;
	file->length = length;
	if (cmpxchg(&filp->private_data, NULL, file)) {
		dma_buf_importer_destroy(importer);
		kfree(file);
		return -EBUSY;
	}
	return 0;
}

static long example_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct example_range range;
	struct dma_buf *dmabuf;
	u64 offset = 0;
	int ret;

	switch (cmd) {
	case EXAMPLE_IMPORT:
		dmabuf = dma_buf_get(arg);
		if (IS_ERR(dmabuf))
			return PTR_ERR(dmabuf);
		range.length = dmabuf->size;
		break;
	case EXAMPLE_IMPORT_RANGE:
		if (copy_from_user(&range, (void __user *)arg, sizeof(range)))
			return -EFAULT;
		dmabuf = dma_buf_importer_lookup(current->mm, range.start, range.length,
						 filp->f_mode & FMODE_WRITE, &offset);
		if (IS_ERR(dmabuf))
			return PTR_ERR(dmabuf);
		break;
	default:
		return -ENOTTY;
	}
	ret = example_import(filp, dmabuf, offset, range.length);
	dma_buf_put(dmabuf);	/* the importer has a reference of its own */
	return ret;
}

/*
 * One page at most. The copy to and from user space is outside: a page fault there
 * may be one of this very buffer, and would wait for the end of our access.
 */
static ssize_t example_copy(struct file *filp, void *page, size_t len, loff_t *pos,
			    bool write)
{
	struct example_file *file = READ_ONCE(filp->private_data);
	struct iosys_map map;
	int ret;

	ret = dma_buf_importer_begin(file->importer, &map, msecs_to_jiffies(EXAMPLE_WAIT_MS));
	if (ret)
		return ret;
	if (write)
		iosys_map_memcpy_to(&map, file->offset + *pos, page, len);
	else
		iosys_map_memcpy_from(page, &map, file->offset + *pos, len);
	dma_buf_importer_end(file->importer);
	*pos += len;
	return len;
}

static ssize_t example_access(struct file *filp, char __user *user, size_t len, loff_t *pos,
			      bool write)
{
	struct example_file *file = READ_ONCE(filp->private_data);
	ssize_t ret = -EFAULT;
	void *page;

	if (!file)
		return -ENXIO;
	if (*pos < 0 || *pos >= file->length)
		return 0;
	len = min3(len, PAGE_SIZE, (size_t)(file->length - *pos));
	page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	if (!write || !copy_from_user(page, user, len))
		ret = example_copy(filp, page, len, pos, write);
	if (ret > 0 && !write && copy_to_user(user, page, ret))
		ret = -EFAULT;
	kfree(page);
	return ret;
}

static ssize_t example_read(struct file *filp, char __user *user, size_t len, loff_t *pos)
{
	return example_access(filp, user, len, pos, false);
}

static ssize_t example_write(struct file *filp, const char __user *user, size_t len,
			     loff_t *pos)
{
	return example_access(filp, (char __user *)user, len, pos, true);
}

/* A misc device begins with itself there. */
static int example_open(struct inode *inode, struct file *filp)
{
	filp->private_data = NULL;
	return 0;
}

static int example_release(struct inode *inode, struct file *filp)
{
	struct example_file *file = filp->private_data;

	if (file)
		dma_buf_importer_destroy(file->importer);
	kfree(file);
	return 0;
}

static const struct file_operations example_fops = {
	.owner = THIS_MODULE,
	.open = example_open,
	.release = example_release,
	.read = example_read,
	.write = example_write,
	.unlocked_ioctl = example_ioctl,
	.llseek = default_llseek,
};

static struct miscdevice example_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "example_importer",
	.fops = &example_fops,
};
module_misc_device(example_misc);

MODULE_DESCRIPTION("Example of a driver on the dma-buf importer library");
MODULE_LICENSE("GPL");
DMA_BUF_IMPORT_NS(DMA_BUF);
