// SPDX-License-Identifier: GPL-2.0
/* The node of the test exporter. */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/rcupdate.h>
#include <linux/uaccess.h>

#include <linux/dma-buf-compat.h>

#include "exporter_test_internal.h"

/* An importer that is no PCI device and, having a parent, on some other bus. */
static struct device *et_bus;
static struct platform_device *et_pdev;

/* As an importer's node does: the file is open for writing, the buffer may not. */
static int et_node_of(struct file *file, int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (cmpxchg(&file->private_data, NULL, dmabuf)) {
		dma_buf_put(dmabuf);
		return -EBUSY;
	}
	return 0;
}

static int et_call(struct file *file, unsigned int cmd, unsigned long arg,
		   void *data)
{
	switch (cmd) {
	case ET_ALLOC:
		return et_buffer_alloc(data, file->f_mapping);
	case ET_FREE:
		return et_buffer_free(arg);
	case ET_EXPORT:
		return et_buffer_export(arg);
	case ET_IMPORT:
		return et_import(data, &et_pdev->dev);
	case ET_UNIMPORT:
		return et_unimport(arg);
	case ET_DMA:
		return et_dma(data);
	case ET_JOB:
		return et_job(data);
	case ET_VMAP:
		return et_vmap(data);
	case ET_STATS:
		et_buffer_stats(data);
		return 0;
	case ET_HOLD:
		return et_hold(arg);
	case ET_RELEASE:
		return et_release();
	case ET_FENCE:
		return et_fence(arg, DMA_RESV_USAGE_KERNEL, false);
	case ET_LOOSE_FENCE:
		return et_fence(arg, DMA_RESV_USAGE_KERNEL, true);
	case ET_WRITE_FENCE:
		return et_fence(arg, DMA_RESV_USAGE_WRITE, false);
	case ET_SIGNAL:
		return et_signal();
	case ET_NODE_OF:
		return et_node_of(file, arg);
	case ET_MOVE:
		return et_move(data);
	case ET_GO:
		return et_move_go(-(int)arg);
	case ET_FINISH:
		return et_move_finish(-(int)arg);
	case ET_RCU_BARRIER:
		rcu_barrier();
		return 0;
	case ET_REVOKE:
		return et_revoke(data);
	case ET_RESUME:
		return et_resume(arg);
	case ET_UNMAP:
		return et_unmap(arg);
	case ET_PIN:
		return et_pin(arg, true);
	case ET_VHOLD:
		return et_vhold(arg);
	case ET_VDROP:
		return et_vdrop();
	case ET_UNPIN:
		return et_pin(arg, false);
	default:
		return -ENOTTY;
	}
}

static long et_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	union {
		struct et_alloc alloc;
		struct et_import import;
		struct et_copy copy;
		struct et_stats stats;
		struct et_move move;
	} data = {};
	size_t size = _IOC_SIZE(cmd);
	int ret;

	if (size > sizeof(data))
		return -ENOTTY;
	if (_IOC_DIR(cmd) & _IOC_WRITE && copy_from_user(&data, (void __user *)arg, size))
		return -EFAULT;
	ret = et_call(file, cmd, arg, &data);
	if (ret >= 0 && _IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user((void __user *)arg, &data, size))
		return -EFAULT;
	return ret;
}

static int et_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (file->private_data && vma->vm_pgoff < ET_NODE_WINDOW)
		return dma_buf_mmap(file->private_data, vma, vma->vm_pgoff);
	return et_buffer_mmap(vma);
}

static int et_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;
	return 0;
}

static int et_close(struct inode *inode, struct file *file)
{
	if (file->private_data)
		dma_buf_put(file->private_data);
	return 0;
}

static const struct file_operations et_fops = {
	.owner = THIS_MODULE,
	.open = et_open,
	.release = et_close,
	.unlocked_ioctl = et_ioctl,
	.mmap = et_mmap,
};

static struct miscdevice et_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "exporter_test",
	.fops = &et_fops,
	.mode = 0600,
};

static int __init et_init(void)
{
	struct platform_device_info info = {
		.name = "exporter_test",
		.id = PLATFORM_DEVID_NONE,
		.dma_mask = DMA_BIT_MASK(64),
	};
	int ret;

	et_bus = root_device_register("exporter_test_bus");
	if (IS_ERR(et_bus))
		return PTR_ERR(et_bus);
	info.parent = et_bus;
	et_pdev = platform_device_register_full(&info);
	if (IS_ERR(et_pdev)) {
		ret = PTR_ERR(et_pdev);
		goto err_bus;
	}
	dma_set_max_seg_size(&et_pdev->dev, UINT_MAX);
	ret = misc_register(&et_misc);
	if (ret)
		goto err_pdev;
	return 0;

err_pdev:
	platform_device_unregister(et_pdev);
err_bus:
	root_device_unregister(et_bus);
	return ret;
}
module_init(et_init);

static void __exit et_exit(void)
{
	misc_deregister(&et_misc);
	et_move_exit();
	et_sync_exit();
	et_import_exit();
	et_buffer_exit();
	et_memory_exit();
	platform_device_unregister(et_pdev);
	root_device_unregister(et_bus);
}
module_exit(et_exit);

MODULE_DESCRIPTION("Exporter and importer in single steps (test aid)");
MODULE_LICENSE("GPL");
DMA_BUF_IMPORT_NS(DMA_BUF);
